"""From a model to a predictor: what computes its network on this machine.

A GPU computes in PyTorch. A processor computes in OpenVINO: a network is converted once and kept
in the cache folder by the digest of its weights, beside what OpenVINO compiles of it, so that the
next process needs no PyTorch.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

from landslide_zoo.data.readers import read_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.predict import LoadedPredictor, PatchPredictor, run_network
from landslide_zoo.io import file_sha256
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, read_config
from landslide_zoo.models.folder import (
    CONFIG,
    Download,
    find_folder,
    member_folders,
    read_record,
    weights_sha256,
)
from landslide_zoo.models.record import Record
from landslide_zoo.settings import Backend, Settings

if TYPE_CHECKING:
    import openvino as ov

    from landslide_zoo.inference.model import LandslideModel

logger = logging.getLogger(__name__)

_FORMAT = 1
"""Counts up when the same weights and configuration give another network."""
NO_PART_OF_NETWORK = {"name", "threshold", "rules"}
"""Fields of a configuration that change no probability."""
_DRIVERS = ("/proc/driver/nvidia", "/dev/kfd", "/dev/dxg")
"""What a machine with a GPU has: NVIDIA's driver, AMD's, and either one's in Windows' Linux."""
_TYPES = {"bf16": "bfloat16", "f32": "float32"}
"""Number types by OpenVINO's name."""
_SAMPLES = Path(str(resources.files("landslide_zoo"))) / "web" / "samples"
_AGREEMENT = 0.9995
"""Share of the samples' pixels on which bfloat16 must agree with float32."""


def load_predictor(
    name: str | Path,
    backend: Backend = "auto",
    device: str = "auto",
    **download: Unpack[Download],
) -> LoadedPredictor:
    """Load a model, or an ensemble with its members.

    Args:
        name: As :func:`~landslide_zoo.models.folder.find_folder` takes it.
        backend: What computes the network.
        device: ``auto`` (a GPU where there is one), or a torch device.
        download: How it is downloaded from the Hub, such as ``revision``.

    Raises:
        ModelError: If files are missing or do not fit each other, or the backend
            cannot be had.
        HubError: If the Hub does not give it.
    """
    folder = find_folder(name, **download)
    config = read_config(folder / CONFIG)
    if isinstance(config, EnsembleConfig):
        return _load_ensemble(folder, config, backend, device)
    if backend == "openvino" and device not in ("auto", "cpu"):
        raise ModelError(f"OpenVINO computes on cpu, not on {device}: name torch for that.")
    if backend == "torch" or (backend == "auto" and _is_gpu(device)):
        from landslide_zoo.inference.model import LandslideModel, TorchPredictor

        return TorchPredictor(LandslideModel.from_folder(folder, device), backend == "auto")
    return OpenVinoPredictor.from_folder(folder)


def _load_ensemble(folder: Path, config: EnsembleConfig, backend: Backend, device: str) -> Ensemble:
    places = member_folders(folder).values()
    members = [load_predictor(member, backend, device) for member in places]
    return Ensemble(members, config.name, config, read_record(folder), folder)


def _is_gpu(device: str) -> bool:
    """Whether a device is a GPU; torch takes a second to import and is asked only if need be."""
    if device == "cpu" or (device == "auto" and not any(map(os.path.exists, _DRIVERS))):
        return False
    from landslide_zoo.inference.model import choose_device

    return choose_device(device).type != "cpu"


class ModelCache:
    """Models by name, loaded on first use.

    Two callers that want one model at once wait for one load; callers that want
    different models do not wait for each other. Nothing is kept for a name that
    cannot be loaded.

    Args:
        load: Loads a model by name, and takes what :meth:`get` is given besides.
        limit: How many bytes of weights are kept. A model larger than that is
            kept alone, until another is asked for.
    """

    def __init__(self, load: Callable[..., LoadedPredictor], limit: int) -> None:
        self._load = load
        self._limit = limit
        self._models: OrderedDict[str, LoadedPredictor] = OrderedDict()
        self._loading: dict[str, Lock] = {}

    @property
    def names(self) -> list[str]:
        """The models that are held, the least recently used first."""
        return list(self._models)

    @property
    def size(self) -> int:
        """Bytes of weights that are held."""
        return sum(model.nbytes for model in list(self._models.values()))

    def get(self, name: str, **options: Any) -> LoadedPredictor:  # noqa: ANN401 - load's own
        """The model of that name, loaded if it is not held.

        Args:
            name: Name of the model.
            options: Handed to ``load`` where the model is not held.

        Raises:
            LandslideZooError: If it cannot be loaded; the next call tries again.
        """
        with self._loading.setdefault(name, Lock()):
            model = self._models.pop(name, None) or self._load(name, **options)
            self._models[name] = model  # the most recently used is the last
            while self.size > self._limit and len(self._models) > 1:
                self._models.popitem(last=False)
            return model


class OpenVinoPredictor(PatchPredictor):
    """A network that OpenVINO computes on the processor.

    Several threads may share it; one at a time is computed, on all cores.

    Args:
        config: The model's configuration.
        record: Its record, if it has one.
        compiled: The compiled network, from bands (N, B, H, W) to logits (N, 1, H, W).
        precision: The number type that it was compiled for, by OpenVINO's name.
        nbytes: Bytes of its weights.
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
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Load a model folder that is on this machine.

        Raises:
            ModelError: If its files are missing or do not fit each other.
        """

        def load() -> LandslideModel:
            from landslide_zoo.inference.model import LandslideModel

            return LandslideModel.from_folder(folder, "cpu")

        config = ModelConfig.read(folder / CONFIG)
        return cls.of(config, read_record(folder), weights_sha256(folder), load)

    @classmethod
    def of(
        cls,
        config: ModelConfig,
        record: Record | None,
        digest: str | None,
        load: Callable[[], LandslideModel],
    ) -> Self:
        """The network of a model as it is in the cache folder, else converted and kept there.

        Args:
            config: The model's configuration.
            record: Its record, if it has one.
            digest: SHA-256 of its weights; None where it is in memory alone and is not kept.
            load: Gives the model, in evaluation mode and on the processor.
        """
        if digest is not None:
            parts = f"{_FORMAT} {digest} {config.model_dump_json(exclude=NO_PART_OF_NETWORK)}"
            stem = hashlib.sha256(parts.encode()).hexdigest()
            for precision in _precisions():
                path = _cache_folder() / f"{stem}-{precision}.xml"
                with suppress(OSError, RuntimeError):  # not there, or damaged: it is made again
                    size = path.with_suffix(".bin").stat().st_size
                    return cls(config, record, _compile(path, precision), precision, size)
        model = load()
        network = _convert(model)
        precision = _precision(network, config)
        if digest is not None:
            network = _keep(network, _cache_folder() / f"{stem}-{precision}.xml")
        return cls(config, record, _compile(network, precision), precision, model.nbytes)

    @property
    def backend(self) -> str:
        """What computes it, for the result."""
        return f"openvino {_TYPES[self._precision]}"

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Landslide probabilities (N, H, W), float32, from bands (N, B, H, W), float32."""
        values = np.ascontiguousarray(values, dtype=np.float32)
        with self._lock, np.errstate(over="ignore"):
            logits = self._request.infer([values], share_inputs=True)[0][:, 0]
            return 1 / (1 + np.exp(-logits))


def compile_onnx(path: Path, shape: Sequence[int]) -> ov.CompiledModel:
    """Compile an ONNX file for inputs of a shape, -1 where any length will do."""
    kept, precision = _cache_folder() / f"{path.stem}-{file_sha256(path)}.xml", _precisions()[0]
    with suppress(RuntimeError):  # not there, or damaged: it is made again
        return _compile(kept, precision)
    network = _core().read_model(path)
    network.reshape(list(shape))
    return _compile(_keep(network, kept), precision)


@cache
def _core() -> ov.Core:
    # Importing and converting report to OpenVINO's makers unless this package is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


def _convert(model: LandslideModel) -> ov.Model:
    """A model as a network from bands (N, B, H, W) to logits, for any N, H and W."""
    _core()
    import openvino
    import torch

    bands = len(model.config.bands)
    example = torch.rand(2, bands, 32, 64)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on sizes, which stay dynamic all the same
        traced = torch.jit.trace(model, example, check_trace=False)  # convert_model does it thrice
        return openvino.convert_model(traced, example_input=example, input=[-1, bands, -1, -1])


def _compile(network: ov.Model | Path, precision: str) -> ov.CompiledModel:
    """Compile a network, or a file of one, which is kept compiled."""
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    threads = os.environ.get("OMP_NUM_THREADS", "")  # as PyTorch takes it
    if threads.isdecimal() and int(threads):
        settings["INFERENCE_NUM_THREADS"] = int(threads)
    if isinstance(network, Path):
        settings["CACHE_DIR"] = str(_cache_folder())
    return _core().compile_model(network, "CPU", settings)


def _keep(network: ov.Model, path: Path) -> ov.Model | Path:
    """Write a network to a file, each of its two parts whole; the network where that cannot be."""
    import openvino

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            new = Path(folder) / path.name
            openvino.save_model(network, new, compress_to_fp16=False)
            for suffix in (".bin", ".xml"):
                os.replace(new.with_suffix(suffix), path.with_suffix(suffix))
    except (OSError, RuntimeError) as error:
        logger.warning("%s keeps no network: %s", path.parent, error)
        return network
    return path


def _cache_folder() -> Path:
    return Settings.from_environment().cache / "networks"


@cache
def _precisions() -> list[str]:
    """The number types that may be computed in here, the fastest first, float32 last."""
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [name for name in _TYPES if name.upper() in able or name == "f32"]


def _precision(network: ov.Model, config: ModelConfig) -> str:
    """The fastest number type that gives the masks of float32 on the package's samples."""
    *faster, exact = _precisions()
    if not faster:
        return exact
    patches = [read_patch(path) for path in sorted(_SAMPLES.glob("*.h5"))]

    def masks(precision: str) -> np.ndarray:
        predictor = OpenVinoPredictor(config, None, _compile(network, precision), precision, 0)
        return np.stack(run_network(predictor, patches)) >= config.threshold

    reference = masks(exact)
    return next((name for name in faster if (masks(name) == reference).mean() >= _AGREEMENT), exact)
