"""``TrainConfig``: every option of training, declared once.

It is the command line of ``train_accelerate.py``, completed by a recipe; a run
folder is checked against it, and as ``train_config.json`` in the model folder it
lets a model be trained again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from landslide_zoo.errors import TrainingError
from landslide_zoo.io import public_name
from landslide_zoo.models import catalog
from landslide_zoo.models.catalog import RGB_SUFFIX
from landslide_zoo.models.config import Positive, validation_sentence
from landslide_zoo.models.record import NotNegative, Share

NONE = "none"

Precision = Literal["no", "bf16", "fp16"]


def option(default: Any = ..., help: str = "", **bounds: Any) -> Any:  # noqa: ANN401
    """A field with the text that ``--help`` shows."""
    return Field(default, description=help, **bounds)


class TrainConfig(BaseModel):
    """The options of training; ``python train_accelerate.py --help`` explains each.

    Options that are not given come from the recipe: see :meth:`for_model`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: list[str] = option(help="network to train, or all; repeatable", min_length=1)
    data: str = option(help="folder of the dataset, or its id on the Hub")
    bands: Literal["all", "rgb"] = option("all", "all bands, or true colour alone")
    split: str = option("folder", "folder, random, spatial, region:X or official")
    encoder_weights: str = option("imagenet", "what the encoder starts from: imagenet, none, FILE")
    teacher: list[str] = option([], "trained model to distil from; repeatable")
    seed: int = option(0, "of every random number", ge=0, lt=2**32)
    dtype: Literal["float32", "float16"] = option("float32", "of the published weights")
    mixed_precision: Precision | None = option(None, "as accelerate was launched if not given")

    recipe: Literal["standard", "paper"] = option("standard", "where the settings below come from")
    epochs: int = option(24, "passes over the train patches", ge=1)
    batch_size: int = option(16, "patches a step in each process", ge=2)
    gradient_accumulation_steps: int = option(1, "steps before each update of the weights", ge=1)
    learning_rate: Positive = option(1e-3, "highest learning rate")
    encoder_lr_factor: NotNegative = option(1.0, "the encoder's learning rate as a share of it")
    weight_decay: NotNegative = option(1e-2, "of AdamW")
    schedule: Literal["one-cycle", "constant"] = option("one-cycle", "of the learning rate")
    max_grad_norm: NotNegative = option(1.0, "largest norm of the gradient; 0 for no limit")
    ema_decay: float = option(0.99, "of the weights' moving average; 0 for none", ge=0, lt=1)
    loss: Literal["bce", "weighted-bce-dice"] = option("weighted-bce-dice", "loss function")
    dice_share: Share = option(0.5, "share a of Dice in (1 - a) BCE + a Dice")
    landslide_weight: Positive = option(1.0, "weight of landslide pixels in BCE")
    distillation: Share = option(0.5, "share of the teachers' probability in what is learned")
    scaling: Literal["train", "patch", "both", "none"] = option(
        "train", "whose statistics scale the input: the train patches', the patch's own, both"
    )
    flips: bool = option(True, "flip patches and turn them by quarters")
    brightness: Share = option(0.2, "largest relative change of brightness")
    tune_threshold: bool = option(True, "choose the threshold on validation, else 0.5")
    patience: int = option(0, "epochs without a better F1 before stopping; 0 for never", ge=0)

    output: Path = option(Path("runs"), "folder of the run folders")
    push_to: str | None = option(None, "namespace on the Hub to publish to", pattern=r"^[\w.-]+$")
    tracker: list[Literal["tensorboard", "trackio", "wandb", "none"]] = option(
        ["tensorboard"], "experiment tracker; repeatable"
    )
    workers: int = option(0, "processes that read patches, for each process", ge=0)
    resume: bool = option(False, "continue an unfinished run")

    @property
    def names(self) -> list[str]:
        """Full names of the models to train, as in ``unet-resnet34-rgb``.

        Raises:
            ModelError: If the catalog lacks one.
            TrainingError: If one is named as true colour and ``bands`` is not ``rgb``.
        """
        suffix = RGB_SUFFIX if self.bands == "rgb" else ""
        chosen = list(catalog.names()) if "all" in self.model else self.model
        for name in chosen:
            if name.endswith(RGB_SUFFIX) and not suffix:
                raise TrainingError(f"{name} takes true colour alone: add --bands rgb.")
        return list(dict.fromkeys(catalog.lookup(name).name + suffix for name in chosen))

    @property
    def trackers(self) -> list[str]:
        """Names of the trackers, without ``none``."""
        return [name for name in self.tracker if name != NONE]

    def for_model(self, name: str) -> Self:
        """All settings of one model: those that were given, else its recipe's.

        Args:
            name: One of :attr:`names`.
        """
        network = name.removesuffix(RGB_SUFFIX)
        if self.recipe == "paper":
            recipe = _PAPER | _PAPER_NETWORKS.get(network, {})
        else:
            recipe = _NETWORKS.get(network, {}) | (_TRUE_COLOUR if network != name else {})
        given: dict[str, Any] = {field: getattr(self, field) for field in self.model_fields_set}
        given["model"] = [network]
        if catalog.lookup(network).encoder is None:
            given["encoder_weights"] = NONE
        return type(self)(**{**recipe, **given})

    def settings(self) -> dict[str, Any]:
        """What the trained weights depend on, by name, as JSON holds it."""
        return self.model_dump(mode="json", exclude=set(CALLERS))

    def to_json(self) -> str:
        """The text of ``train_config.json``, which may be published: no path of this machine."""
        named = {
            "data": public_name(self.data),
            "encoder_weights": public_name(self.encoder_weights),
            "teacher": [public_name(name) for name in self.teacher],
        }
        return json.dumps(self.settings() | named, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a ``train_config.json``, which may come from anywhere.

        Raises:
            TrainingError: If it is none, or says where to write or to publish.
        """
        try:
            config = cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            why = validation_sentence(error) if isinstance(error, ValidationError) else error
            raise TrainingError(f"{path} holds no settings of a training: {why}.") from error
        if foreign := config.model_fields_set & CALLERS:
            raise TrainingError(
                f"{path} sets {', '.join(sorted(foreign))}, which only a command line may."
            )
        return config


CALLERS = frozenset({"output", "push_to", "tracker", "workers", "resume"})
"""Options that do not change the weights; only a command line sets them, never a file."""

_PAPER: dict[str, Any] = {
    "schedule": "constant",
    "landslide_weight": 5.0,
    "ema_decay": 0.0,
    "max_grad_norm": 0.0,
    "weight_decay": 0.0,
    "scaling": "none",
    "tune_threshold": False,
    "flips": False,
    "brightness": 0.0,
}
"""The paper's: its loss as written (alpha 0.5, weight 5), no scaling, no augmentation, 0.5."""

_PAPER_NETWORKS: dict[str, dict[str, Any]] = {"unet": {"loss": "bce"}}
"""The paper trains its plain U-Net with plain cross-entropy."""

_NETWORKS: dict[str, dict[str, Any]] = {
    "unet-mit_b1": {"learning_rate": 5e-4},
    "segformer-mit_b2": {"learning_rate": 5e-4},
}
"""Where a network departs from the standard recipe, by catalog name."""

_TRUE_COLOUR: dict[str, Any] = {"scaling": "both"}
"""Where true-colour models depart from it. A picture is as bright as its brightest pixel lets it
be, so with the train pictures' statistics alone a model can fail in a scene of other light.
Models of physical values keep those statistics: a slope in degrees means the same everywhere."""


class _CommandLine(TrainConfig, BaseSettings):
    """Train networks of the zoo and publish each with its card.

    --config FILE starts from a train_config.json, and other options go over it.
    """

    model_config = SettingsConfigDict(
        cli_kebab_case=True, cli_implicit_flags=True, cli_hide_none_type=True, cli_avoid_json=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No environment: the words of the command line, over what is in the file."""
        return (init_settings,)


def parse_arguments(arguments: Sequence[str] | None = None) -> TrainConfig:
    """The command line of ``train_accelerate.py``; bad usage ends the process with status 2.

    Args:
        arguments: Words of the command line; those of this process where None.

    Raises:
        TrainingError: If the file given as ``--config`` holds no settings.

    Example:
        >>> parse_arguments(["--model", "unet", "--data", "patches", "--no-flips"]).flips
        False
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    before, words = parser.parse_known_args(arguments)
    saved = TrainConfig.read(before.config).settings() if before.config else {}
    try:
        command = CliApp.run(_CommandLine, cli_args=words, **saved)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        parser.exit(
            2, f"error: {option}: {first['msg'][0].lower()}{first['msg'][1:]}; see --help.\n"
        )
    return TrainConfig(**command.model_dump(include=command.model_fields_set))


def check_machine(config: TrainConfig) -> None:
    """Check that this machine can track and publish as is asked for, before anything is started.

    Raises:
        TrainingError: If a tracker is not installed, or there is no token to publish with.
    """
    from accelerate.tracking import get_available_trackers
    from huggingface_hub import get_token

    installed = {tracker.value for tracker in get_available_trackers()}
    for name in config.trackers:
        if name not in installed:
            raise TrainingError(
                f"The tracker {name} is not installed: pip install {name}, or use --tracker none."
            )
    if config.push_to is not None and get_token() is None:
        raise TrainingError("--push-to needs a token of the Hub that may write: set HF_TOKEN.")
