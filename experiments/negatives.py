"""Patches without landslides, for ``landslide-zoo evaluate --negatives``.

Cuts Sentinel-2 imagery on which nothing slid into true-colour patches, as the
``-rgb`` models take them, and leaves out what lies outside the scene. Needs
rasterio (``pip install rasterio``)::

    python experiments/negatives.py SCENE OUTPUT  # a folder with *B04.jp2, *B03.jp2, *B02.jp2
    python experiments/negatives.py CHIPS OUTPUT  # images/*.tif (red, green, blue first) and
                                                  # labels/*.tif (2 is a landslide)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import typer
from PIL import Image

from landslide_zoo.data.bands import TRUE_COLOUR, display_values

SIDE = 128
LANDSLIDE = 2


def main(source: Path, output: Path) -> None:
    """Write the patches of a scene or of chips, and say how many there are."""
    output.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, true_colour in pictures(source):
        for patch in tiles(true_colour):
            count += 1
            picture = np.rint(display_values(patch) * 255).astype(np.uint8)
            Image.fromarray(picture.transpose(1, 2, 0)).save(output / f"{name}_{count:04d}.png")
    print(f"{count} patches of {SIDE} x {SIDE} pixels in {output}.")


def pictures(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and digital numbers of red, green and blue, shape (3, H, W), of each picture."""
    if (source / "images").is_dir():
        for path in sorted((source / "images").glob("*.tif")):
            with rasterio.open(source / "labels" / path.name) as labels:
                landslides = np.any(labels.read(1) == LANDSLIDE)
            if not landslides:
                with rasterio.open(path) as chip:
                    yield path.stem, chip.read((1, 2, 3))
    else:
        bands = []
        for name in TRUE_COLOUR:
            (path,) = source.glob(f"*B{int(name[1:]):02d}.jp2")
            with rasterio.open(path) as band:
                bands.append(band.read(1))
        yield "scene", np.stack(bands)


def tiles(values: np.ndarray) -> Iterator[np.ndarray]:
    """The whole tiles side by side, without those that have a pixel outside the scene."""
    for top in range(0, values.shape[1] - SIDE + 1, SIDE):
        for left in range(0, values.shape[2] - SIDE + 1, SIDE):
            tile = values[:, top : top + SIDE, left : left + SIDE]
            if (tile > 0).any(axis=0).all():
                yield tile


if __name__ == "__main__":
    typer.run(main)
