"""The files of a prediction: probability for NumPy, mask for Landslide4Sense, picture."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from landslide_zoo.data.hdf5 import write_mask_h5
from landslide_zoo.errors import DataError
from landslide_zoo.figures.images import enlarge, marked, marks, png
from landslide_zoo.inference.predict import Prediction
from landslide_zoo.io import write_whole

OVERLAY_SIDE = 512
"""A smaller patch is enlarged by a whole factor to about this side, in pixels."""
_BENCHMARK_NAME = re.compile(r"image_(\d+)")


@dataclass(frozen=True)
class OutputNames:
    """Names of the files that a prediction is written to.

    Attributes:
        probability: ``STEM.npy``; ``np.load`` gives the network's own, (H, W),
            float32, 0 to 1, before any rule.
        mask: ``STEM_mask.h5`` with the dataset ``mask``, (H, W), uint8, 0 and 1,
            and beside it ``observed``, 0 where the ground could not be seen.
            For ``image_N`` it is ``mask_N.h5``: a submission to Landslide4Sense
            is a ZIP of these (Submission Guide of the Landslide4Sense 2022
            competition).
        overlay: ``STEM_overlay.png``; true colour with the mask's
            outline, a dashed one around what rules dropped, and hatching over cloud.
    """

    probability: str
    mask: str
    overlay: str

    @classmethod
    def of(cls, stem: str) -> OutputNames:
        """The names for an input's full stem, its last suffix alone taken away.

        Example:
            >>> OutputNames.of("scene.v2.final").probability
            'scene.v2.final.npy'
            >>> OutputNames.of("image_7").mask
            'mask_7.h5'
        """
        benchmark = _BENCHMARK_NAME.fullmatch(stem)
        mask = f"mask_{benchmark[1]}.h5" if benchmark else f"{stem}_mask.h5"
        return cls(f"{stem}.npy", mask, f"{stem}_overlay.png")


def probability_npy(prediction: Prediction) -> bytes:
    """The network's probability as a file of NumPy."""
    file = io.BytesIO()
    np.save(file, prediction.probability.astype(np.float32), allow_pickle=False)
    return file.getvalue()


def mask_h5(prediction: Prediction) -> bytes:
    """The mask, and what was observed, as a file of HDF5."""
    file = io.BytesIO()
    write_mask_h5(file, prediction.mask, prediction.observed)
    return file.getvalue()


def overlay_png(prediction: Prediction) -> bytes:
    """The overlay as a PNG file."""
    return png(overlay_picture(prediction))


def overlay_picture(prediction: Prediction) -> np.ndarray:
    """True colour with outlines: red of landslides, dashed of what rules dropped; cloud hatched.

    Returns:
        Shape (H, W, 3), uint8; a small patch is enlarged by a whole factor to about
        :data:`OVERLAY_SIDE`.
    """
    drawn = overlay_marks(prediction)
    factor = len(drawn) // len(prediction.picture)
    return marked(enlarge(prediction.picture, factor), drawn)


def overlay_marks(prediction: Prediction, side: int = OVERLAY_SIDE) -> np.ndarray:
    """The outlines and the hatching of an overlay, from :func:`landslide_zoo.figures.marks`.

    Args:
        prediction: What was found.
        side: A smaller patch is enlarged by a whole factor to about this, in pixels.

    Returns:
        Shape (H, W), uint8.
    """
    # Outlined after it is enlarged: the line stays thin and covers little of what it marks.
    factor = max(1, side // max(prediction.patch.size))
    landslides, dropped = prediction.mask > 0, prediction.dropped_labels > 0
    hidden = ~prediction.observed
    return marks(*(enlarge(layer, factor) for layer in (landslides, dropped, hidden)))


def write_outputs(folder: Path, prediction: Prediction) -> list[Path]:
    """Write the files of a prediction, each whole before it gets its name.

    Args:
        folder: Made if need be; files of the same names are replaced.
        prediction: What to write; its patch's name gives the files theirs.

    Returns:
        The files: probability, mask, overlay.

    Raises:
        DataError: If one cannot be written; none is left half-written.
    """
    paths = [folder / name for name in astuple(OutputNames.of(prediction.patch.name))]
    for path, content in zip(paths, (probability_npy, mask_h5, overlay_png), strict=True):
        write_whole(path, content(prediction))
    return paths


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
        names = OutputNames.of(path.stem)
        if (folder / names.mask).exists() and not (folder / names.probability).exists():
            raise DataError(
                f"{folder} holds a {names.mask} that is not an earlier prediction: choose another "
                "folder, so that no true mask is replaced."
            )
        first = taken.setdefault(path.stem, path)
        if first != path:
            raise DataError(
                f"{first} and {path} would both be written as {path.stem}.npy: "
                "give them to different runs, each with its own folder."
            )
