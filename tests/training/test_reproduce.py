"""Training a model again from its settings: the same weights, and nothing but training is run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import trainer
from command_line import Command
from trained_model import make_record

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.folder import RECORD, TRAIN_CONFIG
from landslide_zoo.training import TrainConfig
from landslide_zoo.training.reproduce import Reproduction, reproduce


@pytest.fixture
def untrusted(tmp_path: Path) -> Path:
    """A model folder's record and settings, as anybody might publish them."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / RECORD).write_text(make_record().to_json())
    config = TrainConfig(model=["unet"], data=str(tmp_path / "nowhere")).for_model("unet")
    (folder / TRAIN_CONFIG).write_text(config.to_json())
    return folder


def test_a_model_trained_again_has_the_same_weights(
    command: Command, dataset: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(dataset, tmp_path / "data"))
    arguments = ["--model", "unet-mobilenet_v2", "--data", data, "--bands", "rgb", "--epochs", 1]
    arguments += ["--encoder-weights", "none", "--output", tmp_path / "runs", "--tracker", "none"]
    arguments += ["--batch-size", 4, "--seed", 3, "--no-flips"]
    with trainer.start(*arguments, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    folder = tmp_path / "runs" / "unet-mobilenet_v2-rgb" / "model"
    settings = json.loads((folder / TRAIN_CONFIG).read_text())
    assert (settings["flips"], settings["scaling"], settings["seed"]) == (False, "both", 3)
    moved = data.rename(tmp_path / "moved")
    answer = command(
        "evaluate", folder, "--reproduce", "--data", moved, "--output", tmp_path / "again"
    )
    assert answer.status == 0
    assert "patches: the same" in answer.out
    assert "weights: the same, bit for bit" in answer.out
    assert "version of" not in answer.out and "recipe" not in answer.out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"output": "/elsewhere"}, "sets output, which only a command line may"),
        ({"push_to": "someone"}, "sets push_to, which only a command line may"),
        ({"hook": "rm -r data"}, "hook: Extra inputs are not permitted"),
        ({}, "could not be trained again"),  # there is no such dataset
    ],
)
def test_settings_can_do_nothing_but_train(
    change: dict[str, object], sentence: str, untrusted: Path, tmp_path: Path
) -> None:
    file = untrusted / TRAIN_CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TrainingError, match=sentence):
        reproduce(untrusted, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_is_missing_is_told(untrusted: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not empty: choose another --output"):
        reproduce(untrusted, tmp_path)
    (untrusted / TRAIN_CONFIG).unlink()
    with pytest.raises(TrainingError, match=r"model has no train_config.json: .* cannot be"):
        reproduce(untrusted, tmp_path / "new")


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
