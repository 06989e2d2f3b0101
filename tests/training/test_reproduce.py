"""Training a model again from its record: the same weights, and nothing but training is run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Answer
from labelled_data import write_pair
from trained_model import make_record

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.location import RECORD
from landslide_zoo.models.record import Record
from landslide_zoo.training.recipes import recipe_for
from landslide_zoo.training.reproduce import Reproduction, changed_since, parse_command, reproduce
from landslide_zoo.training.settings import parse_changes

SCRIPT = Path(__file__).parents[2] / "train_accelerate.py"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for subset, numbers in {"train": [1, 2, 3, 4], "validation": [5], "test": [6]}.items():
        for number in numbers:
            write_pair(folder, number, subset)
    return folder


def record_of(command: str) -> Record:
    return make_record().model_copy(update={"command": command})


def test_a_model_trained_again_has_the_same_weights(
    command: Callable[..., Answer], data: Path, tmp_path: Path
) -> None:
    arguments = ["--model", "unet-mobilenet_v2", "--data", data, "--bands", "rgb", "--epochs", "1"]
    arguments += ["--encoder-weights", "none", "--output", tmp_path / "runs", "--tracker", "none"]
    arguments += ["--batch-size", "2", "--seed", "3", "--set", "flips=no"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"]
    subprocess.run([*map(str, [*launch, SCRIPT, *arguments])], check=True)
    folder = tmp_path / "runs" / "unet-mobilenet_v2-rgb" / "model"
    # As if the catalog's recipe had been without flips, and had them by now.
    record = Record.read(folder / RECORD)
    assert record.command.count(" --set flips=no") == 1
    said = record.model_copy(update={"command": record.command.replace(" --set flips=no", "")})
    (folder / RECORD).write_text(said.to_json())
    moved = data.rename(tmp_path / "moved")
    answer = command(
        "evaluate", folder, "--reproduce", "--data", moved, "--output", tmp_path / "again"
    )
    assert answer.status == 0
    assert "patches: the same" in answer.out
    assert "weights: the same, bit for bit" in answer.out
    assert "version of" not in answer.out and "recipe" not in answer.out


def test_the_command_is_taken_apart() -> None:
    environment, launch, arguments = parse_command(
        record_of(
            "ACCELERATE_USE_CPU=1 accelerate launch --num_processes 2 --multi_gpu "
            "--mixed_precision bf16 train_accelerate.py --model unet --model all --data d "
            "--set haze=0.3 --seed=4 --output runs --tracker wandb --push-to someone --resume"
        )
    )
    assert environment == {"ACCELERATE_USE_CPU": "1"}
    assert launch == ["--num_processes", "2", "--multi_gpu", "--mixed_precision", "bf16"]
    assert arguments == [("--data", "d"), ("--set", "haze=0.3"), ("--seed", "4")]


def test_settings_that_the_recipe_has_no_longer_are_given_as_they_were() -> None:
    recipe = recipe_for("unet-mobilenet_v2-rgb").as_dict()
    of_today = make_record().model_copy(update={"recipe": {**recipe, "threads": 2}})
    assert changed_since(of_today) == []
    del recipe["cutmix"]  # a record from before there was such a setting, which was off then
    changed = {**recipe, "flips": False, "learning_rate": 0.002}
    older = make_record().model_copy(update={"recipe": changed})
    assert {option for option, _ in changed_since(older)} == {"--set"}
    parsed = parse_changes([value for _, value in changed_since(older)])
    assert parsed == {"learning_rate": 0.002, "flips": False}


@pytest.mark.parametrize(
    "command",
    [
        "rm -r data",
        "PATH=/elsewhere accelerate launch train_accelerate.py --data d",
        "accelerate launch --module os train_accelerate.py --data d",
        "accelerate launch other.py --data d",
        "accelerate launch train_accelerate.py --data d --hook h",
        "accelerate launch train_accelerate.py --data d; touch marker",
        "",
        "accelerate launch 'train_accelerate.py",
    ],
)
def test_a_record_cannot_have_anything_else_run(command: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no command of train_accelerate"):
        reproduce(record_of(command), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not empty"):
        reproduce(record_of("accelerate launch train_accelerate.py --data d"), tmp_path)


def test_training_that_fails_is_told(tmp_path: Path) -> None:
    words = ["accelerate", "launch", "--cpu", SCRIPT.name, "--data", str(tmp_path / "nowhere")]
    with pytest.raises(TrainingError, match="could not be trained again"):
        reproduce(record_of(shlex.join(words)), tmp_path / "new")


def test_what_differs_is_said() -> None:
    before = make_record()
    changed = before.results[0].model_copy(update={"f1": 0.55})
    again = before.model_copy(
        update={
            "weights_sha256": "1" * 64,
            "results": [changed],
            "recipe": {"epochs": 2},
            "versions": {"torch": "9"},
        }
    )
    done = Reproduction(before, again)
    assert not done.same_weights and done.same_data
    assert done.scores == [("test", 0.6, 0.55)]
    assert [change.partition(":")[0] for change in done.changes] == [
        "recipe epochs",
        "version of torch",
    ]
