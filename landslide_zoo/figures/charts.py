"""Charts for run folders and model cards, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from landslide_zoo.data.patch import Patch
from landslide_zoo.figures.composites import true_colour
from landslide_zoo.figures.results import mask_picture

_SIDE = 2.4  # inches


def examples_figure(rows: Sequence[tuple[Patch, np.ndarray, np.ndarray]]) -> bytes:
    """True colour, truth and prediction of a few patches, one patch a row.

    Args:
        rows: Patch, true mask (H, W) and predicted mask (H, W) of each row.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(3 * _SIDE, _SIDE * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for axis, title in zip(axes[0], ("true colour", "truth", "prediction"), strict=True):
        axis.set_title(title)
    for line, (patch, truth, predicted) in zip(axes, rows, strict=True):
        line[0].set_ylabel(patch.name, fontsize="small")
        pictures = (true_colour(patch), mask_picture(truth), mask_picture(predicted))
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    return png(figure)


def curves_figure(history: Sequence[Mapping[str, float]]) -> bytes:
    """Loss and F1 of each epoch of a training run.

    Args:
        history: One mapping an epoch; every figure whose name holds ``loss``
            is drawn on the left, every one whose name holds ``f1`` on the right.

    Returns:
        A PNG file.
    """
    epochs = range(1, len(history) + 1)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axis, word in zip(figure.subplots(1, 2), ("loss", "f1"), strict=True):
        names = [name for name in (history[0] if history else ()) if word in name]
        for name in names:
            axis.plot(epochs, [row[name] for row in history], ".-", label=name.replace("_", " "))
        if len(names) > 1:
            axis.legend()
        axis.set(xlabel="epoch", ylabel=word.replace("f1", "F1"))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    figure.axes[1].set_ylim(0, 1)
    return png(figure)


def png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    # A canvas of its own keeps pyplot, and with it global state, out of servers and tests.
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
