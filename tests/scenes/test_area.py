"""Only a part of a scene: what lies in it is found as in the whole, and nothing else is read."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pytest
from shapely.geometry import LineString, Polygon, box

from landslide_zoo.errors import DataError
from landslide_zoo.mapping import map_scene, open_scene
from landslide_zoo.web.samples import PUTHUMALA

FLOW = (76.129, 11.497, 76.143, 11.505)


def test_the_landslides_in_it_are_those_of_the_whole_map(tmp_path: Path) -> None:
    whole, part = (
        map_scene(PUTHUMALA.path, tmp_path / name, dem=PUTHUMALA.dem, aoi=aoi, write=False)
        for name, aoi in (("whole", None), ("part", FLOW))
    )
    assert part.coverage.total < 0.6 * whole.coverage.total
    inside = [table.to_crs(4326).cx[FLOW[0] : FLOW[2], FLOW[1] : FLOW[3]] for table in
              (whole.landslides, part.landslides)]  # fmt: skip
    assert len(inside[0]) == len(inside[1]) == 1
    assert inside[1].area_m2.sum() == pytest.approx(inside[0].area_m2.sum(), rel=0.01)
    assert any("was read" in note for note in part.notes)


def test_outlines_in_any_projection(tmp_path: Path) -> None:
    table = geopandas.GeoDataFrame(geometry=[box(*FLOW)], crs=4326)
    table.to_file(tmp_path / "degrees.geojson")
    table.to_crs(32643).to_file(tmp_path / "metres.gpkg")
    sizes = []
    for aoi in (FLOW, "76.129,11.497,76.143,11.505", *sorted(tmp_path.iterdir())):
        with open_scene(PUTHUMALA.path, aoi=aoi, max_pixels=80_000) as scene:
            sizes.append(scene.size)
    assert len(set(sizes)) == 1 and sizes[0] < (200, 581)


@pytest.mark.parametrize(
    ("aoi", "words"),
    [
        ((10.0, 10.0, 11.0, 11.0), "no ground"),
        ("76,12,77,11", "no rectangle"),
        (LineString([(76.13, 11.49), (76.14, 11.5)]), "no polygon"),
        (Polygon(), "no polygon"),
        (None, "is no area"),
    ],
)
def test_what_is_no_area_is_one_sentence(tmp_path: Path, aoi: object, words: str) -> None:
    if aoi is None or hasattr(aoi, "geom_type"):
        path = tmp_path / "area.gpkg"
        if aoi is None:
            path.write_bytes(b"no vector file")
        else:
            geopandas.GeoDataFrame(geometry=[aoi], crs=4326).to_file(path)
        aoi = path
    with pytest.raises(DataError, match=words):
        open_scene(PUTHUMALA.path, aoi=aoi)  # type: ignore[arg-type]
