"""The files of a prediction: probability for NumPy, mask for Landslide4Sense, picture."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from landslide_zoo.data.hdf5 import write_mask_h5
from landslide_zoo.errors import DataError
from landslide_zoo.figures.images import enlarge, marked, marks, png
from landslide_zoo.inference.predict import Prediction

OVERLAY_SIDE = 512
"""A smaller patch is enlarged by a whole factor to about this side, in pixels."""
_BENCHMARK_NAME = re.compile(r"image_(\d+)")


def output_names(stem: str) -> tuple[str, str, str]:
    """Names of the files of a prediction, for an input's full stem.

    Returns:
        ``STEM.npy``; ``np.load`` gives the network's own probability, (H, W), float32, 0 to 1,
        before any rule. ``STEM_mask.h5`` with the dataset ``mask``, (H, W), uint8, 0 and 1, and
        beside it ``observed``, 0 where the ground could not be seen; for ``image_N`` it is
        ``mask_N.h5``: a submission to Landslide4Sense is a ZIP of these (Submission Guide of the
        Landslide4Sense 2022 competition). ``STEM_overlay.png``; true colour with the mask's
        outline, a dashed one around what rules dropped, and hatching over cloud.

    Example:
        >>> output_names("image_7")
        ('image_7.npy', 'mask_7.h5', 'image_7_overlay.png')
    """
    benchmark = _BENCHMARK_NAME.fullmatch(stem)
    mask = f"mask_{benchmark[1]}.h5" if benchmark else f"{stem}_mask.h5"
    return f"{stem}.npy", mask, f"{stem}_overlay.png"


def output_files(prediction: Prediction) -> dict[str, bytes]:
    """The files of a prediction by name: probability, mask, overlay."""
    probability, mask = io.BytesIO(), io.BytesIO()
    np.save(probability, prediction.probability, allow_pickle=False)
    write_mask_h5(mask, prediction.mask, prediction.observed)
    contents = probability.getvalue(), mask.getvalue(), png(overlay_picture(prediction))
    return dict(zip(output_names(prediction.patch.name), contents, strict=True))


def overlay_picture(prediction: Prediction) -> np.ndarray:
    """True colour with outlines: red of landslides, dashed of what rules dropped; cloud hatched.

    Returns:
        Shape (H, W, 3), uint8; a small patch is enlarged by a whole factor to about
        :data:`OVERLAY_SIDE`.
    """
    drawn = overlay_marks(prediction)
    return marked(enlarge(prediction.picture, len(drawn) // len(prediction.picture)), drawn)


def overlay_marks(
    prediction: Prediction, side: int = OVERLAY_SIDE, possible: bool = False
) -> np.ndarray:
    """The outlines and the hatching of an overlay, from :func:`landslide_zoo.figures.marks`.

    Args:
        prediction: What was found.
        side: A smaller patch is enlarged by a whole factor to about this, in pixels.
        possible: Whether what the model half believes is outlined, too.

    Returns:
        Shape (H, W), uint8.
    """
    # Outlined after it is enlarged: the line stays thin and covers little of what it marks.
    factor = max(1, side // max(prediction.patch.size))
    layers = [prediction.mask > 0, prediction.dropped_labels > 0, ~prediction.observed]
    if possible:
        layers.append(prediction.possible | prediction.mask > 0)
    return marks(*(enlarge(layer, factor) for layer in layers))


def check_outputs(inputs: Iterable[Path], folder: Path) -> None:
    """Check, before anything is written, that no output replaces what is no output of its own.

    Args:
        inputs: Files of one batch.
        folder: Where their predictions will go.

    Raises:
        DataError: If the folder holds one of the inputs or a mask that was not
            predicted, or two inputs have one stem.
    """
    taken: dict[str, Path] = {}
    for path in inputs:
        if os.path.realpath(path.parent) == os.path.realpath(folder):
            raise DataError(
                f"{folder} holds {path.name} itself: choose another folder for the predictions, "
                "so that no input is replaced."
            )
        probability, mask, _ = output_names(path.stem)
        if (folder / mask).exists() and not (folder / probability).exists():
            raise DataError(
                f"{folder} holds a {mask} that is not an earlier prediction: choose another "
                "folder, so that no true mask is replaced."
            )
        first = taken.setdefault(path.stem, path)
        if first != path:
            raise DataError(
                f"{first} and {path} would both be written as {path.stem}.npy: "
                "give them to different runs, each with its own folder."
            )
