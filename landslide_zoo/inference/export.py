"""A model as one ONNX file, with its scaling inside, for programs that know nothing of this one."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from landslide_zoo.data.bands import Unit
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.inference.export_layers import AdaptivePooling, DigitalNumbers, DisplayValues
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.inference.predict import values_of
from landslide_zoo.io import write_whole
from landslide_zoo.models.config import ModelConfig

Target = Literal["onnx", "deepness"]
"""``onnx``: batches of any size; ``deepness``: what the QGIS plugin Deepness can load."""

TOLERANCE = 1e-4
"""Probabilities of a file that is kept are this close to those of PyTorch."""
INPUT, OUTPUT = "values", "probability"
OPSET = 17
"""Version of the operators; onnxruntime has known it since its own version 1.12."""
TILE = 128
"""Side of the tiles that Deepness cuts, in pixels: that of the patches models are trained on."""
OVERLAP = 50
"""How far they overlap, in per cent; Deepness keeps the middle of each."""
RESOLUTION = 1000
"""Centimetres a pixel, to which Deepness resamples."""


def export_onnx(
    model: LandslideModel,
    path: Path,
    patches: Sequence[Patch],
    *,
    target: Target = "onnx",
    unit: Unit | None = None,
) -> float:
    """Write a model as ONNX, if its probabilities agree with those of PyTorch.

    The input ``values`` holds the model's bands, shape (N, B, H, W), float32;
    the output is ``probability``, shape (N, 1, H, W), float32. The metadata,
    each value as JSON, say which bands in which unit, and which threshold. The
    same model gives the same bytes.

    Args:
        model: The model.
        path: The file to write, in place of what is there.
        patches: Real patches with the model's bands, on which the two are
            compared; at least one.
        target: What the file is for. Deepness takes tiles of one size, and
            divides what it reads from a raster by 255: physical values are
            multiplied back.
        unit: Unit of the bands that the file takes; the model's own where None.
            With ``physical`` a true-colour model makes its display values
            itself, from digital numbers or what is proportional to them.

    Returns:
        The largest difference in probability that was seen.

    Raises:
        ModelError: If onnx is missing, the model cannot take the unit, or the
            two do not agree; nothing is written.
        DataError: If a patch lacks a band or is too small, or the file cannot
            be written.
    """
    form = _Form(model.config, unit or model.config.unit, target)
    model = copy.deepcopy(model).cpu().eval()
    compared = [
        (form.given(batch), torch.sigmoid(model.logits(values_of(batch, model.config))).numpy())
        for batch in form.batches(patches)
    ]
    content = form.describe(_trace(nn.Sequential(*form.layers(), _Probabilities(model)), form))
    difference = _largest_difference(content, compared)
    if not difference <= TOLERANCE:  # not a number is no agreement either
        raise ModelError(
            f"As ONNX {model.config.name} gives probabilities that differ from PyTorch's by "
            f"{difference:.2g}, more than {TOLERANCE:g}: {path} was not written."
        )
    write_whole(path, content)
    return difference


@dataclass(frozen=True)
class _Form:
    """What a file takes and says, by what it is for."""

    config: ModelConfig
    unit: Unit
    target: Target

    def __post_init__(self) -> None:
        if (self.unit, self.config.unit) == ("display", "physical"):
            raise ModelError(f"{self.config.name} needs physical values, not display values.")

    @property
    def tile(self) -> int | None:
        """Side of its input; None where any will do."""
        return TILE if self.target == "deepness" else None

    def layers(self) -> Iterator[nn.Module]:
        """What stands before the model."""
        made = self.unit != self.config.unit
        if self.target == "deepness" and self.unit == "physical":
            # Display values are cut into steps, and only whole numbers fall into the right ones.
            yield DigitalNumbers(whole=made)
        if made:
            yield DisplayValues()

    def batches(self, patches: Sequence[Patch]) -> Iterator[list[Patch]]:
        """Patches to compare on: those of a size together, and one by itself and smaller."""
        first, tile = patches[0], self.tile
        if tile is None:
            height, width = first.size
            yield [_corner(first, max(32, height - 13), max(32, width - 29))]
        else:
            patches = [_corner(patch, tile, tile) for patch in patches]
            yield [patches[0]]
        yield from (list(alike) for _, alike in groupby(patches, key=lambda patch: patch.size))

    def given(self, batch: Sequence[Patch]) -> np.ndarray:
        """What the file is fed with, shape (N, B, H, W), float32."""
        values = values_of(batch, self.config.model_copy(update={"unit": self.unit}))
        if self.target != "deepness":
            return values
        raster = np.rint(255 * values) if self.unit == "display" else values
        return (raster.astype(np.float64) / 255).astype(np.float32)  # as the plugin does

    def describe(self, graph: bytes) -> bytes:
        """The file's content: the graph, with what its reader must know."""
        onnx = _import_onnx()
        proto = onnx.load_from_string(graph)
        onnx.helper.set_model_props(
            proto, {key: json.dumps(value) for key, value in self._metadata().items()}
        )
        return proto.SerializeToString(deterministic=True)

    def _metadata(self) -> dict[str, Any]:
        general = {
            "model": self.config.name,
            "bands": self.config.bands,
            "unit": self.unit,
            "threshold": self.config.threshold,
            "made_by": "landslide-zoo",
        }
        if self.target != "deepness":
            return general
        return general | {
            "model_type": "Segmentor",
            "class_names": {0: "background", 1: "landslide"},
            "resolution": RESOLUTION,
            "tiles_size": TILE,
            "tile_size": TILE,  # the plugin's documents have the one, its code the other
            "tiles_overlap": OVERLAP,
            "seg_thresh": self.config.threshold,
            "seg_small_segment": 0,
        }


class _Probabilities(nn.Module):
    """Probabilities (N, 1, H, W) from a model's bands (N, B, H, W)."""

    def __init__(self, model: LandslideModel) -> None:
        super().__init__()
        AdaptivePooling.replace(model)
        self.model = model

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.model(values))


def _trace(module: nn.Module, form: _Form) -> bytes:
    """The module as an ONNX graph."""
    _import_onnx()  # the exporter wants it, too
    side = form.tile or TILE
    free = {0: "batch"} if form.tile else {0: "batch", 2: "height", 3: "width"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "graph.onnx"
        # The newer exporter cannot keep the size free in every network of the zoo, and takes
        # minutes where it can; this one says that it is the older one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(2, len(form.config.bands), side, side),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
        )
        return file.read_bytes()


def _largest_difference(content: bytes, compared: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The largest difference between what the file gives and the probabilities expected."""
    from onnxruntime import InferenceSession

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    differences = [
        np.abs(session.run([OUTPUT], {INPUT: given})[0][:, 0] - expected).max()
        for given, expected in compared
    ]
    return float(np.max(differences))


def _corner(patch: Patch, height: int, width: int) -> Patch:
    """The upper left corner of a patch."""
    if height > patch.size[0] or width > patch.size[1]:
        raise DataError(f"{patch.name} is too small to compare on: {height} x {width} is needed.")
    part = np.s_[:height, :width]
    return replace(
        patch,
        values=patch.values[:, *part],
        observed=patch.observed[part],
        mask=None,
    )


def _import_onnx() -> Any:  # noqa: ANN401 - a module
    try:
        import onnx
    except ImportError as error:
        raise ModelError(
            "Exporting needs the package onnx: pip install 'landslide-zoo[export]'."
        ) from error
    return onnx
