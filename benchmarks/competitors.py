"""Ways from a patch to the picture of its landslides: the study's app's, and plain smp's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot
from torch import nn

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.models.config import catalog_config
from landslide_zoo.models.networks import build_network

mpl.use("Agg")

STREAMLIT: Mapping[str, Any] = {"dpi": 200, "bbox_inches": "tight"}
"""How Streamlit's ``pyplot`` has a figure drawn."""
MATPLOTLIB: Mapping[str, Any] = {}
"""How matplotlib draws one by itself, at half that resolution."""


@dataclass(frozen=True)
class Study:
    """The app of the study, github.com/HarshShinde0/Deepslide, ``src/streamlit_app.py``.

    For every file it builds the network, reads its pickled weights, runs it, and draws.
    Left out is what would make it slower still: it starts from the encoder's ImageNet
    weights, which it downloads, and Streamlit itself.

    Attributes:
        name: The network's name in the catalog.
        weights: Its ``state_dict``, pickled.
    """

    name: str
    weights: Path

    def detect(self, path: Path) -> tuple[bytes, bytes]:
        """The three panels as PNG and the probability, from a file."""
        return results(path, self.network(), self.name, STREAMLIT)

    def network(self) -> nn.Module:
        """The network, built and filled."""
        network = build_network(catalog_config(self.name))
        network.load_state_dict(torch.load(self.weights, map_location="cpu", weights_only=False))
        return network.eval()


def results(
    path: Path, network: nn.Module, name: str, drawn: Mapping[str, Any] = MATPLOTLIB
) -> tuple[bytes, bytes]:
    """What PyTorch and matplotlib make of a file: three panels, and the probability."""
    values = read(path, name)
    probability = eager(network, values)[0]
    return panels(values[0], probability, drawn), probability.tobytes()


def read(path: Path, name: str) -> np.ndarray:
    """The network's bands (1, C, H, W) of a file, float32, scaled by their maximum."""
    with h5py.File(path) as file:
        bands = file["img"][:]
    places = [BAND_NAMES.index(band) for band in catalog_config(name).bands]
    values = bands[:, :, places].transpose(2, 0, 1)[None].astype(np.float32)
    return values / values.max()


@torch.no_grad()
def eager(network: nn.Module, values: np.ndarray) -> np.ndarray:
    """Probabilities (N, H, W) by plain PyTorch in float32."""
    return torch.sigmoid(network(torch.from_numpy(values)))[:, 0].numpy()


def panels(values: np.ndarray, probability: np.ndarray, drawn: Mapping[str, Any]) -> bytes:
    """The input, the mask, and the one over the other, as the study draws them; PNG."""
    picture, mask = values[:3].transpose(1, 2, 0), probability > 0.5
    figure, (first, second, third) = pyplot.subplots(1, 3, figsize=(15, 5))
    first.imshow(picture)
    first.set_title("Input Image")
    second.imshow(mask, cmap="plasma")
    second.set_title("Prediction")
    third.imshow(picture)
    third.imshow(mask, cmap="plasma", alpha=0.3)
    third.set_title("Overlay")
    file = io.BytesIO()
    figure.savefig(file, format="png", **drawn)
    pyplot.close(figure)
    return file.getvalue()
