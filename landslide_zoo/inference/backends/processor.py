"""The processor as OpenVINO knows it: networks compiled for it, and what they depend on."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from weakref import WeakSet

import openvino as ov

from landslide_zoo.inference.backends.compiled import CompiledCache

TYPES = {"bf16": "bfloat16", "f32": "float32"}
"""Number types by OpenVINO's name, the fastest first."""
_DEVICE = "CPU"
_in_use: WeakSet[ov.CompiledModel] = WeakSet()


@cache
def _core() -> ov.Core:
    return ov.Core()


def compile_network(network: ov.Model, precision: str) -> ov.CompiledModel:
    """Compile a network for a number type, by OpenVINO's name."""
    compiled = _core().compile_model(network, _DEVICE, _settings(precision))
    _in_use.add(compiled)
    return compiled


def read_network(path: Path) -> ov.Model:
    """A network from an ONNX file, not compiled."""
    return _core().read_model(path)


def write_compiled(key: str, compiled: ov.CompiledModel) -> int:
    """Keep a compiled network on disk if that can be; its size in bytes."""
    exported = compiled.export_model()
    blob = exported if isinstance(exported, bytes) else exported.getvalue()
    CompiledCache().write(key, blob)
    return len(blob)


def read_compiled(key: str, precision: str) -> tuple[ov.CompiledModel, int] | None:
    """A network that was kept on disk, and its size in bytes; None where it is not there."""
    kept = CompiledCache()
    blob = kept.read(key)
    if blob is None:
        return None
    try:
        compiled = _core().import_model(BytesIO(blob), _DEVICE, _settings(precision))
    except RuntimeError:  # whole, but OpenVINO does not take it: made again
        kept.remove(key)
        return None
    _in_use.add(compiled)
    return compiled, len(blob)


def release_memory() -> None:
    """Give back what networks took for their last batch; the next one takes what it needs."""
    for compiled in list(_in_use):
        with contextlib.suppress(RuntimeError):  # it is at work
            compiled.release_memory()


@cache
def precisions() -> list[str]:
    """The number types that may be computed in here, the fastest first, float32 last."""
    able = _core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
    return [name for name in TYPES if name.upper() in able or name == "f32"]


@cache
def identity() -> tuple[str, str, str]:
    """OpenVINO's version and the processor, on which what is compiled depends."""
    return (
        ov.get_version(),
        str(_core().get_property(_DEVICE, "FULL_DEVICE_NAME")),
        str(_core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")),
    )


def _settings(precision: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision if precision in TYPES else precisions()[0],
        "PERFORMANCE_HINT": "LATENCY",
    }
    threads = os.environ.get("OMP_NUM_THREADS", "")  # as PyTorch takes it
    if threads.isdecimal() and int(threads):
        settings["INFERENCE_NUM_THREADS"] = int(threads)
    return settings
