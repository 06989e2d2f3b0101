"""From a PyTorch model to an OpenVINO network, and to the graph of all networks like it."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from xml.etree import ElementTree

import openvino as ov
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import nn

from landslide_zoo.inference.backends.graphs import SCALING, Graph, fused
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.models.catalog import RGB_SUFFIX, names
from landslide_zoo.models.config import ModelConfig, catalog_config

_CONSTANTS = 100_000
"""Bytes of a graph's constants beside the weights; more would be weights."""


class _Probabilities(nn.Module):
    """Landslide probabilities (N, H, W) from bands (N, B, H, W)."""

    temperature: torch.Tensor

    def __init__(self, model: LandslideModel) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("temperature", torch.tensor(model.config.temperature))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.model.uncalibrated(values) / self.temperature)[:, 0]


def convert(model: LandslideModel) -> ov.Model:
    """Convert a model with its scaling, for any number of patches of any size from 32.

    Args:
        model: The model; it is put into evaluation mode.

    Returns:
        A network from bands (N, B, H, W) to probabilities (N, H, W), both float32.
    """
    return fused(_trace(_Probabilities(model)))


def make_graph(config: ModelConfig, seed: int = 0) -> Graph:
    """The graph of a network: it is traced with random weights, which tell where each of them goes.

    Args:
        config: What the network is and sees.
        seed: Seed of the weights, of which nothing remains.

    Raises:
        ValueError: If something that depends on the weights cannot be told from the rest.
    """
    model = LandslideModel(config)
    wrapped = _Probabilities(model)
    generator = torch.Generator().manual_seed(seed)
    tensors = model.network.state_dict()
    filled = {name: one for name, one in tensors.items() if one.is_floating_point()}
    filled |= {f"scaling.{name}": getattr(model.scaling, name) for name in SCALING}
    filled["temperature"] = wrapped.temperature
    for tensor in filled.values():
        tensor.copy_(torch.rand(tensor.shape, generator=generator) + 1)
    places = {tensor.numpy().tobytes(): name for name, tensor in filled.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        ov.serialize(_trace(wrapped), path)
        text, content = path.read_text(), path.with_suffix(".bin").read_bytes()
    weights, constants = {}, {}
    for data in ElementTree.fromstring(text).iterfind("layers/layer[@type='Const']/data"):
        offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
        constant = content[offset : offset + size]
        if constant in places:
            weights[places[constant]] = offset
        else:
            constants[offset] = constant
    missing = {"temperature", *(f"scaling.{name}" for name in SCALING)} - weights.keys()
    if missing or sum(map(len, constants.values())) > _CONSTANTS:
        raise ValueError(f"the graph of {config.name} holds weights under no name: {missing}")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Graph(text, len(content), constants, weights, shapes)


def _trace(network: _Probabilities) -> ov.Model:
    bands = len(network.model.config.bands)
    example = torch.rand(2, bands, 32, 64, device=network.model.device)
    # Not openvino.convert_model: it traces three times and reports its use to its makers.
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and fixed sizes are said to be
        traced = torch.jit.trace(network.eval(), example, check_trace=False)
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, shared_memory=False)
    loaded = frontend.load(decoder)
    place = loaded.get_place_by_input_index(0)
    loaded.set_partial_shape(place, ov.PartialShape([-1, bands, -1, -1]))
    loaded.set_element_type(place, ov.Type.f32)
    return frontend.convert(loaded)


def main() -> None:
    """Make the graphs of all networks of the catalog."""
    for name in (*names(), *(f"{name}{RGB_SUFFIX}" for name in names())):
        config = catalog_config(name)
        graph, other = make_graph(config), make_graph(config, seed=1)
        if graph.constants != other.constants or graph.weights != other.weights:
            raise ValueError(f"the graph of {name} depends on its weights")
        print(graph.write(config))


if __name__ == "__main__":
    main()
