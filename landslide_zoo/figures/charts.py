"""Charts of training and of scores, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.figures.images import mask_picture, true_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 2.4  # inches
_BLUE, _GREY = "#0072b2", "#999999"


def examples_figure(rows: Sequence[tuple[Patch, np.ndarray, np.ndarray]]) -> bytes:
    """True colour, truth and prediction of a few patches, one patch a row.

    Args:
        rows: Patch, true mask (H, W) and predicted mask (H, W) of each row.

    Returns:
        A PNG file.
    """
    figure = _figure(3 * _SIDE, _SIDE * len(rows) + 0.3)
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for axis, title in zip(axes[0], ("true colour", "truth", "prediction"), strict=True):
        axis.set_title(title)
    for line, (patch, truth, predicted) in zip(axes, rows, strict=True):
        line[0].set_ylabel(patch.name, fontsize="small")
        pictures = (true_colour(patch), mask_picture(truth), mask_picture(predicted))
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    return _png(figure)


def curves_figure(history: Sequence[Mapping[str, float]]) -> bytes:
    """Loss and F1 of each epoch of a training run.

    Args:
        history: One mapping an epoch; every figure whose name holds ``loss``
            is drawn on the left, every one whose name holds ``f1`` on the right.

    Returns:
        A PNG file.
    """
    epochs = range(1, len(history) + 1)
    figure = _figure(9, 3.4)
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
    return _png(figure)


def reliability_figure(table: np.ndarray, error: float) -> bytes:
    """Reliability diagram: predicted probability against observed share, with a histogram.

    Args:
        table: Pixels, the sum of their probabilities, and the landslide pixels among
            them, by equal bins of probability, shape (K, 3).
        error: Calibration error, written in the title.

    Returns:
        A PNG file.
    """
    figure = _figure(4.6, 5.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="perfect")
    pixels = table[:, 0]
    predicted, landslides = (table[pixels > 0, 1:] / table[pixels > 0, :1]).T
    above.plot(predicted, landslides, "o-", color=_BLUE, label="model")
    above.set(ylabel="share of landslide pixels", xlim=(0, 1), ylim=(0, 1))
    above.set_title(f"Reliability (calibration error {error:.4f})", fontsize="medium")
    above.legend()
    edges = np.linspace(0, 1, len(pixels) + 1)
    below.bar(edges[:-1], pixels, width=np.diff(edges), align="edge", color=_BLUE, edgecolor="w")
    below.set(yscale="log", xlabel="probability", ylabel="pixels")
    for axis in (above, below):
        axis.grid(alpha=0.3)
    return _png(figure)


def precision_recall_figure(
    recall: np.ndarray, precision: np.ndarray, chosen: tuple[float, float], title: str
) -> bytes:
    """Precision against recall over all thresholds, with the point of the one that is used.

    Args:
        recall: Shape (K,), ascending.
        precision: Shape (K,).
        chosen: Recall and precision at the model's threshold.
        title: Above the chart.

    Returns:
        A PNG file.
    """
    figure = _figure(4.6, 4.2)
    axis = figure.subplots()
    for f1 in (0.2, 0.4, 0.6, 0.8):
        along = np.linspace(f1 / (2 - f1) + 1e-6, 1, 200)
        axis.plot(along, f1 * along / (2 * along - f1), color=_GREY, linewidth=0.6)
        axis.annotate(f"F1 {f1}", (1, f1 / (2 - f1)), fontsize="x-small", ha="right", va="bottom")
    axis.step(recall, precision, where="pre", color=_BLUE)
    axis.plot(*chosen, "o", color="black", label="at the model's threshold")
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axis.set_title(title, fontsize="medium")
    axis.legend(loc="lower left")
    axis.grid(alpha=0.3)
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    """An empty figure, its size in inches."""
    from matplotlib.figure import Figure  # it takes a quarter of a second

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # A canvas of its own keeps pyplot, and with it global state, out of servers and tests.
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
