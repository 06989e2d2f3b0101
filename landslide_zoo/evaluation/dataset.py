"""What models are evaluated on: labelled patches of one subset of a dataset, and negatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from landslide_zoo.data.files import public_name
from landslide_zoo.data.landslide4sense import (
    Place,
    Sample,
    dataset_folder,
    find_samples,
    known_places,
    labelled,
    split_samples,
)
from landslide_zoo.data.packed import PackedDataset
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import SUFFIXES, patch_files, read_mask, read_patch
from landslide_zoo.errors import DataError

ALL = "all"
"""Name of the subset that holds every labelled patch of a dataset."""


@dataclass(frozen=True)
class EvaluationDataset:
    """Labelled patches, read one at a time.

    Attributes:
        dataset: Name of the dataset.
        protocol: How it was split: ``random``, ``spatial``, ``region:X``,
            ``official`` or ``folder``.
        subset: ``validation``, ``test`` or ``all``.
        samples: The patches.
        places: Region, row and column of each; None where it is not known.
        read: Reads the patch at an index, with its mask.
    """

    dataset: str
    protocol: str
    subset: str
    samples: tuple[Sample, ...]
    places: tuple[Place | None, ...]
    read: Callable[[int], Patch]

    @classmethod
    def find(cls, data: str | Path, protocol: str = "folder", subset: str = "test") -> Self:
        """Find the patches of a subset.

        Args:
            data: Folder, or id of a dataset on the Hub.
            protocol: Name of the split.
            subset: ``test``, ``validation``, or ``all`` labelled patches there are.

        Raises:
            LandslideZooError: If there is no such dataset or it has no such subset.
        """
        every = find_samples(dataset_folder(data))
        split = _subsets(every, protocol)
        if not split.get(subset):
            held = ", ".join(f"{name} ({len(chosen)})" for name, chosen in split.items())
            raise DataError(
                f"{data} has no labelled {subset} patches by the {protocol} split; "
                f"it has {held or 'none at all'}: choose another --subset or --split."
            )
        chosen = tuple(split[subset])

        def read(index: int) -> Patch:
            return read_patch(chosen[index].image, chosen[index].mask)

        places = _places(every, chosen, protocol)
        return cls(public_name(data), protocol, subset, chosen, places, read)

    @classmethod
    def of_packed(
        cls, data: PackedDataset, indices: Sequence[int], dataset: str, protocol: str, subset: str
    ) -> Self:
        """Some patches of a packed dataset, under the names that results give them."""
        chosen = tuple(data.samples[index] for index in indices)

        def read(index: int) -> Patch:
            return data.patch(indices[index])

        return cls(dataset, protocol, subset, chosen, _places(data.samples, chosen, protocol), read)

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Patch]:
        return map(self.read, range(len(self)))


def negative_files(folder: Path) -> list[Path]:
    """The patches of a folder that have no landslide.

    Args:
        folder: Patches without masks, all of which are taken, or a labelled
            dataset, of which those with an empty mask are.

    Raises:
        DataError: If there are none.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} with patches without landslides.")
    if plain := patch_files(folder).files:
        return list(plain)
    empty = [
        sample.image
        for sample in labelled(find_samples(folder))
        if sample.mask is not None and not read_mask(sample.mask).any()
    ]
    if not empty:
        raise DataError(
            f"{folder} holds no patches without landslides: give patches ({', '.join(SUFFIXES)}), "
            "or a dataset in which some masks are empty."
        )
    return empty


def _subsets(samples: Sequence[Sample], protocol: str) -> dict[str, list[Sample]]:
    """Labelled samples by subset; by folder a dataset need not have all of them."""
    if protocol != "folder":
        return split_samples(samples, protocol)
    known = labelled(samples)
    found: dict[str, list[Sample]] = {}
    for sample in known:
        found.setdefault(sample.subset, []).append(sample)
    return {**found, ALL: known} if known else {}


def _places(
    every: Sequence[Sample], chosen: Sequence[Sample], protocol: str
) -> tuple[Place | None, ...]:
    """The benchmark's official validation and test patches have numbers, but no known place."""
    known = {} if protocol == "official" else known_places(every)
    return tuple(known.get(sample.image) for sample in chosen)
