"""Landslides as files that a GIS opens: mask, outlines with attributes, and a style for QGIS."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet
import pyogrio
import rasterio
import shapely
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy
from shapely.geometry.polygon import orient

from landslide_zoo import __version__
from landslide_zoo.data.patch import Grid
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.io import write_whole
from landslide_zoo.mapping.landslides import LONGITUDE_LATITUDE, NOT_OBSERVED, Landslide, Landslides
from landslide_zoo.mapping.network import members_of
from landslide_zoo.mapping.probabilities import Probabilities, writing
from landslide_zoo.mapping.rasters import Window, blocks, environment
from landslide_zoo.models.config import Rule
from landslide_zoo.text import templates_of

PROVENANCE = "landslide_zoo"
"""Name of the metadata item that says, as JSON, where a file comes from."""

Provenance = Mapping[str, Any]
"""Where a map comes from, as plain values for JSON; ``acquired`` is the scene's date."""

_DATE = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")


def provenance_of(
    scene: str, predictor: Predictor, threshold: float, rules: Sequence[Rule], **further: object
) -> dict[str, Any]:
    """Where a map comes from, as plain values, in the order in which they are told.

    There is no time of the run in it: the same scene gives the same files.

    Args:
        scene: Name of the scene; its date is told from it.
        predictor: What found the landslides.
        threshold: Probability from which a pixel counts as landslide.
        rules: Those that were applied.
        further: What else is known; what is None or empty is left out.
    """
    told = {
        "scene": scene,
        "acquired": acquired(scene),
        "model": predictor.config.name,
        "networks": [one.told for one in members_of(predictor)],
        "threshold": round(threshold, 6),
        "rules": [_rule(rule) for rule in rules],
        **further,
        "version": __version__,
    }
    return {name: value for name, value in told.items() if value not in (None, [], (), "")}


def as_json(provenance: Provenance) -> str:
    """Provenance as the text of a metadata item."""
    return json.dumps(dict(provenance), ensure_ascii=False, allow_nan=False)


def tags_of(provenance: Provenance) -> dict[str, str]:
    """Provenance as the metadata items of a raster."""
    software = f"landslide-zoo {provenance['version']}"
    return {PROVENANCE: as_json(provenance), "TIFFTAG_SOFTWARE": software}


def acquired(name: str) -> str | None:
    """The day a scene was taken, by its name; None where it does not tell.

    Example:
        >>> acquired("S2A_MSIL2A_20220207T050649_N0400_R019_T43PFN_20220207T073106")
        '2022-02-07'
    """
    found = _DATE.search(name.replace("T", " "))
    return "-".join(found.groups()) if found else None


def _rule(rule: Rule) -> Mapping[str, Any]:
    bounds = {"minimum": rule.minimum, "maximum": rule.maximum}
    return {"attribute": rule.attribute} | {
        name: bound for name, bound in bounds.items() if bound is not None
    }


BLOCK = 512
"""Side of the blocks inside a file, in pixels."""
READ = 1024
"""Side of the windows that are asked for, in pixels."""
_CACHE_BYTES = 32 * 1024 * 1024
"""What GDAL keeps of a file that is written: it is as quick with it as with more."""

Colours = Mapping[int, tuple[int, int, int, int]]
"""Red, green, blue and opacity of values."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write to, which gets its name when it is whole; its folder is made if need be.

    Raises:
        DataError: If it cannot be written; what was there stays.
    """
    new = path.with_name(f".new-{path.name}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            yield new
            new.replace(path)
    finally:
        with suppress(OSError):  # its folder may be none
            new.unlink(missing_ok=True)


def write_cog(
    path: Path,
    read: Callable[[Window], np.ndarray],
    size: tuple[int, int],
    grid: Grid,
    provenance: Provenance,
    *,
    name: str,
    dtype: Literal["uint8", "float32"],
    nodata: float,
    colours: Colours | None = None,
    scale: float | None = None,
    resampling: Literal["nearest", "average"] = "nearest",
) -> None:
    """Write a raster of one band as a cloud-optimised GeoTIFF, window by window.

    Args:
        path: The file.
        read: Gives the pixels of a window, shape (h, w).
        size: Height and width in pixels.
        grid: Its place; none is written where it is not known.
        provenance: Where it comes from.
        name: Of the band.
        dtype: Type of the pixels.
        nodata: What stands for no value.
        colours: Colours of the values of a band of uint8.
        scale: What pixels are to be multiplied by.
        resampling: How overviews are made.

    Raises:
        DataError: If it cannot be written.
    """
    profile = {
        "driver": "GTiff",
        "height": size[0],
        "width": size[1],
        "count": 1,
        "dtype": dtype,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 1,
        "bigtiff": "if_safer",
    }
    if grid.crs is not None and grid.transform is not None:
        profile |= {"crs": grid.crs, "transform": Affine(*grid.transform)}
    with written_whole(path) as whole, environment(_CACHE_BYTES), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        plain = whole.with_suffix(".rows.tif")
        try:
            with rasterio.open(plain, "w", **profile) as dataset:
                dataset.set_band_description(1, name)
                if colours:
                    dataset.write_colormap(1, dict(colours))
                if scale is not None:
                    dataset.scales = (scale,)
                dataset.update_tags(**tags_of(provenance))
                for window in blocks(size, READ):
                    dataset.write(read(window), 1, window=window.slices)
            copy(
                plain,
                whole,
                driver="COG",
                compress="DEFLATE",
                level=6,
                blocksize=BLOCK,
                overview_resampling=resampling,
                bigtiff="IF_SAFER",
            )
        finally:
            plain.unlink(missing_ok=True)


ProbabilityType = Literal["uint8", "float32"]
Format = Literal["gpkg", "geojson", "parquet", "fgb"]
LANDSLIDES, DROPPED = "landslides", "dropped"
"""Layers of a GeoPackage."""
NO_DATE = "2000-01-01"
"""What a file that wants a date says where the scene's is not known."""
STEPS = 254
"""Values of a probability as uint8, 0 to this; 255 is nodata."""
MASK_COLOURS: Colours = {
    0: (242, 242, 242, 255),
    1: (213, 94, 0, 255),
    NOT_OBSERVED: (150, 150, 150, 255),
}

ATTRIBUTES: dict[str, tuple[str, int]] = {
    "id": ("number", 0),
    "area_m2": ("area", 1),
    "perimeter_m": ("perimeter", 1),
    "length_m": ("length", 1),
    "width_m": ("width", 1),
    "azimuth_deg": ("azimuth", 1),
    "elongation": ("elongation", 3),
    "compactness": ("compactness", 3),
    "mean_probability": ("mean_probability", 4),
    "max_probability": ("max_probability", 4),
    "mean_slope_deg": ("mean_slope", 2),
    "mean_elevation_m": ("mean_elevation", 1),
    "elevation_range_m": ("elevation_range", 1),
    "mean_ndvi": ("mean_ndvi", 4),
    "ndvi_drop": ("median_ndvi_drop", 4),
    "vegetation": ("mean_vegetation", 4),
    "brightness": ("mean_brightness", 1),
    "texture": ("mean_texture", 3),
    "water_contact": ("water_contact", 3),
    "hidden_share": ("hidden_contact", 3),
    "longitude": ("longitude", 7),
    "latitude": ("latitude", 7),
    "row": ("row", 1),
    "column": ("column", 1),
}
"""What is written of each landslide, in every format: measure and digits. ``docs/maps.md`` says
what each is."""
_gdal_settings = Lock()
_TEMPLATES = templates_of("landslide_zoo.mapping")


def properties(one: Landslide) -> dict[str, Any]:
    """The attributes of a landslide by the names of :data:`ATTRIBUTES`, None where not known.

    What a rule dropped has besides ``rule``, the attribute, and ``why``, a sentence.
    """
    seen, extent = one.object, one.extent
    longitude, latitude = one.place or (None, None)
    own: dict[str, float | None] = {
        "number": seen.number,
        "area": one.area,
        "length": extent.length,
        "width": extent.width,
        "azimuth": extent.azimuth,
        "longitude": longitude,
        "latitude": latitude,
    }
    found: dict[str, Any] = {}
    for name, (measure, digits) in ATTRIBUTES.items():
        value = own[measure] if measure in own else seen.value(measure)
        found[name] = None if value is None or math.isnan(value) else round(value, digits)
    if one.rule is not None:
        found |= {"rule": one.rule.attribute, "why": one.why}
    return found


def to_table(landslides: Landslides, dropped: bool = False) -> geopandas.GeoDataFrame:
    """Landslides, or what rules dropped, with outlines in the scene's coordinates."""
    rows = landslides.dropped if dropped else landslides.objects
    kinds = dict.fromkeys(ATTRIBUTES, "float64") | {"id": "int64"}
    if dropped:
        kinds |= {"rule": "object", "why": "object"}
    values = [tuple(properties(one).values()) for one in rows]
    ground = landslides.ground
    return geopandas.GeoDataFrame(
        pd.DataFrame(values, columns=list(kinds)).astype(kinds),
        geometry=[ground.place(one.outline) for one in rows],
        crs=ground.grid.crs if ground.placed else None,
    )


def write_probability(
    folder: Path,
    stem: str,
    probabilities: Probabilities,
    provenance: Provenance,
    dtype: ProbabilityType = "uint8",
) -> Path:
    """Write ``STEM_probability.tif``: what the network says, nodata where nothing was observed.

    Args:
        folder: Made if need be.
        stem: What the file's name begins with.
        probabilities: Those of the scene.
        provenance: Where they come from.
        dtype: ``uint8``: probability is the value times the scale in its metadata, 1/254,
            and 255 is nodata; ``float32``: as it is, and NaN is nodata.

    Raises:
        DataError: If it cannot be written.
    """

    def read(window: Window) -> np.ndarray:
        part = probabilities.read(window)
        if dtype == "float32":
            return np.where(part.observed, part.probability, np.float32(np.nan))
        scaled = np.rint(part.probability * STEPS).astype(np.uint8)
        return np.where(part.observed, scaled, np.uint8(STEPS + 1))

    path = folder / f"{stem}_probability.tif"
    write_cog(
        path,
        read,
        probabilities.size,
        probabilities.grid,
        provenance,
        name="landslide probability",
        dtype=dtype,
        nodata=float("nan") if dtype == "float32" else STEPS + 1,
        scale=None if dtype == "float32" else 1 / STEPS,
        resampling="average",
    )
    return path


def write_landslides(
    landslides: Landslides,
    folder: Path,
    stem: str,
    provenance: Provenance,
    formats: Sequence[Format] = ("gpkg",),
) -> list[Path]:
    """Write the mask, the outlines and a style for them, each whole before it gets its name.

    Args:
        landslides: What was found.
        folder: Made if need be; files of the same names are replaced.
        stem: What the files' names begin with.
        provenance: Where they come from, written into each of them.
        formats: Those of the outlines. A GeoPackage has a second layer of what rules dropped.

    Returns:
        The files: ``STEM_mask.tif``, ``STEM_landslides.gpkg`` and so on, and
        ``STEM_landslides.qml``.

    Raises:
        DataError: If one cannot be written.
    """
    mask = folder / f"{stem}_mask.tif"
    write_cog(
        mask,
        landslides.mask,
        landslides.size,
        landslides.ground.grid,
        provenance,
        name="1 landslide, 0 none, 255 not observed",
        dtype="uint8",
        nodata=NOT_OBSERVED,
        colours=MASK_COLOURS,
    )
    outlines = folder / f"{stem}_landslides"
    written = [mask]
    for kind in formats:
        path = outlines.with_name(f"{outlines.name}.{kind}")
        with written_whole(path) as new, warnings.catch_warnings():
            # Without a place there is no coordinate system to write.
            warnings.filterwarnings("ignore", message="'crs' was not provided")
            _WRITERS[kind](new, landslides, provenance)
        written.append(path)
    style = outlines.with_name(f"{outlines.name}.qml")
    write_whole(style, _style(LANDSLIDES))
    return [*written, style]


def _write_gpkg(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    metadata = {PROVENANCE: as_json(provenance), "DESCRIPTION": _title(provenance)}
    date = f"{str(provenance.get('acquired') or NO_DATE)[:10]}T00:00:00.000Z"
    with _gdal_option("OGR_CURRENT_DATE", date):
        for layer in (LANDSLIDES, DROPPED):
            pyogrio.write_dataframe(
                to_table(landslides, dropped=layer == DROPPED),
                path,
                layer=layer,
                driver="GPKG",
                geometry_type="MultiPolygon",
                layer_metadata=metadata,
                append=layer == DROPPED,
            )
        # Where QGIS looks for the styles of a GeoPackage's layers.
        styles = {layer: _style(layer) for layer in (LANDSLIDES, DROPPED)}
        table = pd.DataFrame(
            {
                "f_table_catalog": "",
                "f_table_schema": "",
                "f_table_name": list(styles),
                "f_geometry_column": "geom",
                "styleName": list(styles),
                "styleQML": list(styles.values()),
                "styleSLD": "",
                "useAsDefault": True,
                "description": "",
                "owner": "",
                "ui": "",
                "update_time": pd.to_datetime(date),
            }
        )
        pyogrio.write_dataframe(table, path, layer="layer_styles", driver="GPKG", append=True)


def _write_fgb(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    pyogrio.write_dataframe(
        to_table(landslides),
        path,
        layer=LANDSLIDES,
        driver="FlatGeobuf",
        geometry_type="MultiPolygon",
        layer_options={"TITLE": _title(provenance), "DESCRIPTION": as_json(provenance)},
    )


def _write_parquet(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    to_table(landslides).to_parquet(path, index=False, compression="zstd")
    table = pyarrow.parquet.read_table(path)
    known = table.schema.metadata | {PROVENANCE.encode(): as_json(provenance).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(known), path, compression="zstd")


def _write_geojson(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    """RFC 7946: longitude and latitude, shells counterclockwise; in pixels without a place."""
    table = to_table(landslides)
    outlines = table.geometry
    if landslides.ground.placed:
        outlines = outlines.to_crs(LONGITUDE_LATITUDE)
    features = [
        {
            "type": "Feature",
            "id": one.object.number,
            "properties": properties(one),
            "geometry": shapely.geometry.mapping(_rounded(outline)),
        }
        for one, outline in zip(landslides.objects, outlines, strict=True)
    ]
    content = {
        "type": "FeatureCollection",
        "name": LANDSLIDES,
        PROVENANCE: dict(provenance),
        "features": features,
    }
    path.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")


_WRITERS = {
    "gpkg": _write_gpkg,
    "geojson": _write_geojson,
    "parquet": _write_parquet,
    "fgb": _write_fgb,
}


def _rounded(outline: shapely.MultiPolygon) -> shapely.MultiPolygon:
    """Shells counterclockwise, holes clockwise; to a centimetre, as RFC 7946 advises."""
    parts = [orient(part) for part in outline.geoms]
    return shapely.transform(
        shapely.MultiPolygon(parts), lambda coordinates: np.round(coordinates, 7)
    )


def _style(layer: str) -> str:
    """How QGIS draws a layer, as the text of a ``.qml``."""
    return _TEMPLATES.get_template("style.qml.jinja").render(dropped=layer == DROPPED)


def _title(provenance: Provenance) -> str:
    return f"Landslides of {provenance['scene']}"


@contextmanager
def _gdal_option(name: str, value: str) -> Iterator[None]:
    """A setting of the GDAL that writes outlines; it has one set of them for all threads."""
    with _gdal_settings:
        before = pyogrio.get_gdal_config_option(name)
        pyogrio.set_gdal_config_options({name: value})
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options({name: before})
