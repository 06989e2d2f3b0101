"""How far NDVI falls where nothing slid, and where it would have: the rule of fresh landslides.

Where nothing slid: two dates of the Slovenian scene, two months apart, in patches of 3 x 4
pixels, the smallest landslides that are kept. Where something slid: how much less green the
labelled landslides of the 14-band patches are than the rest of their patch, and than its
vegetation; how green they were before is not known::

    python experiments/change/ndvi_drop.py DATA OUTPUT.json

DATA holds ``scenes/slovenia``, ``l4s-14band`` and ``l4s-14band-more``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import typer

from landslide_zoo.data.landslide4sense import find_samples, labelled
from landslide_zoo.data.readers import read_patch
from landslide_zoo.inference.objects import label_objects
from landslide_zoo.mapping.scenes import open_scene

EARLIER, LATER = "2015-07-11", "2015-09-09"
PATCH = 3, 4
SMALLEST = 12
PERCENTILES = 1, 5, 50, 95, 99
BOUNDS = 0.1, 0.12, 0.15, 0.2, 0.25


def drops_without_landslides(folder: Path) -> np.ndarray:
    """Median drop of NDVI of small patches between two dates, shape (n,)."""
    dates = []
    for date in (EARLIER, LATER):
        with open_scene(folder / f"S2_L1C_{date}_13bands.tif") as scene:
            dates.append(scene.read(scene.whole, ("B8", "B4")).index("NDVI"))
    height, width = PATCH
    rows, columns = (length // side for length, side in zip(dates[0].shape, PATCH, strict=True))
    drop = (dates[0] - dates[1])[: rows * height, : columns * width]
    parts = drop.reshape(rows, height, columns, width).transpose(0, 2, 1, 3)
    return np.median(parts.reshape(rows * columns, -1), axis=1)


def contrasts_of_landslides(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """NDVI of the ground, and of the vegetation, of a patch less that of each landslide."""
    ground, vegetation = [], []
    for folder in ("l4s-14band", "l4s-14band-more"):
        for sample in labelled(find_samples(data / folder)):
            patch = read_patch(sample.image, mask=sample.mask)
            assert patch.mask is not None
            ndvi, rest = patch.index("NDVI"), patch.mask == 0
            usual = float(np.median(ndvi[rest]))
            green = float(np.median(ndvi[rest & (ndvi >= usual)]))
            labels = label_objects(patch.mask)
            for number in range(1, labels.max() + 1):
                own = ndvi[labels == number]
                if own.size >= SMALLEST:
                    ground.append(usual - np.median(own))
                    vegetation.append(green - np.median(own))
    return np.array(ground), np.array(vegetation)


def main(data: Path, output: Path) -> None:
    """Measure, and write what was found."""
    still = drops_without_landslides(data / "scenes" / "slovenia")
    ground, vegetation = contrasts_of_landslides(data)
    figures = {
        "percentiles": PERCENTILES,
        "still": {"patches": len(still), "drop": _rounded(np.percentile(still, PERCENTILES))},
        "landslides": {
            "number": len(ground),
            "below_ground": _rounded(np.percentile(ground, PERCENTILES)),
            "below_vegetation": _rounded(np.percentile(vegetation, PERCENTILES)),
        },
        "bounds": {
            str(bound): {
                "still_kept": round(float((still >= bound).mean()), 4),
                "landslides_kept": round(float((ground >= bound).mean()), 4),
            }
            for bound in BOUNDS
        },
    }
    output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in values]


if __name__ == "__main__":
    typer.run(main)
