"""From a model folder to a predictor: what computes a network on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from landslide_zoo.errors import ModelError
from landslide_zoo.inference.ensembles import Ensemble
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, read_config
from landslide_zoo.models.files import CONFIG, RECORD, ensemble_sha256, member_folder
from landslide_zoo.models.prediction import LoadedPredictor
from landslide_zoo.models.record import Record

Backend = Literal["auto", "torch", "openvino"]
"""``torch`` is the reference, in float32; ``openvino`` is faster on a processor; ``auto``
is the fastest that is there."""


def load_predictor(
    folder: Path, backend: Backend = "auto", device: str = "auto"
) -> LoadedPredictor:
    """Load a model folder, or that of an ensemble with its members.

    Args:
        folder: The folder, on this machine.
        backend: What computes the network.
        device: ``auto`` (a GPU where there is one), or a torch device.

    Raises:
        ModelError: If files are missing or do not fit each other, or the backend
            is not there.
    """
    config = read_config(folder / CONFIG)
    if isinstance(config, ModelConfig):
        return _load_model(folder, backend, device)
    return _load_ensemble(folder, config, backend, device)


def _load_model(folder: Path, backend: Backend, device: str) -> LoadedPredictor:
    from landslide_zoo.models.model import LandslideModel

    return LandslideModel.from_folder(folder, device=device)


def _load_ensemble(folder: Path, config: EnsembleConfig, backend: Backend, device: str) -> Ensemble:
    folders = [member_folder(folder, name) for name in config.members]
    for name, member in zip(config.members, folders, strict=True):
        own = read_config(member / CONFIG)
        if isinstance(own, EnsembleConfig):
            raise ModelError(f"{name} in {folder} is an ensemble itself: name its members instead.")
        if not set(own.bands) <= set(config.bands) or (config.unit, own.unit) == (
            "display",
            "physical",
        ):
            raise ModelError(
                f"{name} in {folder} reads {', '.join(own.bands)} ({own.unit}), and the ensemble "
                f"{', '.join(config.bands)} ({config.unit}): write down what all members need."
            )
    record = Record.read(folder / RECORD) if (folder / RECORD).is_file() else None
    if record and record.weights_sha256 not in (None, ensemble_sha256(folder, config.members)):
        raise ModelError(
            f"{folder / RECORD} was written for other members (the SHA-256 of their weights "
            "differs): copy the ensemble and its members again."
        )
    members = [_load_model(member, backend, device) for member in folders]
    return Ensemble(members, config.name, config, record)
