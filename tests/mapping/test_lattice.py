"""Neighbourhoods over a scene: the patch itself in a patch, smooth between nodes in a scene."""

from __future__ import annotations

import numpy as np
import pytest

from landslide_zoo.mapping.light import Lattice, Node
from landslide_zoo.mapping.rasters import Window


@pytest.mark.parametrize("size", [(128, 128), (60, 100), (128, 32)])
def test_a_scene_of_one_patch_has_one_neighbourhood(size: tuple[int, int]) -> None:
    lattice = Lattice(size)
    whole = Window(0, 0, *size)
    assert list(lattice.nodes(whole)) == [(0, 0)]
    assert lattice.window((0, 0)) == whole
    assert (lattice.interpolate({(0, 0): (0.7, 0.1)}, whole) == np.float32(0.7)).all()


@pytest.mark.parametrize("size", [(129, 500), (300, 191), (1000, 1000)])
def test_neighbourhoods_cover_a_scene_and_every_pixel_lies_in_those_it_is_measured_by(
    size: tuple[int, int],
) -> None:
    lattice = Lattice(size)
    for row in (0, 1, 63, 64, 100, size[0] - 65, size[0] - 1):
        for column in (0, 127, 128, size[1] - 1):
            for node in lattice.nodes(Window(row, column, 1, 1)):
                window = lattice.window(node)
                rows, columns = window.slices
                assert rows.start <= row < rows.stop <= size[0]
                assert columns.start <= column < columns.stop <= size[1]
                assert (window.height, window.width) == (128, 128)


def measures(lattice: Lattice) -> dict[Node, tuple[float, float]]:
    """A number for each node, and how much it counts."""
    random = np.random.default_rng(0)
    nodes = lattice.nodes(Window(0, 0, *lattice.size))
    return {node: (random.random(), random.random()) for node in nodes}


def test_a_window_is_cut_out_of_the_whole() -> None:
    lattice = Lattice((400, 330))
    measured = measures(lattice)
    whole = lattice.interpolate(measured, Window(0, 0, 400, 330))
    part = Window(150, 37, 90, 200)
    assert np.allclose(lattice.interpolate(measured, part), whole[part.slices], atol=1e-6)


def test_several_numbers_are_each_interpolated_as_if_alone() -> None:
    lattice = Lattice((400, 330))
    measured = measures(lattice)
    window = Window(150, 37, 90, 200)
    three = {node: (np.array([v, 5, 2 * v]), weight) for node, (v, weight) in measured.items()}
    first, second, third = lattice.interpolate(three, window)
    alone = lattice.interpolate(measured, window)
    assert np.array_equal(first, alone)
    assert (second == 5).all()
    assert np.array_equal(third, 2 * alone)


def test_there_are_no_seams() -> None:
    lattice = Lattice((400, 330))
    alike = {node: (value, 1.0) for node, (value, _) in measures(lattice).items()}
    whole = lattice.interpolate(alike, Window(0, 0, 400, 330))
    # Values from 0 to 1 on nodes 64 pixels apart change by at most 1/64 a pixel along a side;
    # the last nodes, flush with the edge, may stand closer.
    assert np.abs(np.diff(whole[:300], axis=0)).max() <= 1 / 16
    assert np.abs(np.diff(whole[:, :250], axis=1)).max() <= 1 / 16


def test_a_node_that_counts_little_decides_little() -> None:
    lattice = Lattice((128, 256))
    others = {(0, 1): (0.0, 1.0), (0, 2): (0.0, 1.0)}
    between = Window(64, 96, 1, 1)
    alike = lattice.interpolate({(0, 0): (1.0, 1.0), **others}, between)
    little = lattice.interpolate({(0, 0): (1.0, 0.01), **others}, between)
    assert alike[0, 0] == pytest.approx(0.5, abs=0.01)
    assert little[0, 0] < 0.02


def test_nodes_that_no_chosen_pixel_needs_are_left_out() -> None:
    lattice = Lattice((400, 330))
    measured = measures(lattice)
    window = Window(10, 20, 380, 300)
    where = np.zeros((380, 300), dtype=bool)
    where[100:130, 40:60] = True
    nodes = list(lattice.nodes(window, where))
    assert len(nodes) == 6
    assert set(nodes) < set(lattice.nodes(window))
    some = lattice.interpolate({node: measured[node] for node in nodes}, window)
    every = lattice.interpolate(measured, window)
    assert np.allclose(some[where], every[where], atol=1e-6)
    assert np.isfinite(some).all()
