"""Which layers of an OpenVINO network stay float32 where the others are computed in fewer bits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openvino as ov

_EXACT_SHARE = 0.06
"""Share of a network's multiplications, from its input on, that stay float32 beside bfloat16.

The first layers see single pixels, and eight bits blur those: with all of the network in
bfloat16 the F1 of a bundled model moved by 0.0018; with this share in float32 no F1 of four
trained models moved by more than 0.0005, and 99.98 % of the pixels were the same.
"""
CONVOLUTIONS = ("Convolution", "GroupConvolution")
_NO_LAYERS = ("Const", "Parameter", "Result")
_SIDE = 128
"""Height and width for which multiplications are counted."""


def keep_start_exact(network: ov.Model) -> ov.Model:
    """A copy whose first layers stay float32 where the others are computed in fewer bits.

    They are marked in OpenVINO's own file format, the only way that Python has.
    """
    names = first_layers(network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        ov.serialize(network, path)
        tree = ElementTree.parse(path)
        for layer in tree.iterfind("layers/layer"):
            if layer.get("name") in names and layer.get("type") not in _NO_LAYERS:
                notes = layer.find("rt_info")
                if notes is None:
                    notes = ElementTree.Element("rt_info")
                    layer.insert(0 if layer.find("data") is None else 1, notes)
                ElementTree.SubElement(notes, "attribute", name="precise", version="0")
        tree.write(path)
        return ov.Core().read_model(path)


def first_layers(network: ov.Model) -> set[str]:
    """Names of the layers that hold the first multiplications of a network."""
    bands = network.input(0).partial_shape[1]
    sized = network.clone()
    sized.reshape([1, bands.get_length(), _SIDE, _SIDE])
    counts = {op.get_friendly_name(): _multiplications(op) for op in sized.get_ordered_ops()}
    limit = _EXACT_SHARE * sum(counts.values())
    names, total = set(), 0
    for name, count in counts.items():
        total += count
        if total > limit:
            break
        names.add(name)
    return names


def _multiplications(op: ov.Node) -> int:
    kind = op.get_type_name()
    if kind in (*CONVOLUTIONS, "ConvolutionBackpropData"):
        weights = int(np.prod(op.input_value(1).shape))
        # A transposed convolution uses each weight once for each pixel that goes in.
        pixels = op.input_value(0) if kind == "ConvolutionBackpropData" else op.output(0)
        return weights * int(np.prod(pixels.shape[2:]))
    if kind == "MatMul":
        transposed = op.get_attributes()["transpose_a"]
        return int(np.prod(op.output(0).shape)) * op.input_value(0).shape[-2 if transposed else -1]
    return 0
