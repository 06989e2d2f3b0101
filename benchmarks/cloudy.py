r"""The same ground under clouds: a cloud that a model marks is a false alarm.

Lays clouds over the true-colour pictures of a folder, as :mod:`landslide_zoo.data.clouds`
does in training, with draws of their own::

    python benchmarks/cloudy.py coast coast-cloudy
    landslide-zoo evaluate MODEL --data l4s-rgb --split folder --subset validation \
        --negatives coast --negatives coast-cloudy
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from landslide_zoo.data.clouds import lay_clouds
from landslide_zoo.data.read import read_patch


def main(source: Path, output: Path) -> None:
    """Write each picture of the folder anew, under clouds."""
    output.mkdir(parents=True, exist_ok=True)
    for seed, path in enumerate(sorted(source.glob("*.png"))):
        patch = read_patch(path)
        no_landslide = np.zeros(patch.values.shape[1:], np.uint8)
        random = np.random.default_rng(seed)
        cloudy, _ = lay_clouds(patch.values, no_landslide, patch.bands, patch.unit, random)
        picture = np.rint(cloudy * 255).astype(np.uint8)
        Image.fromarray(picture.transpose(1, 2, 0)).save(output / path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
