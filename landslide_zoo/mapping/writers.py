"""The files of a map that a GIS opens: rasters, outlines with attributes, and styles for QGIS."""

from __future__ import annotations

import json
import math
import re
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pyogrio
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from landslide_zoo import __version__
from landslide_zoo.data.patch import Grid
from landslide_zoo.errors import DataError
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.io import staged, templates_of
from landslide_zoo.mapping import ProbabilityType
from landslide_zoo.mapping.landslides import NOT_OBSERVED, Landslides
from landslide_zoo.mapping.network import members_of
from landslide_zoo.mapping.probabilities import Probabilities, writing
from landslide_zoo.models.config import Rule
from landslide_zoo.scenes.rasters import environment, strips

PROVENANCE = "landslide_zoo"
"""Name of the metadata item that says, as JSON, where a file comes from."""
Provenance = Mapping[str, Any]
"""Where a map comes from, as plain values for JSON; ``acquired`` is the scene's date."""
LANDSLIDES, DROPPED = "landslides", "dropped"
"""Layers of a GeoPackage."""
STEPS = 254
"""Values of a probability as uint8, 0 to this; 255 is nodata."""
MASK_COLOURS = {0: (242, 242, 242, 255), 1: (213, 94, 0, 255), NOT_OBSERVED: (150, 150, 150, 255)}
_DATE = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)")
_TEMPLATES = templates_of("landslide_zoo.mapping")


def provenance_of(
    scene: str, predictor: Predictor, threshold: float, rules: Sequence[Rule], **further: object
) -> dict[str, Any]:
    """Where a map comes from, as plain values.

    Args:
        scene: Name of the scene, which may contain its date.
        predictor: What found the landslides.
        threshold: Probability from which a pixel counts as landslide.
        rules: Those that were applied.
        further: What else is known; what is None or empty is left out.
    """
    values = {
        "scene": scene,
        "acquired": acquired(scene),
        "model": predictor.config.name,
        "networks": [member.describe() for member in members_of(predictor)],
        "threshold": round(threshold, 6),
        "rules": [
            rule.model_dump(include={"attribute", "minimum", "maximum"}, exclude_none=True)
            for rule in rules
        ],
        **further,
        "version": __version__,
    }
    return {name: value for name, value in values.items() if value not in (None, [], (), "")}


def acquired(name: str) -> str | None:
    """The day a scene was taken, by its name; None where it has none.

    Example:
        >>> acquired("S2A_MSIL2A_20220207T050649_N0400_R019_T43PFN_20220207T073106")
        '2022-02-07'
    """
    for digits in _DATE.findall(name.replace("T", " ")):
        with suppress(ValueError):
            return date(*map(int, digits)).isoformat()
    return None


def write_probability(
    path: Path,
    probabilities: Probabilities,
    provenance: Provenance,
    dtype: ProbabilityType = "uint8",
) -> None:
    """Write what the network says as a raster, nodata where nothing was observed.

    Args:
        path: The file.
        probabilities: Those of the scene.
        provenance: Where they come from.
        dtype: ``uint8``: probability is the value times the scale in its metadata, 1/254,
            and 255 is nodata; ``float32``: as it is, and NaN is nodata.

    Raises:
        DataError: If it cannot be written.
    """
    size, real = probabilities.size, dtype == "float32"
    nodata = math.nan if real else STEPS + 1
    values = np.full(size, nodata, dtype)
    for strip in strips(size):
        part = probabilities.read(strip)
        known = part.probability[part.observed]
        values[strip.slices][part.observed] = known if real else np.rint(known * STEPS)
    scale = 1.0 if real else 1 / STEPS
    name = "landslide probability"
    write_cog(path, values, probabilities.grid, provenance, name, nodata, scale=scale)


def write_mask(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    """Write the mask as a raster.

    Raises:
        DataError: If it cannot be written.
    """
    name, grid = "1 landslide, 0 none, 255 not observed", landslides.ground.grid
    write_cog(path, landslides.mask, grid, provenance, name, NOT_OBSERVED, colours=MASK_COLOURS)


def write_cog(
    path: Path,
    values: np.ndarray,
    grid: Grid,
    provenance: Provenance,
    name: str,
    nodata: float,
    *,
    colours: Mapping[int, tuple[int, int, int, int]] | None = None,
    scale: float = 1.0,
) -> None:
    """Write a raster of one band as a cloud-optimised GeoTIFF, and compare it with what it is of.

    Args:
        path: The file.
        values: Shape (H, W).
        grid: Its place; none is written where it is not known.
        provenance: Where it comes from.
        name: Of the band.
        nodata: What stands for no value.
        colours: Colours of its values, which overviews do not mix.
        scale: What values are to be multiplied by.

    Raises:
        DataError: If it cannot be written.
    """
    height, width = values.shape
    profile = {"driver": "COG", "height": height, "width": width, "count": 1}
    profile |= {"dtype": values.dtype, "nodata": nodata, "compress": "deflate", "level": 6}
    profile |= {"overview_resampling": "nearest" if colours else "average"}
    if grid.crs is not None and grid.transform is not None:
        profile |= {"crs": grid.crs, "transform": Affine(*grid.transform)}
    software = f"landslide-zoo {provenance['version']}"
    with _published(path) as new, environment(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(new, "w", **profile) as dataset:
            dataset.set_band_description(1, name)
            if colours:
                dataset.write_colormap(1, dict(colours))
            dataset.scales = (scale,)
            dataset.update_tags(**{PROVENANCE: _json(provenance), "TIFFTAG_SOFTWARE": software})
            dataset.write(values, 1)
        with rasterio.open(new) as dataset:
            for strip in strips(values.shape):
                written = dataset.read(1, window=strip.slices)
                if not np.array_equal(written, values[strip.slices], equal_nan=True):
                    raise OSError("it reads back otherwise than it was written")


def write_outlines(path: Path, kind: str, landslides: Landslides, provenance: Provenance) -> None:
    """Write the outlines of landslides with their attributes.

    Args:
        path: The file.
        kind: Its :data:`Format`. A GeoPackage has a second layer of what rules dropped.
        landslides: What was found.
        provenance: Where they come from, written into the file.

    Raises:
        DataError: If it cannot be written.
    """
    with _published(path) as new, warnings.catch_warnings():
        # Without a place there is no coordinate system to write.
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        _WRITERS[kind](new, landslides, provenance)


def _write_gpkg(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    title = f"Landslides of {provenance['scene']}"
    layers = {LANDSLIDES: landslides.table, DROPPED: landslides.dropped}
    for layer, table in layers.items():
        pyogrio.write_dataframe(
            table,
            path,
            layer=layer,
            driver="GPKG",
            geometry_type="MultiPolygon",
            dataset_options={"VERSION": "1.2"},
            layer_metadata={PROVENANCE: _json(provenance), "DESCRIPTION": title},
            append=layer == DROPPED,
        )
    # Where QGIS looks for the styles of a GeoPackage's layers.
    styles = pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": list(layers),
            "f_geometry_column": "geom",
            "styleName": list(layers),
            "styleQML": [style_of(layer) for layer in layers],
            "styleSLD": "",
            "useAsDefault": True,
            "description": "",
            "owner": "",
            "ui": "",
            "update_time": pd.Timestamp.now("UTC"),
        }
    )
    pyogrio.write_dataframe(styles, path, layer="layer_styles", driver="GPKG", append=True)
    with closing(sqlite3.connect(path)) as database, database:
        # Older readers take no other form of a time.
        database.execute("UPDATE layer_styles SET update_time = strftime('%Y-%m-%dT%H:%M:%fZ')")


def _write_geojson(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    options = {"RFC7946": "YES"} if landslides.ground.placed else {}
    pyogrio.write_dataframe(
        landslides.table,
        path,
        layer=LANDSLIDES,
        driver="GeoJSON",
        geometry_type="MultiPolygon",
        layer_options={"COORDINATE_PRECISION": "7", **options},
    )
    text = path.read_text(encoding="utf-8")
    path.write_text(f'{{"{PROVENANCE}": {_json(provenance)},{text[1:]}', encoding="utf-8")


def _write_parquet(path: Path, landslides: Landslides, provenance: Provenance) -> None:
    landslides.table.to_parquet(path, index=False)
    table = pyarrow.parquet.read_table(path)
    metadata = table.schema.metadata | {PROVENANCE.encode(): _json(provenance).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


_WRITERS: dict[str, Callable[[Path, Landslides, Provenance], None]] = {
    "gpkg": _write_gpkg,
    "geojson": _write_geojson,
    "parquet": _write_parquet,
}


@contextmanager
def _published(path: Path) -> Iterator[Path]:
    """A path of plain letters for GDAL to write to; what is there in the end gets its name.

    GDAL takes some names for drivers or for places inside of archives. What belongs to the file
    that is replaced, as an editor's journal, goes with it.

    Raises:
        DataError: If it cannot be written, or is open elsewhere; what was there stays.
    """
    with writing(path), tempfile.TemporaryDirectory(prefix="landslide-zoo-") as folder:
        plain = Path(folder, f"map{path.suffix}")
        yield plain
        with staged(path) as new:
            shutil.copyfile(plain, new)
            _refuse_open(path)
            for ending in ("-wal", "-shm", "-journal", ".aux.xml"):
                path.with_name(path.name + ending).unlink(missing_ok=True)


def _refuse_open(path: Path) -> None:
    """Check that nobody is at work in a GeoPackage."""
    if path.suffix != ".gpkg" or not path.is_file():
        return
    with closing(sqlite3.connect(path, timeout=0)) as database:
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise DataError(
                f"{path} is open in another program ({error}): close it there first."
            ) from error
        except sqlite3.DatabaseError:  # it is none: nothing is lost
            return


def style_of(layer: str) -> str:
    """How QGIS draws a layer or the ``mask``, as the text of a ``.qml``."""
    return _TEMPLATES.get_template("style.qml.jinja").render(layer=layer)


def _json(provenance: Provenance) -> str:
    return json.dumps(dict(provenance), ensure_ascii=False, allow_nan=False)
