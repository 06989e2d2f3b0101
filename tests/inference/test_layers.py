"""What layers are measured by: numpy's own medians of the observed pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.indices import EVERYWHERE, references_in

BANDS = ("B4", "B3", "B2", "B8", "B11", "B12")
NAMES = ("vegetation_ndvi", "vegetation_nbr2", "vegetation_swir_red")


def patch_of(height: int, width: int) -> Patch:
    random = np.random.default_rng(height)
    values = random.integers(1, 4000, (len(BANDS), height, width)).astype(np.float32)
    values[3] += 4000  # green
    return Patch(values, BANDS, observed=random.random((height, width)) < 0.8)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (5, 7), (40, 32)])
def test_references_are_medians(size: tuple[int, int]) -> None:
    patch = patch_of(*size)
    patch = replace(patch, observed=patch.observed | (np.indices(size).sum(axis=0) == 0))
    (found,) = references_in(patch, NAMES, [EVERYWHERE])
    ndvi, seen = patch.index("NDVI"), patch.observed
    green = seen & (ndvi >= np.median(ndvi[seen]))
    assert found["vegetation_ndvi"] == max(np.median(ndvi[green]), 0.55)
