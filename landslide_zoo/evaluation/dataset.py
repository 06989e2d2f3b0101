"""Labelled patches of one subset of a dataset, to train and to measure on; and negatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from landslide_zoo.data.landslide4sense import (
    Place,
    Sample,
    dataset_folder,
    find_samples,
    known_places,
    labelled,
    split_samples,
)
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import patch_files, read_mask, read_patch
from landslide_zoo.errors import DataError
from landslide_zoo.io import public_name

ALL = "all"
"""Name of the subset that holds every labelled patch of a dataset."""


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
