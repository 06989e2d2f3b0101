"""A run folder: what is kept, what is whole after a kill, and what may be gone on with."""

from __future__ import annotations

import csv
import json
import resource
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.location import CONFIG, RECORD
from landslide_zoo.training.run import Progress, Run

SETTINGS = {"data": "patches", "seed": 0, "epochs": 3}


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


@pytest.fixture
def run(accelerator: Accelerator, tmp_path: Path) -> Run:
    return Run(tmp_path / "runs" / "unet", accelerator)


def row(f1: float) -> dict[str, float]:
    return {"loss": 1 - f1, "f1": f1}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Training:
    """A network of one weight, whose value tells the epoch it was saved in."""

    def __init__(self, run: Run, fingerprint: str = "data") -> None:
        self.run = run
        self.network = torch.nn.Linear(1, 1)
        self.progress = Progress(fingerprint)
        self.prepared = run.accelerator.prepare(self.network)
        run.accelerator.register_for_checkpointing(self.progress)

    def epoch(self, f1: float) -> None:
        with torch.no_grad():
            self.network.weight.fill_(self.progress.epoch + 1)
        self.progress.add(row(f1))
        self.run.save(self.progress, self.network)


def resumed(run: Run, fingerprint: str = "data") -> Training:
    training = Training(Run(run.folder, Accelerator(cpu=True)), fingerprint)
    assert training.run.resume()
    return training


def test_progress_remembers_the_first_of_equal_best_epochs() -> None:
    progress = Progress("data")
    for f1 in (0.0, 0.4, 0.4, 0.3):
        progress.add(row(f1))
    assert (progress.epoch, progress.best_epoch, progress.best_f1) == (4, 2, 0.4)
    assert not progress.stalled(0) and not progress.stalled(3)
    assert progress.stalled(2) and progress.stalled(1)


def test_an_epoch_leaves_one_checkpoint_the_best_weights_and_the_metrics(run: Run) -> None:
    training = Training(run)
    for f1 in (0.2, 0.5, 0.4):
        training.epoch(f1)
    checkpoints = run.folder / "checkpoints"
    assert names(checkpoints) == ["best-0002.safetensors", "epoch-0003"]
    assert load_file(checkpoints / "best-0002.safetensors")["weight"].item() == 2
    with (run.folder / "metrics.csv").open() as file:
        assert [float(line["f1"]) for line in csv.DictReader(file)] == [0.2, 0.5, 0.4]
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_resuming_takes_up_the_last_whole_checkpoint(run: Run) -> None:
    training = Training(run)
    training.epoch(0.5)
    training.epoch(0.4)
    # A kill in the middle of the next checkpoint: half of it, beside the whole one.
    half = run.folder / "checkpoints" / ".new"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    (run.folder / "checkpoints" / "best-0003.safetensors").write_bytes(b"of the lost epoch")
    again = resumed(run)
    assert again.progress.history == [row(0.5), row(0.4)]
    assert (again.progress.epoch, again.progress.best_epoch) == (2, 1)
    assert again.network.weight.item() == 2
    again.epoch(0.3)
    assert names(run.folder / "checkpoints") == ["best-0001.safetensors", "epoch-0003"]
    best = torch.nn.Linear(1, 1)
    again.run.load_best(best, again.progress)
    assert best.weight.item() == 1


def test_a_kill_between_the_new_checkpoint_and_clearing_the_old_loses_nothing(run: Run) -> None:
    training = Training(run)
    training.epoch(0.5)
    first = run.folder / "checkpoints" / "epoch-0001"
    kept = {path.name: path.read_bytes() for path in first.iterdir()}
    training.epoch(0.6)
    first.mkdir()
    for name, content in kept.items():
        (first / name).write_bytes(content)
    assert resumed(run).progress.epoch == 2


def test_nothing_to_resume_is_no_error(run: Run) -> None:
    assert not run.resume()


def test_a_dataset_that_changed_is_not_gone_on_with(run: Run) -> None:
    Training(run, "data").epoch(0.5)
    with pytest.raises(TrainingError, match="The dataset has changed since the run was begun"):
        resumed(run, "other data")


def test_a_damaged_checkpoint_is_one_sentence(run: Run) -> None:
    Training(run).epoch(0.5)
    (run.folder / "checkpoints" / "epoch-0001" / "model.safetensors").write_bytes(b"cut sh")
    with pytest.raises(TrainingError, match=r"epoch-0001 cannot be read .* delete it"):
        resumed(run)


def test_a_full_disk_leaves_the_last_checkpoint(run: Run) -> None:
    training = Training(run)
    training.epoch(0.5)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(TrainingError, match=r"cannot be written to .*checkpoints .*--resume"):
            training.epoch(0.6)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(run.folder / "checkpoints") == ["best-0001.safetensors", "epoch-0001"]
    again = resumed(run)
    assert (again.progress.epoch, again.network.weight.item()) == (1, 1)


def test_opening_again_takes_the_same_settings_and_resume(run: Run) -> None:
    run.open(SETTINGS, resume=False)
    written = json.loads((run.folder / "run.json").read_text())
    assert written == {**SETTINGS, "processes": 1, "mixed_precision": "no"}
    run.open(SETTINGS, resume=True)
    with pytest.raises(TrainingError, match="unet holds an unfinished run: add --resume"):
        run.open(SETTINGS, resume=False)
    with pytest.raises(TrainingError, match=r"begun with other settings \(seed, epochs\)"):
        run.open({**SETTINGS, "seed": 1, "epochs": 4}, resume=True)


def test_a_finished_run_needs_no_resume_but_the_same_settings(run: Run) -> None:
    run.open(SETTINGS, resume=False)
    assert not run.finished
    run.model_folder.mkdir()
    for name in (CONFIG, RECORD):
        (run.model_folder / name).touch()
    assert run.finished
    run.open(SETTINGS, resume=False)
    with pytest.raises(TrainingError, match=r"begun with other settings \(epochs\)"):
        run.open({**SETTINGS, "epochs": 4}, resume=False)


def test_the_log_is_kept_in_the_folder_and_shown(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.open(SETTINGS, resume=False)
    run.log_to_file().info("epoch %d", 1)
    assert (run.folder / "train.log").read_text().endswith("epoch 1\n")
    assert capsys.readouterr().err.endswith("epoch 1\n")
