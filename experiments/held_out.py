"""A test set within the train patches, to choose a recipe without touching the test patches.

Links the train and validation patches of ``l4s-rgb`` into a dataset of its own whose
``test`` a model trained on its ``train`` has never seen: distant rows of the same scene,
and two scenes of other light::

    python experiments/held_out.py l4s-rgb held-out
    accelerate launch train_accelerate.py --data held-out --split folder ...

A scene named after the two folders, as in ``S4``, is trained on as well, not tested on.
With ``--leave-out S4`` every train patch but that scene's is trained on, and that scene
is the test set.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from landslide_zoo.data.landslide4sense import LAYOUTS, find_samples, known_places, labelled

SCENE = "S1"
FAR_ROWS, TRAIN_ROWS = range(24, 35), range(46, 67)
"""Rows of the scene that are tested on, and trained on; those between are a buffer."""


def main(
    source: Path,
    output: Path,
    trained: Annotated[list[str] | None, typer.Argument()] = None,
    leave_out: str | None = None,
) -> None:
    """Link the patches, and say how many each subset has of each scene."""
    samples = labelled(find_samples(source))
    places = known_places(samples)
    counts: Counter[str] = Counter()
    for sample in samples:
        if sample.subset == "test" or sample.mask is None:  # test patches are never used here
            continue
        region, row, _ = places[sample.image]
        if leave_out is None:
            subset = subset_of(sample.subset, region.name, row, trained or [])
        else:
            subset = "test" if region.name == leave_out else sample.subset
        if subset is None:
            continue
        folders = LAYOUTS["mirror"][subset]
        for file, folder in zip((sample.image, sample.mask), folders, strict=True):
            link = output / folder / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        counts[f"{subset} {region.name}"] += 1
    print(f"{output}: {', '.join(f'{name}: {n}' for name, n in sorted(counts.items()))}")


def subset_of(subset: str, region: str, row: int, trained: list[str]) -> str | None:
    """The subset that a patch goes to; None for the rows between."""
    if region != SCENE:
        return "train" if region in trained else "test"
    if subset == "validation":
        return "validation"
    return "train" if row in TRAIN_ROWS else "test" if row in FAR_ROWS else None


if __name__ == "__main__":
    typer.run(main)
