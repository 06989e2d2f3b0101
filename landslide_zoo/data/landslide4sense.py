"""Landslide4Sense as it is kept on disk, and how it is divided.

Three layouts are known, with ``.h5`` patches or true-colour ``.png`` ones:

- the Hub mirrors': ``images/{train,validation,test}/image_N.h5`` and
  ``annotations/{train,validation,test}/mask_N.h5``;
- the competition's: ``TrainData/img/image_N.h5`` and ``TrainData/mask/mask_N.h5``,
  with ``ValidData`` and ``TestData`` beside it;
- flat: ``images/image_N.h5`` and ``annotations/mask_N.h5``, all of subset ``all``.

A split's name is also its protocol's name in every result. The ids of the
benchmark's train patches are raster-ordered tiles of four scenes, so
neighbouring ids are neighbouring ground and a random split puts neighbours of
every held-out patch into training. ``spatial`` keeps blocks of whole rows
apart, with a buffer row between them, and ``region:X`` a whole scene. Every
split but ``folder`` and ``official`` divides the ``train`` folder alone: what a
dataset sets aside stays aside.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import patch_files, read_mask, read_patch
from landslide_zoo.errors import DataError, hub_errors
from landslide_zoo.io import public_name

SUBSETS = ("train", "validation", "test")
ALL = "all"
"""Name of the subset that holds every labelled patch of a dataset."""

LAYOUTS: dict[str, dict[str, tuple[str, str]]] = {
    "mirror": {subset: (f"images/{subset}", f"annotations/{subset}") for subset in SUBSETS},
    "zenodo": {
        subset: (f"{name}/img", f"{name}/mask")
        for subset, name in zip(SUBSETS, ("TrainData", "ValidData", "TestData"), strict=True)
    },
    "flat": {"all": ("images", "annotations")},
}
"""Folders of patches and masks, by layout and subset."""

# With the suffix that is usual, another one, none, or what browsers add to a second download.
_NAME = re.compile(r"(image|mask)_(\d+)( \(\d+\))?(\.(h5|hdf5|he5|png))?", re.IGNORECASE)


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
        samples = []
        for subset, (images, masks) in layout.items():
            mask_of = _numbered(root / masks, "mask")
            samples += [
                Sample(number, subset, image, mask_of.get(number))
                for number, image in _numbered(root / images, "image").items()
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


def dataset_folder(name: str | Path) -> Path:
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
        return Path(snapshot_download(str(name), repo_type="dataset"))


def _numbered(folder: Path, word: str) -> dict[int, Path]:
    """The files of a folder that are called by a word and a number, by number."""
    by_number: dict[int, Path] = {}
    files = folder.iterdir() if folder.is_dir() else ()
    for path in sorted(files, key=lambda path: len(path.name)):  # image_4.h5 before image_4 (1).h5
        match = _NAME.fullmatch(path.name)
        if match and match[1].lower() == word:
            by_number.setdefault(int(match[2]), path)
    return dict(sorted(by_number.items()))


RANDOM_SEED = 42
"""Seed of the paper's random split."""
RANDOM_SHARE = 0.2
"""Share that the paper's random split holds out."""
OFFICIAL_SIZES = {"train": 3799, "validation": 245, "test": 800}
BLOCK_SHARE = 0.15
"""Share of a region's rows in each held-out block."""

Split = dict[str, list[Sample]]
"""Samples by subset: ``train``, ``validation`` and, where there is one, ``test``."""


@dataclass(frozen=True)
class Region:
    """One scene of the benchmark: its first and last train id and its tiles a row.

    Measured from the correlation of the edges of patches.
    """

    name: str
    first: int
    last: int
    width: int

    @property
    def rows(self) -> int:
        """Number of rows, the last perhaps incomplete."""
        return (self.last - self.first) // self.width + 1


REGIONS = (
    Region("S1", 1, 3033, 41),
    Region("S2", 3034, 3183, 15),
    Region("S3", 3184, 3304, 11),
    Region("S4", 3305, 3799, 26),
)


Place = tuple[Region, int, int]
"""Region, row and column of a patch."""


def place(number: int) -> Place:
    """The region, row and column of a train patch.

    Args:
        number: Its id, the N of ``image_N``.

    Raises:
        DataError: If the benchmark has no such train patch.

    Example:
        >>> region, row, column = place(43)
        >>> region.name, row, column
        ('S1', 1, 1)
    """
    for region in REGIONS:
        if region.first <= number <= region.last:
            row, column = divmod(number - region.first, region.width)
            return region, row, column
    raise DataError(f"image_{number} is no train patch of the benchmark: its place is not known.")


def known_places(samples: Sequence[Sample]) -> dict[Path, Place]:
    """Places of the samples whose number is an id of the benchmark's train patches.

    That holds for a ``train`` folder, and for every subset of a dataset that
    was cut from the train patches, in which each id occurs once. The
    benchmark's own validation and test patches count from 1 again: their
    place is not known.

    Args:
        samples: All samples of one dataset.

    Returns:
        Region, row and column by image file.
    """
    counts = Counter(sample.number for sample in samples)
    cut_from_train = max(counts.values(), default=0) == 1 and any(
        sample.subset in ("train", "all") for sample in samples
    )
    return {
        sample.image: place(sample.number)
        for sample in samples
        if (cut_from_train or sample.subset == "train")
        and REGIONS[0].first <= sample.number <= REGIONS[-1].last
    }


def split_samples(samples: Sequence[Sample], protocol: str) -> Split:
    """Divide the labelled samples of a dataset.

    Args:
        samples: From :func:`find_samples`.
        protocol: ``folder``, ``official``, ``random``, ``spatial`` or ``region:X``.

    Returns:
        Samples by subset; one may be missing or empty.

    Raises:
        DataError: If there is no such protocol, or the dataset cannot be divided so.
    """
    known = labelled(samples)
    if protocol in ("folder", "official"):
        split: Split = {}
        for sample in known:
            split.setdefault(sample.subset, []).append(sample)
        sizes = {name: len(chosen) for name, chosen in split.items()}
        if protocol == "official" and sizes != OFFICIAL_SIZES:
            raise DataError(
                f"The official split has {OFFICIAL_SIZES} labelled patches and this dataset "
                f"{sizes}: download the whole benchmark, or use --split folder."
            )
        return split
    train = [sample for sample in known if sample.subset == "train"]
    if protocol == "random":
        return _random(train)
    if protocol == "spatial":
        return _spatial(train, blocks=("test", "validation"))
    if protocol.startswith("region:"):
        return _region(train, protocol.removeprefix("region:"))
    raise DataError(
        f"There is no split {protocol!r}: use folder, random, spatial, official or region:S1."
    )


def _random(train: list[Sample]) -> Split:
    order = np.random.default_rng(RANDOM_SEED).permutation(len(train))
    held_out = round(RANDOM_SHARE * len(train))
    return {
        "train": [train[i] for i in sorted(order[held_out:])],
        "validation": [train[i] for i in sorted(order[:held_out])],
    }


def _spatial(train: list[Sample], blocks: tuple[str, ...]) -> Split:
    """Give each region's first rows to the blocks, one after another, a buffer row after each."""
    split: Split = {name: [] for name in (*blocks, "train")}
    for sample in train:
        region, row, _ = place(sample.number)
        height = max(1, round(BLOCK_SHARE * region.rows))
        block, within = divmod(row, height + 1)
        if block >= len(blocks):
            split["train"].append(sample)
        elif within < height:
            split[blocks[block]].append(sample)
    return split


def _region(train: list[Sample], name: str) -> Split:
    test = [sample for sample in train if place(sample.number)[0].name == name]
    if not test:
        raise DataError(
            f"This dataset has no labelled train patch in a region {name}; the benchmark's regions "
            f"are {', '.join(region.name for region in REGIONS)}."
        )
    others = [sample for sample in train if place(sample.number)[0].name != name]
    return {**_spatial(others, blocks=("validation",)), "test": test}


@dataclass(frozen=True)
class LabelledPatches:
    """Labelled patches, read from their files one at a time.

    Attributes:
        dataset: Name of the dataset.
        protocol: How it was split: ``random``, ``spatial``, ``region:X``,
            ``official`` or ``folder``.
        subset: ``train``, ``validation``, ``test`` or ``all``.
        samples: The patches.
        places: Region, row and column of each; None where it is not known.
    """

    dataset: str
    protocol: str
    subset: str
    samples: tuple[Sample, ...]
    places: tuple[Place | None, ...]

    @classmethod
    def split(cls, data: str | Path, protocol: str = "folder") -> dict[str, Self]:
        """Divide the labelled patches of a dataset.

        Args:
            data: Folder, or id of a dataset on the Hub.
            protocol: Name of the split.

        Returns:
            The patches by subset; by ``folder`` there is ``all``, too.

        Raises:
            LandslideZooError: If there is no such dataset, or it cannot be divided so.
        """
        samples = find_samples(dataset_folder(data))
        subsets = split_samples(samples, protocol)
        if protocol == "folder":
            subsets |= {ALL: labelled(samples)}
        # The benchmark's official validation and test patches count from 1 again.
        known = {} if protocol == "official" else known_places(samples)
        return {
            subset: cls(
                dataset=public_name(data),
                protocol=protocol,
                subset=subset,
                samples=tuple(chosen),
                places=tuple(known.get(sample.image) for sample in chosen),
            )
            for subset, chosen in subsets.items()
            if chosen
        }

    @classmethod
    def find(cls, data: str | Path, protocol: str = "folder", subset: str = "test") -> Self:
        """The patches of one subset.

        Args:
            data: Folder, or id of a dataset on the Hub.
            protocol: Name of the split.
            subset: ``test``, ``validation``, or ``all`` labelled patches there are.

        Raises:
            LandslideZooError: If there is no such dataset or it has no such subset.
        """
        subsets = cls.split(data, protocol)
        if subset not in subsets:
            sizes = ", ".join(f"{name} ({len(patches)})" for name, patches in subsets.items())
            raise DataError(
                f"{data} has no labelled {subset} patches by the {protocol} split; "
                f"it has {sizes or 'none at all'}: choose another --subset or --split."
            )
        return subsets[subset]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Patch:
        """Read a patch and its mask.

        Raises:
            DataError: If a file cannot be read; the message names it.
        """
        sample = self.samples[index]
        return read_patch(sample.image, sample.mask)

    def __iter__(self) -> Iterator[Patch]:
        return map(self.__getitem__, range(len(self)))


def negative_files(folder: Path) -> list[Path]:
    """The patches of a folder that have no landslide.

    Args:
        folder: Patches, all of which are taken, or a labelled dataset, of which those with
            an empty mask are.

    Raises:
        DataError: If there are none.
    """
    files = patch_files(folder) or [
        sample.image
        for sample in find_samples(folder)
        if sample.mask is not None and not read_mask(sample.mask).any()
    ]
    if not files:
        raise DataError(f"{folder} holds no patches without landslides.")
    return files
