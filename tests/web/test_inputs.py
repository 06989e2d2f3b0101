"""Which mask belongs to which patch."""

from __future__ import annotations

from landslide_zoo.web.inputs import pair_masks


def test_masks_find_their_patches_by_name() -> None:
    found, odd = pair_masks(
        ["/a/image_7.h5", "/b/image_8.h5", "/c/scene.v2.h5"],
        ["/d/mask_8.h5", "/e/scene.v2_mask.png", "/f/mask_9.h5"],
    )
    assert [one.mask for one in found] == [None, "/d/mask_8.h5", "/e/scene.v2_mask.png"]
    assert len(odd) == 1 and odd[0].startswith("mask_9.h5")


def test_one_mask_beside_one_patch_is_its_own() -> None:
    found, odd = pair_masks(["/a/scene.h5"], ["/b/truth.png"])
    assert found[0].mask == "/b/truth.png" and odd == []


def test_two_files_of_one_name_are_told_apart() -> None:
    found, _ = pair_masks(["/a/image.v1.h5", "/b/image.v1.h5"], [])
    assert [one.name for one in found] == ["image.v1", "image.v1 (2)"]
