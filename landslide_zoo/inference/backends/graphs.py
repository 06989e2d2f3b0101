"""Networks of the catalog as OpenVINO graphs without weights, so that none needs PyTorch to run.

A graph depends on what a network is and sees, not on its weights, its scaling or its
temperature: those are filled in. ``python -m landslide_zoo.inference.backends.conversion``
makes the files.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import openvino as ov
from openvino._offline_transformations import apply_moc_transformations

from landslide_zoo.models.config import ModelConfig

_FOLDER = Path(__file__).with_name("graphs")
_NETWORK, _LAYOUT = "network.xml", "layout.json"
SCALING = ("mean", "std", "low", "high")


@dataclass(frozen=True)
class Graph:
    """A network without weights.

    Attributes:
        network: OpenVINO's description of it, XML.
        size: Bytes of all its constants.
        constants: Those that are the same whatever the weights: bytes by offset.
        weights: Where the others go: offsets by the names of tensors.
        shapes: Shape of every tensor of the network's weights, in the graph or not.
    """

    network: str
    size: int
    constants: dict[int, bytes]
    weights: dict[str, int]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, config: ModelConfig) -> Self | None:
        """The graph of a configuration; None where there is none for it."""
        path = _FOLDER / f"{config.name}.zip"
        if not path.is_file():
            return None
        with zipfile.ZipFile(path) as file:
            layout = json.loads(file.read(_LAYOUT))
            if layout["for"] != structure(config):
                return None
            return cls(
                network=file.read(_NETWORK).decode(),
                size=layout["size"],
                constants={
                    int(offset): base64.b64decode(text)
                    for offset, text in layout["constants"].items()
                },
                weights=layout["weights"],
                shapes={name: tuple(shape) for name, shape in layout["shapes"].items()},
            )

    def write(self, config: ModelConfig) -> Path:
        """Write the file that :meth:`of` reads."""
        layout = {
            "for": structure(config),
            "size": self.size,
            "constants": {
                offset: base64.b64encode(content).decode()
                for offset, content in self.constants.items()
            },
            "weights": self.weights,
            "shapes": self.shapes,
        }
        path = _FOLDER / f"{config.name}.zip"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            for name, text in ((_NETWORK, self.network), (_LAYOUT, json.dumps(layout))):
                # Without the time, so that the same graph is the same file.
                file.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
        return path

    def fill(self, config: ModelConfig, tensors: Mapping[str, np.ndarray]) -> ov.Model | None:
        """The network with weights, from bands (N, B, H, W) to probabilities (N, H, W), float32.

        Args:
            config: Holds the scaling and the temperature.
            tensors: The weights by name.

        Returns:
            None where the weights are not those of this network, or damaged.
        """
        if {name: tensor.shape for name, tensor in tensors.items()} != self.shapes:
            return None
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            return None
        if any(tensors[name].dtype.kind != "f" for name in self.weights.keys() & tensors.keys()):
            return None
        numbers = dict(tensors)
        for name in SCALING:
            numbers[f"scaling.{name}"] = np.array(getattr(config.scaling, name))
        numbers["temperature"] = np.array(config.temperature)
        content = np.zeros(self.size, dtype=np.uint8)
        for offset, constant in self.constants.items():
            content[offset : offset + len(constant)] = np.frombuffer(constant, dtype=np.uint8)
        for name, offset in self.weights.items():
            values = np.ascontiguousarray(numbers[name], dtype=np.float32)
            content[offset : offset + values.nbytes] = values.reshape(-1).view(np.uint8)
        network = ov.Core().read_model(self.network.encode(), ov.Tensor(content))
        return fused(network)


def structure(config: ModelConfig) -> dict[str, object]:
    """What a graph is made for."""
    return {
        "architecture": config.architecture,
        "encoder": config.encoder,
        "bands": config.bands,
        "channels": config.channels,
        "statistics": config.scaling.statistics,
    }


def fused(network: ov.Model) -> ov.Model:
    """A network whose normalisation is part of its convolutions, where marks on them last."""
    apply_moc_transformations(network, cf=False)
    return network
