"""A landslide model: a network that owns its input, and its folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Self

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import nn
from torch.nn import functional

from landslide_zoo.data.hub_access import push_files
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import ModelError
from landslide_zoo.models.card import render_card
from landslide_zoo.models.config import ModelConfig, catalog_config
from landslide_zoo.models.location import (
    CARD,
    CONFIG,
    RECORD,
    WEIGHTS,
    download_folder,
    folder_files,
    local_folder,
)
from landslide_zoo.models.networks import STRIDE, build_network
from landslide_zoo.models.prediction import Prediction
from landslide_zoo.models.record import Record, file_sha256
from landslide_zoo.models.scaling import InputScaling
from landslide_zoo.models.weights import load_weights, save_weights


class LandslideModel(nn.Module, PyTorchModelHubMixin):
    """A segmentation network with its input scaling, threshold and record.

    The mixin's defaults are mended here: loading is strict and from
    safetensors alone, and what is saved is the model as it is now.

    Args:
        config: What the network is and how it takes its input.
        record: How it was trained and what was measured, if it was.
    """

    def __init__(self, config: ModelConfig, record: Record | None = None) -> None:
        super().__init__()
        self.config = config
        self.record = record
        self.extra_files: dict[str, bytes] = {}
        """Further files of the model folder, such as the card's figures, by name."""
        self.scaling = InputScaling(config)
        self.network = build_network(config)

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

    def with_config(self, **changes: object) -> Self:
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
        factor = self.config.upsample
        if factor > 1:
            x = functional.interpolate(x, scale_factor=factor, mode="bilinear")
        bottom, right = (-side % STRIDE for side in x.shape[-2:])
        x = functional.pad(x, (0, right, 0, bottom), mode="replicate")
        logits = self.network(x)[..., : factor * height, : factor * width]
        if factor > 1:
            logits = functional.avg_pool2d(logits, factor)
        views = logits.unflatten(0, (-1, len(values)))
        return views.mean(dim=0) / self.config.temperature

    @torch.inference_mode()
    def predict(self, patch: Patch, threshold: float | None = None) -> Prediction:
        """Find landslides in a patch.

        Args:
            patch: Holds the bands that the model reads, in its unit.
            threshold: Probability from which a pixel counts as landslide; the
                model's own where None.

        Raises:
            DataError: If the patch lacks a band or has the wrong unit.
        """
        self.eval()
        values = torch.from_numpy(patch.in_unit(self.config.bands, self.config.unit))
        logits = self(values[None].to(self.device))
        return Prediction(
            probability=torch.sigmoid(logits.float())[0, 0].cpu().numpy(),
            threshold=self.config.threshold if threshold is None else threshold,
            model=self.config.name,
        )

    def save_pretrained(self, save_directory: str | Path) -> None:  # type: ignore[override]
        """Write the model folder: weights, configuration, record and card.

        Each file is written whole and then put in its place, the
        configuration last: a folder without one is no model.

        Args:
            save_directory: Folder to write, made if need be.
        """
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
            new = Path(temporary)
            save_weights(self.network, new / WEIGHTS, self.config.dtype)
            if self.record is not None:
                sha256 = file_sha256(new / WEIGHTS)
                self.record = self.record.model_copy(update={"weights_sha256": sha256})
                (new / RECORD).write_text(self.record.to_json())
            for name, content in self.extra_files.items():
                (new / name).write_bytes(content)
            (new / CARD).write_text(
                render_card(self.config, self.record, figures=list(self.extra_files))
            )
            (new / CONFIG).write_text(self.config.to_json())
            for path in sorted(new.iterdir(), key=lambda path: path.name == CONFIG):
                shutil.move(path, folder / path.name)

    def push_to_hub(  # type: ignore[override]
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        commit_message: str | None = None,
        revision: str | None = None,
    ) -> str:
        """Publish the model folder to the Hub in one commit.

        Args:
            repo_id: As in ``someone/unet-resnet34``; made if it is not there.
            private: Whether a new repo is private.
            token: Token with the right to write; the client's own where None.
            commit_message: Message of the commit.
            revision: Branch to push to; the main one where None.

        Returns:
            URL of the commit.

        Raises:
            HubError: If the Hub refuses or cannot be reached.
        """
        with tempfile.TemporaryDirectory() as temporary:
            self.save_pretrained(temporary)
            return push_files(
                repo_id,
                folder_files(Path(temporary)),
                message=commit_message or f"Publish {self.config.name}",
                private=private,
                token=token,
                revision=revision,
            )

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        device: str | torch.device = "auto",
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> Self:
        """Load a model from a folder, from those bundled, or from the Hub.

        Args:
            pretrained_model_name_or_path: An existing folder (a path with a
                separator, or one that holds ``config.json``), else the name of
                a bundled model, else a repo id.
            revision: Branch, tag or commit on the Hub.
            token: Token for private repos; the client's own where None.
            device: ``auto`` (a GPU where there is one), or a torch device.
            cache_dir: Folder of the client's cache.
            force_download: Download even what is in the cache.
            local_files_only: Use the cache alone.

        Returns:
            The model, in evaluation mode.

        Raises:
            ModelError: If there is no such model or its files do not fit.
            HubError: If the Hub does not give it.

        Example:
            >>> model = LandslideModel.from_pretrained("unet-mobilenet_v2-rgb")
            >>> model.config.bands
            ['B4', 'B3', 'B2']
        """
        name = pretrained_model_name_or_path
        folder = local_folder(name) or download_folder(
            str(name),
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        return cls.from_folder(folder, device=device)

    @classmethod
    def from_folder(cls, folder: Path, device: str | torch.device = "auto") -> Self:
        """Load a model folder that is on this machine.

        Raises:
            ModelError: If its files are missing or do not fit each other.
        """
        config = ModelConfig.read(folder / CONFIG)
        record = Record.read(folder / RECORD) if (folder / RECORD).is_file() else None
        model = cls(config, record)
        load_weights(model.network, folder / WEIGHTS)
        model.extra_files = {path.name: path.read_bytes() for path in folder.glob("*.png")}
        return model.to(choose_device(device)).eval()


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
