"""A landslide model: a network that owns its input, and its folder."""

from __future__ import annotations

import copy
import tempfile
import zlib
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np
import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import nn
from torch.nn import functional

from landslide_zoo.errors import ModelError
from landslide_zoo.inference.backends import NO_PART_OF_NETWORK, OpenVinoPredictor
from landslide_zoo.inference.predict import PatchPredictor, Predictor
from landslide_zoo.io import file_sha256
from landslide_zoo.models.card import push_folder, render_card
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, catalog_config, read_config
from landslide_zoo.models.folder import (
    CONFIG,
    LIBRARY,
    RECORD,
    TRAIN_CONFIG,
    WEIGHTS,
    Download,
    find_folder,
    folder_files,
    load_weights,
    read_record,
    save_weights,
    staged_folder,
    weights_files,
)
from landslide_zoo.models.networks import STRIDE, InputScaling, build_network
from landslide_zoo.models.record import Record


class LandslideModel(nn.Module, PyTorchModelHubMixin, PatchPredictor, library_name=LIBRARY):
    """A segmentation network with its input scaling, threshold and record.

    It is saved, loaded and pushed as ``huggingface_hub``'s mixin does it, with
    stricter hooks: loading is from safetensors alone and every tensor must fit,
    and what is saved is the model as it is now.

    Args:
        config: What the network is and how it takes its input.
        record: How it was trained and what was measured, if it was.
    """

    def __init__(self, config: ModelConfig, record: Record | None = None) -> None:
        super().__init__()
        self.config = config
        self.record = record
        self.extra_files: dict[str, bytes] = {}
        """Further files of the folder, by name: the card's figures, the training's settings."""
        self.scaling = InputScaling(config)
        self.network = build_network(config)
        self._loaded: tuple[int, str] | tuple[None, None] = (None, None)
        """Checksum of the weights that were loaded, and SHA-256 of their file."""
        self._compiled: tuple[object, Predictor] | None = None

    def __repr__(self) -> str:
        weights = sum(parameter.numel() for parameter in self.network.parameters())
        return (
            f"LandslideModel({self.config.name!r}, {len(self.config.bands)} {self.config.unit} "
            f"bands, {weights / 1e6:.1f} million weights, {self.device})"
        )

    @classmethod
    def from_catalog(cls, name: str) -> Self:
        """Build an untrained network of the catalog, with random weights.

        Args:
            name: As in ``unet-resnet34``, or ``unet-resnet34-rgb`` for true colour.

        Raises:
            ModelError: If the catalog has no such network.
        """
        return cls(catalog_config(name))

    @property
    def device(self) -> torch.device:
        """Device that the network is on."""
        return next(self.network.parameters()).device

    @property
    def backend(self) -> str:
        """What computed :meth:`probabilities`, for the result."""
        return self._compiled[1].backend if self._compiled else "none"

    @property
    def nbytes(self) -> int:
        """Bytes of its parameters and buffers."""
        tensors = [*self.parameters(), *self.buffers()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def update_config(self, **changes: object) -> Self:
        """Change fields of the configuration in place (threshold, scaling, dtype).

        Raises:
            pydantic.ValidationError: If the changed configuration is no valid one.
        """
        self.config = ModelConfig.model_validate({**self.config.model_dump(), **changes})
        self.scaling = InputScaling(self.config).to(self.device).train(self.training)
        return self

    def round_weights(self) -> Self:
        """Round the weights to the number type they are stored as, in place."""
        stored = getattr(torch, self.config.dtype)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(parameter.to(stored))
        return self

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Landslide logits from the bands that ``config.json`` names.

        Args:
            values: Bands in the configured unit, shape (N, B, H, W), any H and
                W from 32.

        Returns:
            Logits at full resolution, shape (N, 1, H, W).
        """
        height, width = values.shape[-2:]
        x = self.scaling(values)
        bottom, right = (-side % STRIDE for side in x.shape[-2:])
        x = functional.pad(x, (0, right, 0, bottom), mode="replicate")
        logits = self.network(x)[..., :height, :width]
        return logits.unflatten(0, (self.scaling.views, -1)).mean(dim=0) / self.config.temperature

    @torch.inference_mode()
    def logits(self, values: np.ndarray) -> torch.Tensor:
        """Landslide logits (N, H, W), float32, on the model's device, in evaluation mode.

        Args:
            values: Bands in the configured unit, shape (N, B, H, W), float32.
        """
        self.eval()
        return self(torch.from_numpy(values).to(self.device)).float()[:, 0]

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Landslide probabilities (N, H, W), float32, from bands (N, B, H, W), float32.

        On a processor the network is compiled at first, and again after its weights have
        changed. PyTorch's own are the sigmoid of :meth:`logits`.
        """
        return self._predictor().probabilities(values)

    def _predictor(self) -> Predictor:
        """The fastest that computes the model as it is now."""
        if self.device.type != "cpu":
            self._compiled = None, TorchPredictor(self)
            return self._compiled[1]
        checksum = self._checksum()
        state = checksum, self.config.model_dump(exclude=NO_PART_OF_NETWORK)
        if self._compiled is None or self._compiled[0] != state:
            loaded, digest = self._loaded
            predictor = OpenVinoPredictor.of(
                self.config,
                self.record,
                digest if loaded == checksum else None,
                lambda: copy.deepcopy(self).eval(),
            )
            self._compiled = state, predictor
        return self._compiled[1]

    def _checksum(self) -> int:
        """Changes with any weight, whatever changed it."""
        checksum = 0
        for tensor in self.network.state_dict().values():
            checksum = zlib.crc32(
                tensor.contiguous().reshape(-1).view(torch.uint8).numpy(), checksum
            )
        return checksum

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_compiled": None}  # it can be neither copied nor pickled

    def save_pretrained(self, save_directory: str | Path) -> None:  # type: ignore[override]
        """Write the model folder: weights, configuration, record and card.

        Args:
            save_directory: Folder to write, made if need be. What it held stays
                until all the new files are there.
        """
        with staged_folder(Path(save_directory)) as new:
            super().save_pretrained(new)

    def _save_pretrained(self, save_directory: Path) -> None:
        """The mixin's hook: every file of the model folder but the card."""
        save_weights(self.network, save_directory / WEIGHTS, self.config.dtype)
        contents: dict[str, bytes] = {**self.extra_files, CONFIG: self.config.to_json().encode()}
        sha256 = file_sha256(save_directory / WEIGHTS)
        if self.record is not None:
            self.record = self.record.model_copy(update={"weights_sha256": sha256})
            contents[RECORD] = self.record.to_json().encode()
        for name, content in contents.items():
            (save_directory / name).write_bytes(content)

    def generate_model_card(self, name: str | None = None) -> ModelCard:
        """The mixin's hook: the card, from the configuration and the record.

        Args:
            name: What the model is loaded by; its name in the catalog where None.
        """
        figures = [file for file in self.extra_files if file.endswith(".png")]
        return render_card(self.config, self.record, figures, name)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:  # noqa: ANN401
        """Publish the model folder to the Hub in one commit, in place of what was there.

        Args:
            repo_id: As in ``someone/unet-resnet34``; made if it is not there.
            options: Those of :func:`~landslide_zoo.models.card.push_folder`, such as
                ``private``, ``token`` and ``revision``.

        Returns:
            URL of the commit.

        Raises:
            HubError: If the Hub refuses or cannot be reached; it is as it was.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(Path(folder), repo_id, **options)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        device: str | torch.device = "auto",
        **download: Unpack[Download],
    ) -> Self:
        """Load a model from a folder, from those bundled, or from the Hub.

        Args:
            pretrained_model_name_or_path: An existing folder (a path with a
                separator, or one that holds ``config.json``), else the name of
                a bundled model or of one in ``LANDSLIDE_ZOO``, else a repo id.
            device: ``auto`` (a GPU where there is one), or a torch device.
            download: How it is fetched from the Hub, such as ``revision`` and ``token``:
                see :class:`~landslide_zoo.models.folder.Download`.

        Returns:
            The model, in evaluation mode; where the folder is an ensemble's, an
            :class:`~landslide_zoo.inference.Ensemble`.

        Raises:
            ModelError: If there is no such model or its files do not fit.
            HubError: If the Hub does not give it.

        Example:
            >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")
            >>> model.config.bands
            ['B4', 'B3', 'B2']
        """
        folder = find_folder(pretrained_model_name_or_path, **download)
        if isinstance(read_config(folder / CONFIG), EnsembleConfig):
            from landslide_zoo.inference.backends import load_predictor

            return load_predictor(folder, device=str(device))  # type: ignore[return-value]
        return cls.from_folder(folder, device)

    @classmethod
    def from_folder(cls, folder: Path, device: str | torch.device = "auto") -> Self:
        """Load a model folder that is on this machine.

        Raises:
            ModelError: If its files are missing or do not fit each other.
        """
        model = cls(ModelConfig.read(folder / CONFIG))
        (weights,) = weights_files(folder)
        load_weights(model.network, weights)
        model.record = read_record(folder)
        model.extra_files = {
            name: path.read_bytes()
            for name, path in folder_files(folder).items()
            if name == TRAIN_CONFIG or name.endswith(".png")
        }
        model._loaded = model._checksum(), file_sha256(weights)
        return model.to(choose_device(device)).eval()


class TorchPredictor(PatchPredictor):
    """A model that PyTorch computes, its channels last in memory.

    Args:
        model: The model; its network is laid out anew in memory.
        half: Whether a GPU computes in float16 (bfloat16 moves the F1 of the bundled models by
            more than 0.001); float32 where not, and on a processor.
    """

    def __init__(self, model: LandslideModel, half: bool = True) -> None:
        self._model = model
        model.network.to(memory_format=torch.channels_last)
        self._half = half and model.device.type != "cpu"
        self.config: ModelConfig = model.config
        self.record: Record | None = model.record
        self.nbytes: int = model.nbytes

    @property
    def backend(self) -> str:
        """What computes it, for the result."""
        return f"torch {'float16' if self._half else 'float32'}"

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Landslide probabilities (N, H, W), float32, from bands (N, B, H, W), float32."""
        with torch.autocast(self._model.device.type, torch.float16, enabled=self._half):
            return torch.sigmoid(self._model.logits(values)).cpu().numpy()


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """The device asked for; for ``auto`` a GPU where there is one.

    Raises:
        ModelError: If torch knows no such device, or it is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"There is no device {device!r} here: use auto or cpu.") from error
    return chosen
