"""OpenVINO on a processor: a network is converted and compiled once and then kept on disk."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

import numpy as np
import openvino as ov
from safetensors import SafetensorError
from safetensors.numpy import load_file

from landslide_zoo import __version__
from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.backends.graphs import Graph
from landslide_zoo.inference.backends.precision import keep_start_exact
from landslide_zoo.inference.backends.processor import (
    TYPES,
    compile_network,
    identity,
    precisions,
    read_compiled,
    write_compiled,
)
from landslide_zoo.inference.backends.quantization import Ranges
from landslide_zoo.inference.predict import PatchPredictor
from landslide_zoo.io import file_sha256
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.folder import CONFIG, read_record, weights_files
from landslide_zoo.models.record import Record

if TYPE_CHECKING:
    from landslide_zoo.inference.model import LandslideModel

_FORMAT = 1
"""Counts up when what is made of a network changes."""
_INT8 = "int8"
"""Eight bits where a network's ranges say so, and the fastest number type elsewhere."""
_SAMPLES = Path(str(resources.files("landslide_zoo"))) / "web" / "samples"
"""Real patches with all bands; data of the package, whatever else is installed."""
_AGREEMENT = 0.9995
"""Share of the samples' pixels on which a faster number type must agree with float32."""
_WEIGHTS_AGAIN, _KERNELS = 1.6, 50 * 2**20
"""What a network takes in memory: its weights, most of them again in the order in which they are
used, and its kernels, as measured on a MobileNet, an EfficientNet, a ResNet and a VGG."""
_BAD_FOLDER = 3
"""Exit status of a process that cannot convert a folder, and has said why."""

_Compiled = tuple[ov.CompiledModel, str, int]
"""A compiled network, its number type by OpenVINO's name, and the bytes that it takes in memory."""


class OpenVinoPredictor(PatchPredictor):
    """A network that OpenVINO computes on the processor.

    Several threads may share it; one at a time is computed, on all cores.

    Args:
        config: The model's configuration.
        record: Its record, if it has one.
        compiled: The compiled network, from bands (N, B, H, W) to probabilities (N, H, W).
        precision: The number type that it was compiled for, by OpenVINO's name.
        nbytes: Bytes that it takes in memory.
    """

    def __init__(
        self,
        config: ModelConfig,
        record: Record | None,
        compiled: ov.CompiledModel,
        precision: str,
        nbytes: int,
    ) -> None:
        self.config = config
        self.record = record
        self.nbytes = nbytes
        self._precision = precision
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    @classmethod
    def from_folder(cls, folder: Path, eight_bits: bool = False) -> Self:
        """Load a model folder that is on this machine.

        What is kept on disk goes by the weights' own digest, and weights that are
        not those of their network are left to PyTorch, which says what is wrong.

        Args:
            folder: The folder.
            eight_bits: Whether to round to eight bits, within the ranges that it holds.

        Raises:
            ModelError: If its files are missing or do not fit each other.
        """
        config = ModelConfig.read(folder / CONFIG)
        (weights,) = weights_files(folder)
        digest = file_sha256(weights)
        record, key = read_record(folder), _key(config, digest)
        if eight_bits:
            return cls(config, record, *_rounded(folder, key, digest))
        found = _kept(key)
        network = None if found else _from_graph(config, weights)
        if found is None and network is None and "torch" not in sys.modules:
            _convert_elsewhere(folder)
            found = _kept(key)
        if found is None:
            compiled = _compile_checked(network or _converted(folder), config)
            found = _written(key, *compiled)
        return cls(config, record, *found)

    @classmethod
    def from_model(cls, model: LandslideModel, precision: str | None = None) -> Self:
        """Convert a model that is in memory; nothing is kept on disk.

        Args:
            model: The model, on the processor.
            precision: ``bf16`` or ``f32``; the fastest that gives the same masks where None.
        """
        graph = Graph.of(model.config)
        tensors = {name: tensor.numpy() for name, tensor in model.network.state_dict().items()}
        network = graph.fill(model.config, tensors) if graph else None
        if network is None:
            from landslide_zoo.inference.backends.conversion import convert

            network = convert(model)
        if precision is None:
            compiled, precision = _compile_checked(network, model.config)
        else:
            compiled = _compile(network, precision)
        return cls(model.config, model.record, compiled, precision, model.nbytes)

    @property
    def backend(self) -> str:
        """What computes it, for the result."""
        return f"openvino {TYPES.get(self._precision, self._precision)}"

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Landslide probabilities (N, H, W), float32, from bands (N, B, H, W), float32."""
        values = np.ascontiguousarray(values, dtype=np.float32)
        with self._lock:
            return self._request.infer([values], share_inputs=True)[0]


def _kept(key: str, wanted: Sequence[str] | None = None) -> _Compiled | None:
    """A network as it is kept on disk; None where it is not."""
    for precision in wanted or precisions():
        if found := read_compiled(f"{key}-{precision}", precision):
            compiled, size = found
            return compiled, precision, _in_memory(size)
    return None


def _written(key: str, compiled: ov.CompiledModel, precision: str) -> _Compiled:
    """A compiled network, kept on disk if that can be."""
    return compiled, precision, _in_memory(write_compiled(f"{key}-{precision}", compiled))


def _in_memory(size: int) -> int:
    return int(_WEIGHTS_AGAIN * size) + _KERNELS


def _rounded(folder: Path, key: str, digest: str) -> _Compiled:
    """A network in eight bits, as it is kept on disk, else compiled and kept."""
    ranges = Ranges.read(folder)
    key = f"{key}-{ranges.digest}"
    if found := _kept(key, (_INT8,)):
        return found
    network = load_network(folder)
    ranges.apply(network, digest)
    return _written(key, _compile(network, _INT8), _INT8)


def _convert_elsewhere(folder: Path) -> None:
    """Convert a network in a process of its own, which takes PyTorch and its memory away again.

    Raises:
        ModelError: What it says of the folder.
    """
    code = f"import sys; from {__name__} import convert_folder; sys.exit(convert_folder())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == _BAD_FOLDER:
        raise ModelError(done.stdout.strip())


def convert_folder() -> int:
    """Be that process; its exit status."""
    import torch  # noqa: F401 - so that it is this process that converts

    try:
        OpenVinoPredictor.from_folder(Path(sys.argv[1]))
    except ModelError as error:
        print(error)
        return _BAD_FOLDER
    return 0


def load_network(folder: Path) -> ov.Model:
    """The network of a model folder, from bands to probabilities, not compiled.

    Raises:
        ModelError: If its files are missing or do not fit each other.
    """
    (weights,) = weights_files(folder)
    return _from_graph(ModelConfig.read(folder / CONFIG), weights) or _converted(folder)


def _converted(folder: Path) -> ov.Model:
    """The network of a model folder as PyTorch has it."""
    from landslide_zoo.inference.backends.conversion import convert
    from landslide_zoo.inference.model import LandslideModel

    return convert(LandslideModel.from_folder(folder, device="cpu"))


def _from_graph(config: ModelConfig, weights: Path) -> ov.Model | None:
    """A network without PyTorch; None where there is no graph for it, or the weights do not fit."""
    graph = Graph.of(config)
    try:
        return graph.fill(config, load_file(weights)) if graph else None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError):
        return None  # PyTorch says what is wrong


def _compile_checked(network: ov.Model, config: ModelConfig) -> tuple[ov.CompiledModel, str]:
    """Compile in the fastest number type that gives the masks of float32 on the samples."""
    *faster, exact = precisions()
    reference = _compile(network, exact)
    for precision in faster:
        compiled = _compile(network, precision)
        if _agreement(config, reference, compiled) >= _AGREEMENT:
            return compiled, precision
    return reference, exact


def _agreement(config: ModelConfig, one: ov.CompiledModel, other: ov.CompiledModel) -> float:
    """Share of the pixels of the package's samples on which two networks have one mask."""
    patches = [read_patch(path) for path in sorted(_SAMPLES.glob("*.h5"))]
    predictors = [OpenVinoPredictor(config, None, each, "f32", 0) for each in (one, other)]
    masks = [np.stack([found.mask for found in each.predict(patches)]) for each in predictors]
    return float((masks[0] == masks[1]).mean())


def _compile(network: ov.Model, precision: str) -> ov.CompiledModel:
    marked = keep_start_exact(network) if precision == "bf16" else network
    return compile_network(marked, precision)


def _key(config: ModelConfig, weights_sha256: str) -> str:
    """What a compiled network depends on."""
    parts = (
        str(_FORMAT),
        __version__,
        *identity(),
        weights_sha256,
        config.model_dump_json(exclude={"name", "rules"}),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
