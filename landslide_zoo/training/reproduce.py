"""Training a model again from its record, and comparing what comes out.

A record may come from anywhere, so its command is not run as it stands: it must
be ``accelerate launch`` of ``train_accelerate.py`` with options that say how to
train, and where the new run goes is said by the caller alone.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.catalog import RGB_SUFFIX
from landslide_zoo.models.location import RECORD
from landslide_zoo.models.record import Record
from landslide_zoo.training.recipes import STANDARD, recipe_for

SCRIPT = "train_accelerate.py"
_ON_CPU = "ACCELERATE_USE_CPU=1"
_LAUNCH_OPTIONS = {"--num_processes", "--mixed_precision"}
_LAUNCH_FLAGS = {"--multi_gpu", "--cpu"}
_OPTIONS = {
    "--data",
    "--bands",
    "--split",
    "--encoder-weights",
    "--teacher",
    "--recipe",
    "--epochs",
    "--batch-size",
    "--set",
    "--accumulate",
    "--mixed-precision",
    "--seed",
    "--workers",
    "--dtype",
}
_LEFT_OUT = {"--model", "--output", "--tracker", "--push-to"}
_LEFT_OUT_FLAGS = {"--resume"}
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
        again = {(one.protocol, one.subset): one.f1 for one in self.again.results}
        return [
            (one.subset, one.f1, again[one.protocol, one.subset])
            for one in self.before.results
            if one.dataset == self.before.data.name and (one.protocol, one.subset) in again
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
    record: Record, output: Path, data: str | None = None, encoder_weights: str | None = None
) -> Reproduction:
    """Train a model again by its record's command and recipe, in a process of its own.

    Args:
        record: The model's record.
        output: Folder of the new run; it must be new or empty.
        data: Where the dataset is on this machine; as in the command where None.
        encoder_weights: Where the encoder's weights are; as in the command where None.

    Raises:
        TrainingError: If the record's command is none of this zoo, the folder
            is not empty, or training fails.
    """
    if output.exists() and any(output.iterdir()):
        raise TrainingError(f"{output} is not empty: choose another --output for the new run.")
    environment, launch, arguments = parse_command(record)
    if threads := record.recipe.get("threads"):
        # accelerate has ideas of its own, and the last bits of a sum depend on it.
        environment["OMP_NUM_THREADS"] = str(threads)
    given = {"--data": data, "--encoder-weights": encoder_weights}
    for name, value in given.items():
        arguments = [pair for pair in arguments if not (value and pair[0] == name)]
        arguments += [(name, value)] if value else []
    command = [sys.executable, "-m", "accelerate.commands.launch", *launch, str(_script())]
    command += ["--model", record.model.removesuffix(RGB_SUFFIX), "--output", str(output)]
    command += [word for pair in changed_since(record) + arguments for word in pair]
    command += ["--tracker", "none"]
    # Progress goes to stderr: stdout is for what came out.
    done = subprocess.run(command, env=os.environ | environment, stdout=_STDERR, check=False)
    path = output / record.model / "model" / RECORD
    if done.returncode or not path.is_file():
        raise TrainingError(
            f"{record.model} could not be trained again: see what training said above."
        )
    return Reproduction(record, Record.read(path))


def parse_command(record: Record) -> tuple[dict[str, str], list[str], list[tuple[str, str]]]:
    """What a record's command says of how to train.

    Returns:
        Environment, options of ``accelerate launch``, and options of the
        training script with their values; what says where a run goes, who
        follows it and which models are trained beside this one is left out.

    Raises:
        TrainingError: If it is no command of this zoo.
    """
    try:
        words = shlex.split(record.command)
    except ValueError as error:  # such as a quotation without an end
        raise _no_command(record) from error
    environment = {}
    if words[:1] == [_ON_CPU]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[:2] != ["accelerate", "launch"] or SCRIPT not in words:
        raise _no_command(record)
    script = words.index(SCRIPT)
    launch = _pairs(record, words[2:script], _LAUNCH_OPTIONS, _LAUNCH_FLAGS)
    options = _pairs(record, words[script + 1 :], _OPTIONS | _LEFT_OUT, _LEFT_OUT_FLAGS)
    return (
        environment,
        [word for pair in launch for word in pair if word],
        [(name, value) for name, value in options if name in _OPTIONS],
    )


def changed_since(record: Record) -> list[tuple[str, str]]:
    """The settings of a record's recipe that its network's recipe has no longer, as options.

    Recipes change. What a record does not name is newer than it, and taken as the standard
    recipe has it: off, as it was then.

    Raises:
        TrainingError: If there is no such recipe.
    """
    today = recipe_for(record.model, str(record.recipe.get("recipe", "standard"))).as_dict()
    then = {name: record.recipe.get(name, off) for name, off in STANDARD.as_dict().items()}
    return [("--set", f"{name}={then[name]}") for name in today if then[name] != today[name]]


def _pairs(
    record: Record, words: list[str], options: set[str], flags: set[str]
) -> list[tuple[str, str]]:
    """Options with their values, and flags with none."""
    pairs = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in options | flags:
            raise _no_command(record)
        if name in options and not equals:
            value = next(rest, "")
        pairs.append((name, value))
    return pairs


def _no_command(record: Record) -> TrainingError:
    return TrainingError(
        f"The record of {record.model} holds no command of {SCRIPT} that can be run again: "
        f"{record.command!r}."
    )


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
