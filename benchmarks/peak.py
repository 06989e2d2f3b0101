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

_SIDE = 2048
"""Rows and columns of the matrices."""
_CHANNELS, _PIXELS, _BATCH = 256, 64, 8
"""A 3x3 convolution of a kind that the networks are full of."""
TYPES = {"float32": "f32", "bfloat16": "bf16"}


def operations(network: nn.Module, values: np.ndarray) -> int:
    """Floating-point operations of a network's products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        network(torch.from_numpy(values))
    return counter.get_total_flops()


def measured_peaks(rounds: int) -> dict[str, dict[str, float]]:
    """Billions of operations a second by number type: a matrix product, and a convolution.

    The faster of PyTorch's and OpenVINO's each.
    """
    work = {
        "matrix product": 2 * _SIDE**3,
        "convolution": 2 * 9 * _CHANNELS**2 * _PIXELS**2 * _BATCH,
    }
    found = {}
    for name, hint in TYPES.items():
        found[name] = {
            kind: significant(max(work[kind] / 1e6 / spread["median"] for spread in taken.values()))
            for kind in work
            for taken in [in_turn(_ways(kind, name, hint), rounds, calls=3)]
        }
    return found


def _ways(kind: str, dtype: str, hint: str) -> dict[str, Callable[[], object]]:
    generator = np.random.default_rng(0)
    shapes: list[tuple[int, ...]]
    if kind == "matrix product":
        shapes = [(_SIDE, _SIDE), (_SIDE, _SIDE)]
    else:
        shapes = [(_BATCH, _CHANNELS, _PIXELS, _PIXELS), (_CHANNELS, _CHANNELS, 3, 3)]
    left, right = (generator.standard_normal(shape, dtype=np.float32) for shape in shapes)
    a, b = (torch.from_numpy(one).to(getattr(torch, dtype)) for one in (left, right))
    given, weights = ops.parameter(left.shape, np.float32), ops.constant(right)
    by_torch: Callable[[], object]
    if kind == "matrix product":
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
