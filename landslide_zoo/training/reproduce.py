"""Training a model again from its ``train_config.json``, and comparing what comes out.

The file may come from anywhere: it says how to train and nothing else. Where the
new run goes is said by the caller alone, and nothing is published.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.folder import RECORD, TRAIN_CONFIG
from landslide_zoo.models.record import Record
from landslide_zoo.training.config import TrainConfig

SCRIPT = "train_accelerate.py"
_MOST_THREADS = 256
_STDERR = 2


@dataclass(frozen=True)
class Reproduction:
    """A model trained again.

    Attributes:
        before: Its record.
        again: The record of the new run.
    """

    before: Record
    again: Record

    @property
    def same_weights(self) -> bool:
        """Whether the weights are the same, bit for bit."""
        return self.before.weights_sha256 == self.again.weights_sha256

    @property
    def same_data(self) -> bool:
        """Whether both were trained on the same patches."""
        return self.before.data.fingerprint == self.again.data.fingerprint

    @property
    def scores(self) -> list[tuple[str, float, float]]:
        """Subset, F1 before and F1 again, of what training itself measures."""
        # The dataset may have another name where it is now.
        again = {one.key[1:3]: one.f1 for one in self.again.results}
        return [
            (one.subset, one.f1, again[one.key[1:3]])
            for one in self.before.results
            if one.dataset == self.before.data.name and one.key[1:3] in again
        ]

    @property
    def changes(self) -> list[str]:
        """What else differs: settings of the recipe, versions, the encoder's start."""
        encoder = [{"weights": str(one.encoder_weights)} for one in (self.before, self.again)]
        return [
            *_differences("encoder", *encoder),
            *_differences("recipe", self.before.recipe, self.again.recipe),
            *_differences("version of", self.before.versions, self.again.versions),
        ]


def reproduce(
    folder: Path, output: Path, data: str | None = None, encoder_weights: str | None = None
) -> Reproduction:
    """Train a model again by its settings, in one process of its own.

    Args:
        folder: The model folder.
        output: Folder of the new run; it must be new or empty.
        data: Where the dataset is on this machine; by its name in the settings where None.
        encoder_weights: Where the encoder's weights are, likewise.

    Raises:
        ModelError: If the model's record cannot be read.
        TrainingError: If the model has no settings to train it by, the output
            folder is not empty, or training fails.
    """
    for name in (RECORD, TRAIN_CONFIG):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder} has no {name}: the model cannot be trained again.")
    record, config = Record.read(folder / RECORD), TrainConfig.read(folder / TRAIN_CONFIG)
    if output.exists() and any(output.iterdir()):
        raise TrainingError(f"{output} is not empty: choose another --output for the new run.")
    command = [sys.executable, str(_script()), "--config", str(folder / TRAIN_CONFIG)]
    command += ["--output", str(output), "--tracker", "none"]
    command += ["--data", data] if data else []
    command += ["--encoder-weights", encoder_weights] if encoder_weights else []
    environment = dict(os.environ)
    threads = record.recipe.get("threads")
    if isinstance(threads, int) and 0 < threads <= _MOST_THREADS:
        # The last bits of a sum depend on how many threads share it.
        environment["OMP_NUM_THREADS"] = str(threads)
    # Progress goes to stderr: stdout is for what came out.
    done = subprocess.run(command, env=environment, stdout=_STDERR, check=False)
    again = output / config.names[0] / "model" / RECORD
    if done.returncode or not again.is_file():
        raise TrainingError(
            f"{record.model} could not be trained again: see what training said above."
        )
    return Reproduction(record, Record.read(again))


def _script() -> Path:
    """The training script: of the checkout, else in the current folder."""
    for folder in (Path(__file__).parents[2], Path.cwd()):
        if (folder / SCRIPT).is_file():
            return folder / SCRIPT
    raise TrainingError(f"There is no {SCRIPT} here: run this in a checkout of Landslide Zoo.")


def _differences(kind: str, before: Mapping[str, object], again: Mapping[str, object]) -> list[str]:
    return [
        f"{kind} {name}: {before.get(name)}, now {again.get(name)}"
        for name in dict.fromkeys([*before, *again])
        if before.get(name) != again.get(name)
    ]
