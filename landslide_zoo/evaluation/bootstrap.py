"""Confidence intervals by bootstrap over blocks of patches.

Neighbouring patches show the same slides under the same sky: drawn one by one
they would make intervals too narrow. So whole blocks are drawn, with
replacement, as many as there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from landslide_zoo.data.landslide4sense import Place

BLOCK_SIDE = 4
"""Side of a block in patches: 5 km, farther than a storm cell or a rock face reaches."""
FEWEST_BLOCKS = 5
"""Fewer blocks give no meaningful interval."""
RESAMPLES = 1000
LEVEL = 0.95

Interval = tuple[float, float]


def block_of(place: Place | None, number: int) -> Hashable:
    """The block that a patch belongs to: a square of its region, or itself if its place is unknown.

    Args:
        place: Its region, row and column.
        number: What tells it from others.
    """
    if place is None:
        return number
    region, row, column = place
    return region.name, row // BLOCK_SIDE, column // BLOCK_SIDE


class Bootstrap:
    """Draws of blocks, the same for everything that is counted on the same blocks.

    Args:
        blocks: Block of each patch.
        seed: Seed of the draws.
        resamples: Number of draws.
    """

    def __init__(
        self, blocks: Sequence[Hashable], seed: int = 0, resamples: int = RESAMPLES
    ) -> None:
        numbers = {block: i for i, block in enumerate(dict.fromkeys(blocks))}
        self.blocks = len(numbers)
        self._block_of_patch = [numbers[block] for block in blocks]
        self._seed, self._resamples = seed, resamples

    def interval(
        self, counted: np.ndarray, statistic: Callable[[np.ndarray], float]
    ) -> Interval | None:
        """The 95 % interval of a statistic of what was counted.

        Args:
            counted: What was counted of each patch, shape (N, ...); counts of
                patches add up.
            statistic: Computes the figure from such a sum, shape (...).

        Returns:
            The interval, or None where fewer than :data:`FEWEST_BLOCKS` blocks
            have anything of what was counted.
        """
        totals = self.totals(counted)
        return None if totals is None else quantiles([statistic(total) for total in totals])

    def totals(self, counted: np.ndarray) -> np.ndarray | None:
        """Sums of counts (N, ...) over each draw of the blocks that have any of them.

        Returns:
            Shape (resamples, ...), or None where too few blocks have any.
        """
        flat = counted.reshape(len(counted), -1).astype(np.float64)
        sums = np.zeros((self.blocks, flat.shape[1]))
        np.add.at(sums, self._block_of_patch, flat)
        sums = sums[sums.any(axis=1)]
        size = len(sums)
        if size < FEWEST_BLOCKS:
            return None
        draws = np.random.default_rng(self._seed).integers(size, size=(self._resamples, size))
        times = np.stack([np.bincount(draw, minlength=size) for draw in draws])
        return (times @ sums).reshape(-1, *counted.shape[1:])


def quantiles(values: Sequence[float]) -> Interval:
    """The interval that leaves out equal shares of the values at both ends."""
    low, high = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
