"""What is written opens in GDAL and geopandas, is whole, and says where it comes from."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyarrow.parquet
import pyogrio
import pytest
import rasterio
import shapely
from mapped_scenes import FIELD, Slope, where
from rasterio.features import rasterize

from landslide_zoo.errors import DataError
from landslide_zoo.mapping import OUTPUTS, Format
from landslide_zoo.mapping.landslides import ATTRIBUTES, Landslides
from landslide_zoo.mapping.writers import acquired, write_mask, write_outlines

PROVENANCE = {"scene": "slope", "threshold": 0.5, "version": "1.0", "note": "débris <flow>"}
FORMATS = get_args(Format)


def a_scene() -> Slope:
    """A ring with an island in it, a diagonal, a field and a cloud."""
    slope = Slope(150, 160)
    slope.put(where(slope, lambda r, c: np.abs(np.hypot(r - 60, c - 60) - 30) < 6))
    slope.put(slice(56, 65), slice(56, 65))
    slope.put(where(slope, lambda r, c: (r == c - 60) & (r > 5) & (r < 50)))
    slope.put(slice(120, 140), slice(10, 40), surface=FIELD)
    slope.observed[100:, 120:] = False
    slope.cloud[100:, 120:] = True
    return slope


def write(landslides: Landslides, folder: Path, stem: str = "slope") -> dict[str, Path]:
    """The files of a map by their kinds."""
    paths = {kind: folder / (stem + OUTPUTS[kind][0]) for kind in ("mask", *FORMATS)}
    write_mask(paths["mask"], landslides, PROVENANCE)
    for kind in FORMATS:
        write_outlines(paths[kind], kind, landslides, PROVENANCE)
    return paths


def read(path: Path, layer: str = "landslides") -> geopandas.GeoDataFrame:
    """The outlines of a file, in whichever format."""
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path, layer=layer if path.suffix == ".gpkg" else None)


@pytest.fixture(scope="module")
def landslides(tmp_path_factory: pytest.TempPathFactory) -> Landslides:
    return a_scene().find(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def written(landslides: Landslides, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("outputs") / "new"
    paths = write(landslides, folder)
    assert sorted(folder.iterdir()) == sorted(paths.values())  # and nothing is left behind
    return paths


def test_the_mask_is_a_cog_with_colours_and_place(
    written: dict[str, Path], landslides: Landslides
) -> None:
    with rasterio.open(written["mask"]) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
        assert dataset.crs == rasterio.CRS.from_string("EPSG:32643")
        assert tuple(dataset.transform)[:6] == landslides.ground.grid.transform
        assert np.array_equal(dataset.read(1), landslides.mask)
        assert dataset.colormap(1)[1] == (213, 94, 0, 255)
        assert json.loads(dataset.tags()["landslide_zoo"]) == PROVENANCE


@pytest.mark.parametrize("kind", FORMATS)
def test_outlines_open_with_all_attributes_and_holes(kind: str, written: dict[str, Path]) -> None:
    table = read(written[kind]).sort_values("id")
    assert list(table["id"]) == [1, 2, 3]
    assert [column for column in table.columns if column in ATTRIBUTES] == list(ATTRIBUTES)
    assert table.geometry.is_valid.all()
    assert table["area_m2"].sum() == pytest.approx(table.to_crs("EPSG:32643").area.sum(), rel=1e-4)
    assert table["ndvi_drop"].isna().all()  # there was no earlier scene
    if kind == "parquet":
        metadata = pyarrow.parquet.read_schema(written[kind]).metadata
        assert json.loads(metadata[b"landslide_zoo"]) == PROVENANCE
    ring = table.geometry.iloc[0]
    assert [len(part.interiors) for part in ring.geoms] == [1]


def test_geojson_is_that_of_rfc_7946(written: dict[str, Path]) -> None:
    content = json.loads(written["geojson"].read_text(encoding="utf-8"))
    assert "crs" not in content
    assert content["landslide_zoo"] == PROVENANCE
    for feature in content["features"]:
        assert feature["properties"]["ndvi_drop"] is None
        for shell, *holes in feature["geometry"]["coordinates"]:
            assert shapely.LinearRing(shell).is_ccw
            assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
            assert all(76 < x < 76.2 and 11.4 < y < 11.6 for x, y in shell)


def test_a_geopackage_for_qgis(written: dict[str, Path]) -> None:
    path = written["gpkg"]
    layers = [name for name, _ in pyogrio.list_layers(path)]
    assert layers == ["landslides", "dropped", "layer_styles"]
    (dropped,) = read(path, "dropped").itertuples()
    assert dropped.rule == "median_vegetation"
    assert dropped.why.startswith("Median vegetation is 0.7")
    metadata = pyogrio.read_info(path, layer="landslides")["layer_metadata"]
    assert json.loads(metadata["landslide_zoo"]) == PROVENANCE
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (10200,)
        styles = database.execute("SELECT styleQML, update_time FROM layer_styles").fetchall()
    for style, time in styles:
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
        renderer = ElementTree.fromstring(style).find("renderer-v2")
        symbols = {symbol.get("name") for symbol in renderer.iter("symbol")}
        assert {part.get("symbol") for part in renderer.iter("range")} <= symbols
        assert renderer.get("attr") in (None, *ATTRIBUTES)


def test_no_landslides_are_empty_layers(tmp_path: Path) -> None:
    paths = write(Slope().find(tmp_path), tmp_path)
    for kind in FORMATS:
        table = read(paths[kind])
        assert len(table) == 0
        if kind != "geojson":  # which has columns by its features alone
            assert set(ATTRIBUTES) <= set(table.columns)
            assert table.crs == "EPSG:32643"
    assert len(read(paths["gpkg"], "dropped")) == 0


def test_a_scene_without_place(tmp_path: Path) -> None:
    found = a_scene().find(tmp_path, {"crs": None, "transform": None})
    paths = write(found, tmp_path)
    for kind in FORMATS:
        table = read(paths[kind])
        assert table["longitude"].isna().all()
        assert np.array_equal(rasterize(table.geometry, found.mask.shape) > 0, found.mask == 1)


@pytest.mark.parametrize("stem", ["a!b", "a;b", "new\nline", "MEM:", "%41", "ünï", "x.tif"])
def test_any_name(landslides: Landslides, tmp_path: Path, stem: str) -> None:
    paths = write(landslides, tmp_path / stem, stem)
    assert sorted((tmp_path / stem).iterdir()) == sorted(paths.values())
    assert [path.name for path in tmp_path.iterdir()] == [stem]
    assert sqlite3.connect(paths["gpkg"]).execute("SELECT count(*) FROM landslides").fetchone()[0]


def test_what_belongs_to_a_file_that_is_replaced_goes_with_it(
    landslides: Landslides, tmp_path: Path
) -> None:
    paths = write(landslides, tmp_path)
    left = [
        Path(f"{paths['gpkg']}-wal"),
        Path(f"{paths['gpkg']}-journal"),
        Path(f"{paths['mask']}.aux.xml"),
    ]
    for path in left:
        path.write_text("of an editor")
    write(landslides, tmp_path)
    assert not any(path.exists() for path in left)
    assert len(read(paths["gpkg"])) == 3
    with sqlite3.connect(paths["gpkg"]) as editor:
        editor.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DataError, match="open in another program"):
            write(landslides, tmp_path)


def test_what_cannot_be_written(
    landslides: Landslides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"slope_mask.tif cannot be written"):
        write_mask(tmp_path / "file/folder/slope_mask.tif", landslides, PROVENANCE)
    (tmp_path / "slope.gpkg").mkdir()
    with pytest.raises(DataError, match=r"slope.gpkg cannot be written"):
        write_outlines(tmp_path / "slope.gpkg", "gpkg", landslides, PROVENANCE)
    monkeypatch.setattr(
        "rasterio.io.DatasetReader.read", lambda *_, **__: np.ones((150, 160), np.uint8)
    )
    with pytest.raises(DataError, match="reads back"):
        write_mask(tmp_path / "mask.tif", landslides, PROVENANCE)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "slope.gpkg"}


def test_every_attribute_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "maps.md"
    table = page.read_text(encoding="utf-8").partition("## Attributes")[2].partition("##")[0]
    lines = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert re.findall(r"`(\w+)`", "".join(lines)) == ["id", *ATTRIBUTES]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("S2A_MSIL2A_20220207T050649_N0400", "2022-02-07"),
        ("T43PFN_20220207T050649_B02", "2022-02-07"),
        ("S2_L1C_2015-07-11_13bands", "2015-07-11"),
        ("plot-20001234", None),
        ("20999999", None),
    ],
)
def test_the_day_in_a_name(name: str, day: str | None) -> None:
    assert acquired(name) == day
