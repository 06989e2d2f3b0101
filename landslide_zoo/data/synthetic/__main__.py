"""Write a synthetic dataset: ``python -m landslide_zoo.data.synthetic --output DIR``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from landslide_zoo.data.landslide4sense import DividedLayout
from landslide_zoo.data.synthetic.dataset import write_dataset
from landslide_zoo.errors import LandslideZooError

Count = Annotated[int, typer.Option(min=0)]


def main(
    output: Annotated[Path, typer.Option(help="Folder to write to.", file_okay=False)],
    train: Count = 400,
    validation: Count = 80,
    test: Count = 80,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the whole dataset.")] = 0,
    layout: Annotated[DividedLayout, typer.Option(help="Names of the folders.")] = "mirror",
) -> None:
    """Write synthetic 14-band patches with known masks, laid out as Landslide4Sense is."""
    try:
        write_dataset(output, train, validation, test, seed, layout, progress=True)
    except LandslideZooError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error
    print(f"Wrote {train + validation + test} synthetic patches to {output}.")


if __name__ == "__main__":
    typer.run(main)
