"""Connected parts of a scene, labelled block by block and joined over the blocks' borders.

Only the numbers of the parts and what is known of each stay in memory; the labels themselves lie
in a file that takes room where there are any, and has no name: nothing is left of it, whatever
ends the process.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from landslide_zoo.inference.objects import connected_parts
from landslide_zoo.mapping.files import read_plain, write_plain, writing
from landslide_zoo.mapping.windows import Window

NOTHING = -1
"""Kind of a pixel that belongs to no part."""
HIDDEN = np.iinfo(np.uint32).max
"""Label of a pixel that a caller marked as hidden."""
_STORED = np.dtype(np.uint32)


@dataclass(frozen=True, eq=False)
class Parts:
    """What is known of connected parts, one value each in arrays of shape (n,).

    Attributes:
        kind: What its pixels have in common.
        pixels: Number of pixels.
        first: Its first pixel, counted along the rows of the scene: no two parts share it.
        top: First row.
        left: First column.
        bottom: Last row.
        right: Last column.
    """

    kind: np.ndarray
    pixels: np.ndarray
    first: np.ndarray
    top: np.ndarray
    left: np.ndarray
    bottom: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def window(self, index: int) -> Window:
        """The smallest window around a part."""
        sides = (self.top, self.left, self.bottom, self.right)
        top, left, bottom, right = (int(side[index]) for side in sides)
        return Window(top, left, bottom - top + 1, right - left + 1)

    @classmethod
    def together(cls, several: Sequence[Parts]) -> Parts:
        """The parts of several, one after the other."""
        nothing = np.zeros(0, dtype=np.int64)
        names = [field.name for field in fields(cls)]
        return cls(
            *(np.concatenate([nothing, *(getattr(one, name) for one in several)]) for name in names)
        )

    def taken(self, order: np.ndarray) -> Parts:
        """The parts at these places, in this order."""
        return Parts(*(getattr(self, field.name)[order] for field in fields(self)))

    def joined(self, group: np.ndarray) -> Parts:
        """One part for each group.

        Args:
            group: Number of the group of each part, from 0 without gaps, shape (n,).
        """
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        of_parts = self.taken(order)
        return Parts(
            kind=np.minimum.reduceat(of_parts.kind, starts),
            pixels=np.add.reduceat(of_parts.pixels, starts),
            first=np.minimum.reduceat(of_parts.first, starts),
            top=np.minimum.reduceat(of_parts.top, starts),
            left=np.minimum.reduceat(of_parts.left, starts),
            bottom=np.maximum.reduceat(of_parts.bottom, starts),
            right=np.maximum.reduceat(of_parts.right, starts),
        )


class Labelling:
    """Labels of a scene: first blocks are added, row by row of blocks, then they are joined.

    Pixels of one kind that touch, at a corner too, belong to one part.

    Args:
        size: Height and width of the scene in pixels.
        folder: Where the file of labels lies; among the temporary files where None.

    Raises:
        DataError: If the file cannot be made.
    """

    def __init__(self, size: tuple[int, int], folder: Path | None = None) -> None:
        self._size = size
        self._found: list[Parts] = []
        self._count = 0
        self._touching: list[np.ndarray] = []
        self._number = np.zeros(1, dtype=np.uint32)  # of each label, once joined
        with writing(folder or Path(tempfile.gettempdir())):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this
            weakref.finalize(self, self._file.close)
            self._file.truncate(size[0] * size[1] * _STORED.itemsize)

    def add(self, window: Window, kinds: np.ndarray, hidden: np.ndarray | None = None) -> None:
        """Label a block; those above and to the left of it have been added.

        Args:
            window: Where it lies.
            kinds: Kind of each pixel, :data:`NOTHING` where there is none, shape (h, w).
            hidden: Pixels to mark with :data:`HIDDEN`, shape (h, w), bool.
        """
        labels, found = parts_of_kinds(kinds, window, self._size[1])
        self._found.append(found)
        stored = np.where(labels > 0, labels + self._count, 0).astype(_STORED)
        if hidden is not None:
            stored[hidden] = HIDDEN
        self._count += len(found)
        if stored.any():
            write_plain(self._file.fileno(), window, self._size[1], stored)
            self._touch(window)

    def join(self) -> Parts:
        """Join what touches over the borders of blocks, once all of them are added.

        Returns:
            The parts of the scene in the order of their first pixels, by which they are
            numbered from 1.
        """
        every = Parts.together(self._found)
        pairs = np.concatenate([*self._touching, np.zeros((0, 2), np.int64)]) - 1
        one, other = pairs[every.kind[pairs[:, 0]] == every.kind[pairs[:, 1]]].T
        alike = coo_array((np.ones(len(one)), (one, other)), shape=(self._count, self._count))
        _, group = connected_components(alike, directed=False)
        parts = every.joined(group)
        order = np.argsort(parts.first)
        number = np.empty(len(order), dtype=np.uint32)
        number[order] = np.arange(1, len(order) + 1)
        self._number = np.concatenate([np.zeros(1, np.uint32), number[group]])
        self._found, self._touching = [], []
        return parts.taken(order)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """The labels of a window, after they are joined.

        Returns:
            The number of each pixel's part, 0 where there is none, shape (h, w), int32;
            and the pixels marked as hidden, bool.
        """
        stored = self._stored(window)
        hidden = stored == HIDDEN
        return self._number[np.where(hidden, 0, stored)].astype(np.int32), hidden

    def _stored(self, window: Window) -> np.ndarray:
        return read_plain(self._file.fileno(), window, self._size[1], _STORED)

    def _touch(self, window: Window) -> None:
        """Note which labels of a block touch those above it and to the left of it."""
        top, left, height, width = window
        frame, inside = (
            Window(top - 1, left - 1, height + 2, width + 2),
            window.padded(1, self._size),
        )
        labels = np.zeros((frame.height, frame.width), dtype=_STORED)
        labels[inside.within(frame)] = self._stored(inside)
        self._note(labels[1, 1:-1], labels[0])
        self._note(labels[1:-1, 1], labels[:, 0])

    def _note(self, line: np.ndarray, before: np.ndarray) -> None:
        """Note which labels of a line touch those of the line before, a pixel longer each way."""
        beside = np.stack([before[:-2], before[1:-1], before[2:]])
        pairs = np.stack([np.broadcast_to(line, beside.shape), beside], axis=-1).reshape(-1, 2)
        real = ((pairs > 0) & (pairs < HIDDEN)).all(axis=1)
        if real.any():
            self._touching.append(np.unique(pairs[real], axis=0).astype(np.int64))


def parts_of_kinds(kinds: np.ndarray, window: Window, scene_width: int) -> tuple[np.ndarray, Parts]:
    """The parts of a window by itself.

    Args:
        kinds: Kind of each pixel, :data:`NOTHING` where there is none, shape (h, w).
        window: Where it lies.
        scene_width: Of the scene, in pixels.

    Returns:
        The number of each pixel's part, from 1, shape (h, w), int32; and those parts in the
        order of their numbers, with their place in the scene.
    """
    labels, count = np.zeros(kinds.shape, dtype=np.int32), 0
    for kind in np.unique(kinds[kinds != NOTHING]):
        part, parts = connected_parts(kinds == kind)
        labels[part > 0] = part[part > 0] + count
        count += parts
    rows, columns = np.nonzero(labels)
    top, left = rows + window.row, columns + window.column
    each = Parts(  # of one pixel each
        kind=kinds[rows, columns].astype(np.int16),
        pixels=np.ones(len(rows), dtype=np.int64),
        first=top * scene_width + left,
        top=top,
        left=left,
        bottom=top,
        right=left,
    )
    return labels, each.joined(labels[rows, columns] - 1)
