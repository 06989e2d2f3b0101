"""From a model folder to a predictor: what computes a network on this machine."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Unpack

from landslide_zoo.errors import ModelError
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.inference.predict import LoadedPredictor
from landslide_zoo.models.config import EnsembleConfig, read_config
from landslide_zoo.models.folder import CONFIG, Download, find_folder, member_folders, read_record

Backend = Literal["auto", "torch", "openvino", "openvino-int8"]
"""What computes a network.

- ``torch``: PyTorch in float32, the reference.
- ``openvino``: OpenVINO on a processor, several times faster.
- ``openvino-int8``: the same in eight bits, where the model folder has ranges for it: faster
  again, and a pixel in some hundreds differs.
- ``auto``: the fastest that is there: PyTorch on a GPU, else OpenVINO, else PyTorch.
"""

_DRIVERS = ("/proc/driver/nvidia", "/dev/kfd", "/dev/dxg")
"""What a machine with a GPU has: NVIDIA's driver, AMD's, and either one's in Windows' Linux."""


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
    if backend == "torch":
        from landslide_zoo.inference.backends.torch import TorchPredictor

        return TorchPredictor.from_folder(folder, device, half=False)
    installed = find_spec("openvino") is not None
    if backend.startswith("openvino"):
        if not installed:
            raise ModelError("OpenVINO is not installed: pip install openvino, or name torch.")
        if device not in ("auto", "cpu"):
            raise ModelError(f"OpenVINO computes on cpu, not on {device}: name torch for that.")
    elif not installed or _is_gpu(device):
        from landslide_zoo.inference.backends.torch import TorchPredictor

        return TorchPredictor.from_folder(folder, device)
    from landslide_zoo.inference.backends.openvino import OpenVinoPredictor

    return OpenVinoPredictor.from_folder(folder, eight_bits=backend == "openvino-int8")


def release_memory() -> None:
    """Give back the memory that networks keep for another batch as large as their last."""
    if "openvino" in sys.modules:
        from landslide_zoo.inference.backends import processor

        processor.release_memory()


def _load_ensemble(folder: Path, config: EnsembleConfig, backend: Backend, device: str) -> Ensemble:
    folders = member_folders(folder)
    for name, member in folders.items():
        own = read_config(member / CONFIG)
        if isinstance(own, EnsembleConfig):
            raise ModelError(f"{name} in {folder} is an ensemble itself: name its members instead.")
        lacking = set(own.bands) - set(config.bands)
        if lacking or (config.unit, own.unit) == ("display", "physical"):
            raise ModelError(
                f"{name} in {folder} reads {', '.join(own.bands)} ({own.unit}), and the ensemble "
                f"{', '.join(config.bands)} ({config.unit}): write down what all members need."
            )
    record = read_record(folder)
    members = [load_predictor(member, backend, device) for member in folders.values()]
    return Ensemble(members, config.name, config, record, folder)


def _is_gpu(device: str) -> bool:
    """Whether a device is a GPU; torch takes a second to import and is asked only if need be."""
    if device == "cpu" or (device == "auto" and not any(Path(one).exists() for one in _DRIVERS)):
        return False
    from landslide_zoo.inference.model import choose_device

    return choose_device(device).type != "cpu"
