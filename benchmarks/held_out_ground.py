"""Ground held out within the train patches, to choose a recipe without a look at test.

Links the train and validation patches of ``l4s-rgb`` into a dataset of its own, whose
``test`` is ground that a model trained on its ``train`` has never seen: rows of the same
scene, far away, and two scenes of other light (docs/ablations.md)::

    python benchmarks/held_out_ground.py l4s-rgb held-out-ground
    accelerate launch train_accelerate.py --data held-out-ground --split folder ...

A scene named after the two folders, as in ``S4``, is trained on as well, not measured on.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from landslide_zoo.data.folders import LAYOUTS, find_samples, labelled
from landslide_zoo.data.splits import known_places

SCENE = "S1"
FAR_ROWS, TRAIN_ROWS = range(24, 35), range(46, 67)
"""Rows of the scene that are measured on, and trained on; those between are a buffer."""


def main(source: Path, output: Path, trained: set[str]) -> None:
    """Link the patches, and say how many each subset has of each scene."""
    samples = labelled(find_samples(source))
    places = known_places(samples)
    counts: Counter[str] = Counter()
    for sample in samples:
        region, row, _ = places[sample.image]
        subset = subset_of(sample.subset, region.name, row, trained)
        if subset is None or sample.mask is None:
            continue
        for file, folder in zip(
            (sample.image, sample.mask), LAYOUTS["mirror"][subset], strict=True
        ):
            link = output / folder / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        counts[f"{subset} {region.name}"] += 1
    print(f"{output}: {', '.join(f'{name}: {n}' for name, n in sorted(counts.items()))}")


def subset_of(subset: str, region: str, row: int, trained: set[str]) -> str | None:
    """Where a patch goes; None for what is left out, the test patches above all."""
    if subset == "test":
        return None
    if region != SCENE:
        return "train" if region in trained else "test"
    if subset == "validation":
        return "validation"
    return "train" if row in TRAIN_ROWS else "test" if row in FAR_ROWS else None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), set(sys.argv[3:]))
