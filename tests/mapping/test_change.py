"""Before and after: fresh scars are told from what was bare already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mapped_scenes import FOREST, SCAR, Slope, found_on

from landslide_zoo.errors import DataError
from landslide_zoo.inference.clouds import find_clouds
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.mapping.change import FRESH, Earlier, align, rules_with_change
from landslide_zoo.mapping.landslides import Landslides
from landslide_zoo.mapping.probabilities import Probabilities, SceneWindow
from landslide_zoo.mapping.rasters import Window
from landslide_zoo.mapping.scenes import Scene, open_scene
from landslide_zoo.models.config import Rule

FRESH_PLACE = (slice(20, 40), slice(20, 40))
OLD_PLACE = (slice(20, 40), slice(80, 100))
NDVI_OF_SCAR, NDVI_OF_FOREST = (1800 - 1150) / (1800 + 1150), (2500 - 450) / (2500 + 450)


def clear(window: Window) -> np.ndarray:
    return np.zeros((window.height, window.width), dtype=bool)


def two_dates(height: int = 128, width: int = 128) -> tuple[Slope, Slope]:
    """Before, with an old scar, and after, with a fresh one beside it."""
    before, after = Slope(height, width), Slope(height, width)
    before.put(*OLD_PLACE)
    after.put(*OLD_PLACE)
    after.put(*FRESH_PLACE)
    return before, after


def opened(slope: Slope, folder: Path, **options: object) -> Scene:
    return open_scene(slope.write(folder, name="before", **options))


def compare(
    before: Slope,
    after: Slope,
    folder: Path,
    cloud: np.ndarray | None = None,
    **options: object,
) -> Landslides:
    scene, probabilities = after.open(folder)
    covered = np.zeros(scene.size, dtype=bool) if cloud is None else cloud
    with scene, opened(before, folder) as earlier:
        return found_on(
            scene,
            probabilities,
            rules=rules_with_change(DEFAULT_RULES),
            before=Earlier(earlier, lambda window: covered[window.slices]),
            **options,
        )


def test_an_old_scar_is_dropped_and_a_fresh_one_kept(tmp_path: Path) -> None:
    found = compare(*two_dates(), tmp_path)
    (fresh,), (old,) = found.table.itertuples(), found.dropped.itertuples()
    assert (fresh.row, fresh.column) == (29.5, 29.5)
    assert fresh.ndvi_drop == pytest.approx(NDVI_OF_FOREST - NDVI_OF_SCAR, abs=0.02)
    assert old.rule == FRESH.attribute
    assert "as bare before" in old.why
    assert (found.mask == 1).sum() == 400


def test_what_was_a_little_greener_before_is_still_old(tmp_path: Path) -> None:
    before, after = two_dates()
    between = tuple(0.9 * s + 0.1 * f for s, f in zip(SCAR, FOREST, strict=True))
    before.put(*OLD_PLACE, surface=between)
    assert list(compare(before, after, tmp_path).dropped.rule) == [FRESH.attribute]


def test_without_an_earlier_scene_both_are_kept(tmp_path: Path) -> None:
    _, after = two_dates()
    found = after.find(tmp_path, rules=rules_with_change(DEFAULT_RULES))
    assert len(found.table) == 2
    assert found.table.ndvi_drop.isna().all()


def test_clouds_of_the_earlier_date_are_not_observed(tmp_path: Path) -> None:
    cloud = np.zeros((128, 128), dtype=bool)
    cloud[:, 30:] = True
    found = compare(*two_dates(), tmp_path, cloud)
    assert (found.mask[:, 30:] == 255).all()
    (fresh,) = found.table.itertuples()
    assert fresh.area_m2 == 20_000
    assert fresh.hidden_share == pytest.approx(22 / 64, abs=1e-3)
    seen = found.coverage
    assert (seen.observed, seen.unseen_before) == (128 * 30, 128 * 98)


def test_clouds_of_the_later_date_are_not_counted_twice(tmp_path: Path) -> None:
    before, after = two_dates()
    after.observed[:, :60] = False
    after.cloud[:, :60] = True
    cloud = np.zeros((128, 128), dtype=bool)
    cloud[:, :90] = True
    seen = compare(before, after, tmp_path, cloud).coverage
    assert (seen.cloud, seen.unseen_before, seen.observed) == (128 * 60, 128 * 30, 128 * 38)
    assert seen.missing == 0


def test_where_the_earlier_scene_holds_nothing_is_not_observed(tmp_path: Path) -> None:
    before, after = two_dates()
    before.observed[:, 90:] = False
    found = compare(before, after, tmp_path)
    assert (found.mask[:, 90:] == 255).all()
    assert len(found.table) == 1


def test_a_scene_without_near_infrared_cannot_be_compared(tmp_path: Path) -> None:
    before, after = two_dates()
    with (
        opened(before, tmp_path, bands=("B4", "B3", "B2")) as earlier,
        pytest.raises(DataError, match=r"before has no B8: scenes before and after are compared"),
    ):
        Earlier(earlier, clear)
    scene, probabilities = after.open(tmp_path, bands=("B4", "B3", "B2"))
    with (
        scene,
        opened(before, tmp_path) as earlier,
        pytest.raises(DataError, match=r"slope has no B8"),
    ):
        found_on(scene, probabilities, rules=(), before=Earlier(earlier, clear))


def test_two_levels_are_told(tmp_path: Path) -> None:
    before, after = two_dates(64, 128)
    path = after.write(tmp_path, name="after")
    with (
        open_scene(before.write(tmp_path, name="before"), level="L1C") as earlier,
        open_scene(path, level="L2A") as later,
    ):
        notes = Earlier(earlier, clear).notes(later)
    assert notes[-1].startswith("before is L1C and after L2A: vegetation is greener")


def test_a_rule_of_ones_own_takes_the_place_of_the_usual_one() -> None:
    own = Rule(attribute="median_ndvi_drop", minimum=0.3, reason="a test", source="a test")
    assert rules_with_change(DEFAULT_RULES) == (*DEFAULT_RULES, FRESH)
    assert rules_with_change([own]) == (own,)


def bare_ground(scene: Scene, folder: Path) -> Probabilities:
    """What a network says that takes whatever is least green for a landslide."""
    ndvi = scene.read(scene.whole, ("B8", "B4")).index("NDVI")
    found = Probabilities(folder / "bare.npy", scene.size, scene.grid)
    seen = np.ones(scene.size, dtype=bool)
    bare = (ndvi < np.percentile(ndvi, 10)).astype(np.float32)
    found.write(iter([SceneWindow(bare, seen, ~seen)]))
    return found


def test_nothing_is_fresh_where_nothing_slid(real_data: Path, tmp_path: Path) -> None:
    slovenia = real_data / "scenes" / "slovenia"
    later = slovenia / "S2_L1C_2015-09-09_13bands.tif"
    with (
        open_scene(later, dem=slovenia / "DEM.tif") as scene,
        align(slovenia / "S2_L1C_2015-07-11_13bands.tif", scene) as earlier,
    ):
        probabilities = bare_ground(scene, tmp_path)
        alone, compared = (
            found_on(scene, probabilities, rules=rules, before=before)
            for rules, before in (((), None), ((FRESH,), Earlier(earlier, clear)))
        )
    assert len(alone.table) > 10
    assert alone.area > 100_000
    # Small ones appear: at two months' distance some edge of a field is.
    assert compared.area < 0.02 * alone.area


def test_clouds_of_a_real_earlier_scene_hide_everything(real_data: Path, tmp_path: Path) -> None:
    slovenia = real_data / "scenes" / "slovenia"
    later = slovenia / "S2_L1C_2015-09-09_13bands.tif"
    with (
        open_scene(later) as scene,
        align(slovenia / "S2_L1C_2015-08-20_13bands.tif", scene) as earlier,
    ):
        cloud = find_clouds(earlier.read(earlier.whole), "L1C")
        found = found_on(
            scene,
            bare_ground(scene, tmp_path),
            rules=(FRESH,),
            before=Earlier(earlier, lambda window: cloud[window.slices]),
        )
    assert cloud.mean() > 0.99
    assert len(found.table) == 0
    assert found.coverage.unseen_before > 0.99 * found.coverage.total
