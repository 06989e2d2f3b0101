"""Datasets as folders: where the patches and masks of Landslide4Sense lie.

Three layouts are known, with ``.h5`` patches or true-colour ``.png`` ones:

- the Hub mirrors': ``images/{train,validation,test}/image_N.h5`` and
  ``annotations/{train,validation,test}/mask_N.h5``;
- the competition's: ``TrainData/img/image_N.h5`` and ``TrainData/mask/mask_N.h5``,
  with ``ValidData`` and ``TestData`` beside it;
- flat: ``images/image_N.h5`` and ``annotations/mask_N.h5``, all of subset ``all``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from landslide_zoo.data.hub_access import hub_errors
from landslide_zoo.errors import DataError

SUBSETS = ("train", "validation", "test")

DividedLayout = Literal["mirror", "zenodo"]
"""``images/train`` and ``annotations/train``, as on the Hub, or ``TrainData/img`` and ``mask``."""

LAYOUTS: dict[DividedLayout | Literal["flat"], dict[str, tuple[str, str]]] = {
    "mirror": {subset: (f"images/{subset}", f"annotations/{subset}") for subset in SUBSETS},
    "zenodo": {
        subset: (f"{name}/img", f"{name}/mask")
        for subset, name in zip(SUBSETS, ("TrainData", "ValidData", "TestData"), strict=True)
    },
    "flat": {"all": ("images", "annotations")},
}
"""Folders of patches and masks, by layout and subset."""

_IMAGE = re.compile(r"image_(\d+)\.(h5|png)$")


@dataclass(frozen=True)
class Sample:
    """One patch of a dataset and, where there is one, its mask.

    Attributes:
        number: The N of ``image_N``.
        subset: ``train``, ``validation``, ``test`` or ``all``.
        image: File of the patch.
        mask: File of the mask, or None.
    """

    number: int
    subset: str
    image: Path
    mask: Path | None


def find_samples(root: Path) -> list[Sample]:
    """List the patches of a dataset, by subset and number.

    Args:
        root: Folder in one of the known layouts.

    Raises:
        DataError: If the folder has none of them or holds no patch.
    """
    for layout in LAYOUTS.values():
        samples = [
            sample
            for subset, (images, masks) in layout.items()
            for sample in _subset(root, subset, images, masks)
        ]
        if samples:
            return samples
    raise DataError(
        f"{root} holds no Landslide4Sense dataset: it needs images/train/image_N.h5 with "
        "annotations/train/mask_N.h5, or TrainData/img and TrainData/mask."
    )


def labelled(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that have a mask."""
    return [sample for sample in samples if sample.mask is not None]


def dataset_folder(name: str | Path, token: str | None = None) -> Path:
    """The folder of a dataset: an existing one, else the Hub's dataset of that id, downloaded.

    Raises:
        DataError: If there is no such folder and the name is no repo id.
        HubError: If the Hub does not give the dataset.
    """
    path = Path(name)
    if path.is_dir():
        return path
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", str(name)) or path.is_absolute():
        raise DataError(f"There is no folder {name}; give a folder or a dataset's id on the Hub.")
    from huggingface_hub import snapshot_download

    with hub_errors(str(name)):
        return Path(snapshot_download(str(name), repo_type="dataset", token=token))


def dataset_name(name: str | Path) -> str:
    """A dataset's name in records: its Hub id, or the last part of its folder's path."""
    path = Path(name)
    return path.resolve().name if path.is_dir() else str(name)


def _subset(root: Path, subset: str, images: str, masks: str) -> list[Sample]:
    found = []
    for path in (root / images).glob("image_*"):
        match = _IMAGE.fullmatch(path.name)
        if match:
            mask = root / masks / f"mask_{match[1]}.{match[2]}"
            found.append(Sample(int(match[1]), subset, path, mask if mask.is_file() else None))
    return sorted(found, key=lambda sample: sample.number)
