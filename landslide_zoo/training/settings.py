"""The settings of a run: what the command line of ``train_accelerate.py`` says."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from accelerate import PartialState
from accelerate.tracking import get_available_trackers
from pydantic import TypeAdapter, ValidationError

from landslide_zoo.errors import TrainingError
from landslide_zoo.models import catalog
from landslide_zoo.training.recipes import STANDARD, Recipe, recipe_for

TRACKERS = ("tensorboard", "trackio", "wandb")
"""Trackers that can follow a run."""


@dataclass(frozen=True)
class Settings:
    """What is trained, on what, and where it goes.

    Attributes:
        models: Names of the networks, without ``-rgb``.
        data: Folder or Hub id of the dataset.
        bands: ``all``, or ``rgb`` for true colour alone.
        split: Protocol by which the dataset is divided.
        encoder_weights: ``imagenet``, ``none``, or a file.
        teachers: Names or folders of trained models to learn from besides the masks.
        output: Folder that holds one run folder for each model.
        recipe: ``standard`` or ``paper``.
        changes: Settings of the recipe that are changed, by name.
        accumulate: Steps whose gradients are added up before an update.
        mixed_precision: ``no``, ``bf16``, ``fp16``, or None for what
            ``accelerate launch`` was told.
        seed: Seed of every random number.
        workers: Worker processes that read patches, for each process.
        dtype: Number type of the published weights.
        trackers: Names of the trackers that follow the run.
        push_to: Namespace on the Hub that finished models are published to.
        resume: Whether to go on with an unfinished run.
    """

    models: tuple[str, ...]
    data: str
    bands: Literal["all", "rgb"] = "all"
    split: str = "folder"
    encoder_weights: str = "imagenet"
    teachers: tuple[str, ...] = ()
    output: Path = Path("runs")
    recipe: str = "standard"
    changes: dict[str, object] = field(default_factory=dict)
    accumulate: int = 1
    mixed_precision: str | None = None
    seed: int = 0
    workers: int = 0
    dtype: Literal["float32", "float16"] = "float32"
    trackers: tuple[str, ...] = ("tensorboard",)
    push_to: str | None = None
    resume: bool = False

    def model_names(self) -> list[str]:
        """Full names of the models to train, in order.

        Raises:
            ModelError: If the catalog lacks one.
            TrainingError: If one is named as true-colour and ``bands`` is not ``rgb``.
        """
        suffix = catalog.RGB_SUFFIX if self.bands == "rgb" else ""
        chosen = list(catalog.names()) if "all" in self.models else list(self.models)
        for name in chosen:
            if name.endswith(catalog.RGB_SUFFIX) and not suffix:
                raise TrainingError(f"{name} takes true colour alone: add --bands rgb.")
        return [catalog.lookup(name).name + suffix for name in chosen]

    def recipe_for(self, name: str) -> Recipe:
        """The recipe of a model, changes included.

        Raises:
            TrainingError: If there is no such recipe.
        """
        return replace(recipe_for(name, self.recipe), **self.changes)  # type: ignore[arg-type]

    def fixed(self) -> dict[str, object]:
        """What must stay the same for a run to be resumed, besides the recipe."""
        free = {"models", "output", "changes", "workers", "push_to", "resume", "trackers"}
        return {name: value for name, value in asdict(self).items() if name not in free}


def check_machine(settings: Settings) -> None:
    """Check that this machine can do what the settings ask for, before anything is started.

    Raises:
        TrainingError: If a tracker is not known or not installed, or there is
            no GPU for half precision.
    """
    installed = {tracker.value for tracker in get_available_trackers()}
    for name in settings.trackers:
        if name not in TRACKERS:
            raise TrainingError(f"There is no tracker {name!r}; there are {', '.join(TRACKERS)}.")
        if name not in installed:
            raise TrainingError(
                f"The tracker {name} is not installed: pip install {name}, or use --tracker none."
            )
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if "fp16" in (settings.mixed_precision or launched) and PartialState().device.type == "cpu":
        raise TrainingError("Mixed precision fp16 needs a GPU: use bf16 or no.")


def parse_changes(changes: list[str]) -> dict[str, object]:
    """Changes to a recipe, given as ``NAME=VALUE``, checked against its types and ranges.

    Raises:
        TrainingError: If the recipe has no such setting or it cannot have that value.

    Example:
        >>> parse_changes(["epochs=3", "flips=no"])
        {'epochs': 3, 'flips': False}
    """
    adapter = TypeAdapter(Recipe)
    parsed: dict[str, object] = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in STANDARD.as_dict():
            raise TrainingError(
                f"A recipe has no setting {name!r}; it has {', '.join(STANDARD.as_dict())}."
            )
        try:
            recipe = adapter.validate_python({name: _number_or_text(value)})
        except ValidationError as error:
            raise TrainingError(f"--set {change}: {error.errors()[0]['msg']}.") from error
        parsed[name] = getattr(recipe, name)
    return parsed


def _number_or_text(value: str) -> object:
    """Whole numbers as such: pydantic takes the text ``2`` for no member of ``Literal[1, 2]``."""
    return int(value) if value.isdecimal() else value
