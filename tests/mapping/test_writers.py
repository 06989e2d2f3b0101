"""What is written opens in GDAL and geopandas, says where it comes from, and is always the same."""

from __future__ import annotations

import hashlib
import json
import re
import time
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
from affine import Affine
from mapped_scenes import FIELD, Slope, mask_of, where
from rasterio.features import rasterize

from landslide_zoo.errors import DataError
from landslide_zoo.mapping.landslides import Landslides
from landslide_zoo.mapping.writers import ATTRIBUTES, Format, to_table, write_landslides

PROVENANCE = {
    "scene": "slope",
    "model": "unet-resnet34-rgb",
    "threshold": 0.5,
    "acquired": "2024-07-30",
    "version": "1.0",
    "note": "débris <flow>",
}
FORMATS = get_args(Format)
VECTORS = [f"slope_landslides.{kind}" for kind in FORMATS]


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


def read(path: Path, layer: str = "landslides") -> geopandas.GeoDataFrame:
    """The outlines of a file, in whichever format."""
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(path, layer=layer if path.suffix == ".gpkg" else None)


def iou(outlines: geopandas.GeoSeries, mask: Path) -> float:
    with rasterio.open(mask) as dataset:
        landslide = dataset.read(1) == 1
        burnt = rasterize(outlines, landslide.shape, transform=dataset.transform) > 0
    return float((burnt & landslide).sum() / (burnt | landslide).sum())


@pytest.fixture(scope="module")
def landslides(tmp_path_factory: pytest.TempPathFactory) -> Landslides:
    return a_scene().find(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def written(landslides: Landslides, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs") / "new"
    paths = write_landslides(landslides, folder, "slope", PROVENANCE, FORMATS)
    assert paths == [folder / name for name in ("slope_mask.tif", *VECTORS, "slope_landslides.qml")]
    assert sorted(folder.iterdir()) == sorted(paths)  # and nothing is left behind
    return folder


def test_the_mask_is_a_cog_with_colours_and_place(written: Path, landslides: Landslides) -> None:
    with rasterio.open(written / "slope_mask.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
        assert dataset.crs == rasterio.CRS.from_string("EPSG:32643")
        assert tuple(dataset.transform)[:6] == landslides.ground.grid.transform
        assert np.array_equal(dataset.read(1), mask_of(landslides))
        assert np.array_equal(dataset.dataset_mask() > 0, mask_of(landslides) != 255)
        assert dataset.colormap(1)[1] == (213, 94, 0, 255)
        assert json.loads(dataset.tags()["landslide_zoo"]) == PROVENANCE
        assert dataset.tags()["TIFFTAG_SOFTWARE"] == "landslide-zoo 1.0"


@pytest.mark.parametrize("name", VECTORS)
def test_outlines_open_with_all_attributes_and_holes(name: str, written: Path) -> None:
    table = read(written / name).sort_values("id")
    assert list(table["id"]) == [1, 2, 3]
    assert [column for column in table.columns if column in ATTRIBUTES] == list(ATTRIBUTES)
    assert table.geometry.is_valid.all()
    assert set(table.geometry.geom_type) == {"MultiPolygon"}
    assert table["area_m2"].sum() == pytest.approx(table.to_crs("EPSG:32643").area.sum(), rel=1e-4)
    assert table["ndvi_drop"].isna().all()  # there was no earlier scene
    assert iou(table.to_crs("EPSG:32643").geometry, written / "slope_mask.tif") > 0.98
    ring = table.geometry.iloc[0]
    assert [len(part.interiors) for part in ring.geoms] == [1]


def test_geojson_is_that_of_rfc_7946(written: Path) -> None:
    content = json.loads((written / "slope_landslides.geojson").read_text(encoding="utf-8"))
    assert "crs" not in content
    assert content["landslide_zoo"] == PROVENANCE
    for feature in content["features"]:
        assert feature["properties"]["ndvi_drop"] is None
        for shell, *holes in feature["geometry"]["coordinates"]:
            assert shapely.LinearRing(shell).is_ccw
            assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
            assert all(76 < x < 76.2 and 11.4 < y < 11.6 for x, y in shell)


def test_a_geopackage_lists_what_was_dropped_and_why(written: Path) -> None:
    path = written / "slope_landslides.gpkg"
    names = [name for name, _ in pyogrio.list_layers(path)]
    assert names == ["landslides", "dropped", "layer_styles"]
    (row,) = read(path, "dropped").itertuples()
    assert row.rule == "median_vegetation"
    assert row.why.startswith("Median vegetation is 0.7")
    assert row.area_m2 == pytest.approx(60_000, rel=0.02)


def test_each_file_says_where_it_comes_from(written: Path) -> None:
    gpkg = pyogrio.read_info(written / "slope_landslides.gpkg", layer="landslides")
    fgb = pyogrio.read_info(written / "slope_landslides.fgb")
    parquet = pyarrow.parquet.read_schema(written / "slope_landslides.parquet")
    for text in (
        gpkg["layer_metadata"]["landslide_zoo"],
        fgb["layer_metadata"]["DESCRIPTION"],
        parquet.metadata[b"landslide_zoo"],
    ):
        assert json.loads(text) == PROVENANCE
    assert fgb["layer_metadata"]["TITLE"] == "Landslides of slope"


def test_qgis_finds_a_style_for_every_layer(written: Path) -> None:
    text = (written / "slope_landslides.qml").read_text(encoding="utf-8")
    styles = pyogrio.read_dataframe(
        written / "slope_landslides.gpkg", layer="layer_styles", read_geometry=False
    )
    assert list(styles["f_table_name"]) == ["landslides", "dropped"]
    assert styles["useAsDefault"].all()
    assert styles["styleQML"][0] == text
    for style in styles["styleQML"]:
        renderer = ElementTree.fromstring(style).find("renderer-v2")
        symbols = {symbol.get("name") for symbol in renderer.iter("symbol")}
        assert {part.get("symbol") for part in renderer.iter("range")} <= symbols
        assert renderer.get("attr") in (None, *ATTRIBUTES)
        assert all(layer.get("class") == "SimpleFill" for layer in renderer.iter("layer"))


def test_the_same_landslides_give_the_same_bytes(landslides: Landslides, tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        paths = write_landslides(landslides, tmp_path / name, "slope", PROVENANCE, FORMATS)
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
        time.sleep(1.1)  # formats that keep the time keep its seconds
    assert digests[0] == digests[1]


def test_no_landslides_are_empty_layers(tmp_path: Path) -> None:
    empty = Slope().find(tmp_path)
    write_landslides(empty, tmp_path, "slope", PROVENANCE, FORMATS)
    for name in VECTORS:
        table = read(tmp_path / name)
        assert len(table) == 0
        if not name.endswith("geojson"):  # which has columns by its features alone
            assert set(ATTRIBUTES) <= set(table.columns)
            assert table.crs == "EPSG:32643"
    assert len(read(tmp_path / "slope_landslides.gpkg", "dropped")) == 0
    with rasterio.open(tmp_path / "slope_mask.tif") as dataset:
        assert not dataset.read(1).any()


def test_a_scene_in_degrees(tmp_path: Path) -> None:
    degrees = Affine(9.2e-5, 0, 76.1, 0, -9.0e-5, 11.5)
    found = a_scene().find(tmp_path, {"crs": "EPSG:4326", "transform": degrees})
    assert found.size == (150, 160)
    write_landslides(found, tmp_path, "slope", PROVENANCE, FORMATS)
    for name in ("slope_landslides.geojson", "slope_landslides.fgb"):
        table = read(tmp_path / name)
        metres = table.to_crs("EPSG:32643").area.sum()
        assert table["area_m2"].sum() == pytest.approx(metres, rel=2e-3)  # the zone's own scale
        assert iou(table.geometry, tmp_path / "slope_mask.tif") > 0.98


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_without_a_projection_outlines_are_in_pixels(tmp_path: Path) -> None:
    found = a_scene().find(tmp_path, {"crs": None, "transform": None})
    write_landslides(found, tmp_path, "slope", PROVENANCE, FORMATS)
    for name in VECTORS:
        table = read(tmp_path / name)
        if not name.endswith("geojson"):
            assert table.crs is None or table.crs.name.startswith("Undefined")
        assert table["longitude"].isna().all()
        burnt = rasterize(table.geometry, found.size)
        assert np.array_equal(burnt > 0, mask_of(found) == 1)
    with rasterio.open(tmp_path / "slope_mask.tif") as dataset:
        assert dataset.crs is None


def test_a_table_has_a_column_for_everything(landslides: Landslides) -> None:
    table, dropped = to_table(landslides), to_table(landslides, dropped=True)
    assert list(table.columns) == [*ATTRIBUTES, "geometry"]
    assert list(dropped.columns) == [*ATTRIBUTES, "rule", "why", "geometry"]
    first = table.iloc[0]
    assert first["mean_slope_deg"] == pytest.approx(35, abs=0.1)
    assert first["hidden_share"] == 0
    assert (first["longitude"], first["latitude"]) == pytest.approx((76.1, 11.5), abs=0.02)


def test_a_folder_that_cannot_be_written(landslides: Landslides, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"slope_mask.tif cannot be written .*: free some space"):
        write_landslides(landslides, tmp_path / "file" / "folder", "slope", PROVENANCE)
    (tmp_path / "slope_landslides.gpkg").mkdir()
    with pytest.raises(DataError, match=r"slope_landslides.gpkg cannot be written"):
        write_landslides(landslides, tmp_path, "slope", PROVENANCE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_every_attribute_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "maps.md"
    table = page.read_text(encoding="utf-8").partition("## Attributes")[2].partition("##")[0]
    names = [
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert names == list(ATTRIBUTES)
