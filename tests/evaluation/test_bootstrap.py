from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.data.landslide4sense import REGIONS, place
from landslide_zoo.evaluation.bootstrap import FEWEST_BLOCKS, Bootstrap, block_of, quantiles


def mean_of(total: np.ndarray) -> float:
    return float(total[0] / total[1])


def test_the_same_seed_gives_the_same_interval() -> None:
    counted = np.random.default_rng(0).integers(0, 50, (30, 2)) + 1
    blocks = list(range(30))
    first = Bootstrap(blocks, seed=4).interval(counted, mean_of)
    assert first == Bootstrap(blocks, seed=4).interval(counted, mean_of)
    assert first != Bootstrap(blocks, seed=5).interval(counted, mean_of)


def test_whole_blocks_are_drawn() -> None:
    """Each draw is a sum of as many blocks as there are: patches of a block stay together."""
    blocks = [i // 2 for i in range(20)]
    totals = Bootstrap(blocks, resamples=200).totals(np.eye(10)[blocks])
    assert totals is not None
    assert (totals.sum(axis=1) == 20).all()
    assert (totals % 2 == 0).all() and totals.max() > 2


def test_a_draw_is_the_sum_of_the_blocks_drawn() -> None:
    """Against the long way: draw the blocks one by one with the same generator."""
    counted = np.random.default_rng(1).integers(0, 9, (12, 2, 3))
    blocks = [f"block {i % 6}" for i in range(12)]
    totals = Bootstrap(blocks, seed=3, resamples=5).totals(counted)
    assert totals is not None
    sums = [sum(counted[i] for i in range(12) if i % 6 == b) for b in range(6)]
    draws = np.random.default_rng(3).integers(6, size=(5, 6))
    for total, draw in zip(totals, draws, strict=True):
        np.testing.assert_array_equal(total, sum(sums[b] for b in draw))


def test_neighbours_that_are_alike_widen_the_interval() -> None:
    """Ten patches of one kind in each block say no more than one of them."""
    random = np.random.default_rng(2)
    rates = random.uniform(0, 1, 20).repeat(10)
    counted = np.stack([rates * 100, np.full(200, 100.0)], axis=1)
    one_by_one = Bootstrap(range(200)).interval(counted, mean_of)
    in_blocks = Bootstrap([i // 10 for i in range(200)]).interval(counted, mean_of)
    assert one_by_one is not None and in_blocks is not None
    assert in_blocks[1] - in_blocks[0] > 2 * (one_by_one[1] - one_by_one[0])


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        hits = random.binomial(50, 0.3, 40)
        counted = np.stack([hits, np.full(40, 50)], axis=1)
        interval = Bootstrap(range(40), resamples=300).interval(counted, mean_of)
        assert interval is not None
        covered += interval[0] <= 0.3 <= interval[1]
    assert 0.88 <= covered / 200 <= 0.99


def test_few_blocks_give_no_interval() -> None:
    few = np.ones((FEWEST_BLOCKS - 1, 2))
    assert Bootstrap(range(len(few))).interval(few, mean_of) is None


def test_blocks_without_anything_counted_are_not_drawn() -> None:
    counted = np.zeros((20, 2))
    counted[:6] = 1
    assert Bootstrap(range(20)).interval(counted, mean_of) == (1.0, 1.0)
    counted[: 20 - FEWEST_BLOCKS + 1] = 0
    assert Bootstrap(range(20)).interval(counted, mean_of) is None


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (1, 4, True),  # columns 0 and 3 of one row
        (1, 5, False),  # column 4
        (1, 1 + 3 * 41, True),  # row 3
        (1, 1 + 4 * 41, False),  # row 4
        (3033, 3034, False),  # another region
    ],
)
def test_a_block_is_a_square_of_a_region(first: int, second: int, together: bool) -> None:
    blocks = [block_of(place(number), i) for i, number in enumerate((first, second))]
    assert (blocks[0] == blocks[1]) is together


def test_a_patch_without_a_place_is_its_own_block() -> None:
    assert block_of(None, 3) != block_of(None, 4)
    assert block_of((REGIONS[0], 0, 0), 3) != block_of(None, 3)


def test_quantiles_leave_out_a_fortieth_at_each_end() -> None:
    assert quantiles(list(range(1001))) == pytest.approx((25, 975))
