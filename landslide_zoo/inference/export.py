"""A model as one ONNX file, with its scaling inside, for programs that know nothing of this one."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.inference.predict import values_of
from landslide_zoo.io import write_whole

TOLERANCE = 1e-4
"""Probabilities of a file that is written are this close to those of PyTorch."""
INPUT, OUTPUT = "values", "probability"
OPSET = 17
TILE = 128
"""Side of what is compared, in pixels: that of the patches models are trained on."""


def export_onnx(model: LandslideModel, path: Path, patches: Sequence[Patch]) -> float:
    """Write a model as ONNX, if its probabilities agree with those of PyTorch.

    The input ``values`` holds the model's bands in its unit, shape (N, B, H, W), float32;
    the output is ``probability``, shape (N, 1, H, W), float32. The metadata, each value as
    JSON, say which bands in which unit, and which threshold.

    Args:
        model: The model.
        path: The file to write, in place of what is there.
        patches: Real patches of at least 128 x 128 with the model's bands, on which the two
            are compared.

    Returns:
        The largest difference in probability that was seen.

    Raises:
        ModelError: If the two do not agree; nothing is written.
        ImportError: If the extra ``export`` is not installed.
    """
    import onnx
    import onnxruntime

    config = model.config
    model = copy.deepcopy(model).cpu().eval()
    values = np.concatenate([values_of([patch], config)[..., :TILE, :TILE] for patch in patches])
    compared = [values, values[:1, :, :115, :99]]
    expected = [torch.sigmoid(model.logits(batch))[:, None].numpy() for batch in compared]

    network = onnx.load_from_string(_trace(_Probabilities(model), values))
    metadata = config.model_dump(include={"bands", "unit", "threshold"})
    metadata |= {"model": config.name, "made_by": "landslide-zoo"}
    onnx.helper.set_model_props(network, {k: json.dumps(v) for k, v in metadata.items()})
    content = network.SerializeToString(deterministic=True)

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    results = [session.run([OUTPUT], {INPUT: batch})[0] for batch in compared]
    pairs = zip(results, expected, strict=True)
    difference = max(float(np.abs(result - reference).max()) for result, reference in pairs)
    if not difference <= TOLERANCE:  # not a number is no agreement either
        raise ModelError(
            f"As ONNX {config.name} gives probabilities that differ from PyTorch's by "
            f"{difference:.2g}, more than {TOLERANCE:g}: {path} was not written."
        )
    write_whole(path, content)
    return difference


def _trace(network: nn.Module, values: np.ndarray) -> bytes:
    """The network as an ONNX graph, for any number, height and width."""
    axes = {0: "batch", 2: "height", 3: "width"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "graph.onnx"
        # The newer exporter cannot keep the size free in every network of the zoo, and takes
        # minutes where it can; this one says that it is the older one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.from_numpy(values[:2]),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: axes, OUTPUT: axes},
        )
        return file.read_bytes()


class _Probabilities(nn.Module):
    """Probabilities (N, 1, H, W) from a model's bands (N, B, H, W)."""

    def __init__(self, model: LandslideModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.model(values))
