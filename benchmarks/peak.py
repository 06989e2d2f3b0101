"""What the machine can compute at most, as measured, and what a network asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import openvino as ov
import torch
from measuring import in_turn, significant
from openvino import opset13 as ops
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_SIDES = (512, 1024, 2048)
"""Rows and columns of the matrices."""
_CONVOLUTIONS = ((1, 256, 32), (1, 128, 64), (4, 256, 64))
"""Patches, channels and side of 3x3 convolutions of a kind that the networks are full of."""
TYPES = {"float32": "f32", "bfloat16": "bf16"}


def operations(network: nn.Module, values: np.ndarray) -> int:
    """Floating-point operations of a network's products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        network(torch.from_numpy(values))
    return counter.get_total_flops()


def measured_peaks(rounds: int) -> dict[str, dict[str, float]]:
    """Billions of operations a second by number type: matrix products, and convolutions.

    The fastest of several sizes, by PyTorch or OpenVINO.
    """
    found = {}
    for name, hint in TYPES.items():
        products = [
            _rate(2 * side**3, [(side, side), (side, side)], name, hint, rounds) for side in _SIDES
        ]
        convolutions = [
            _rate(
                2 * 9 * width**2 * side**2 * count,
                [(count, width, side, side), (width, width, 3, 3)],
                name,
                hint,
                rounds,
            )
            for count, width, side in _CONVOLUTIONS
        ]
        found[name] = {"matrix product": max(products), "convolution": max(convolutions)}
    return found


def _rate(work: int, shapes: list[tuple[int, ...]], name: str, hint: str, rounds: int) -> float:
    """Billions of operations a second of the faster of two ways."""
    taken = in_turn(_ways(shapes, name, hint), rounds, calls=5)
    return significant(work / 1e6 / min(spread["median"] for spread in taken.values()))


def _ways(shapes: list[tuple[int, ...]], dtype: str, hint: str) -> dict[str, Callable[[], object]]:
    generator = np.random.default_rng(0)
    left, right = (generator.standard_normal(shape, dtype=np.float32) for shape in shapes)
    a, b = (torch.from_numpy(one).to(getattr(torch, dtype)) for one in (left, right))
    given, weights = ops.parameter(left.shape, np.float32), ops.constant(right)
    by_torch: Callable[[], object]
    if len(shapes[0]) == 2:
        by_torch = partial(torch.mm, a, b)
        node = ops.matmul(given, weights, False, False)
    else:
        a, b = (one.to(memory_format=torch.channels_last) for one in (a, b))
        by_torch = partial(nn.functional.conv2d, a, b, padding=1)
        node = ops.convolution(given, weights, [1, 1], [1, 1], [1, 1], [1, 1])
    settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(ov.Model([node], [given]), "CPU", settings)
    request = compiled.create_infer_request()
    return {"torch": by_torch, "openvino": partial(request.infer, [left], share_inputs=True)}
