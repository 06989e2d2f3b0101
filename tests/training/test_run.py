"""A run folder: what is left after a kill, and what may be resumed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.folder import CONFIG, RECORD
from landslide_zoo.training import TrainConfig
from landslide_zoo.training.run import CHECKPOINTS, Progress, Run


def make_run(folder: Path, **settings: Any) -> Run:
    config = TrainConfig(model=["unet"], data="patches", **settings)
    project = ProjectConfiguration(
        str(folder / "unet"), automatic_checkpoint_naming=True, total_limit=CHECKPOINTS
    )
    return Run(folder / "unet", config, Accelerator(cpu=True, project_config=project))


class Training:
    """A network of one weight, whose value tells the epoch it was saved in."""

    def __init__(self, folder: Path, fingerprint: str = "data", resume: bool = False) -> None:
        self.run = make_run(folder, resume=resume)
        self.network = torch.nn.Linear(1, 1)
        self.progress = Progress(fingerprint)
        self.run.accelerator.prepare(self.network)
        self.run.accelerator.register_for_checkpointing(self.progress)
        self.run.begin()
        assert self.run.resume() == resume

    def epoch(self, f1: float) -> None:
        with torch.no_grad():
            self.network.weight.fill_(self.progress.epoch + 1)
        self.progress.add({"loss": 1 - f1, "f1": f1}, self.network)
        self.run.save(self.progress)

    @property
    def state(self) -> tuple[int, float, float]:
        """Epochs that are finished, the weight, and the best weight."""
        best = self.progress.best_weights["weight"]
        return self.progress.epoch, self.network.weight.item(), best.item()


def test_two_checkpoints_are_kept_each_with_the_best_weights(tmp_path: Path) -> None:
    training = Training(tmp_path)
    for f1 in (0.2, 0.5, 0.5, 0.1):
        training.epoch(f1)
    assert len(list((tmp_path / "unet" / "checkpoints").iterdir())) == 2
    with (tmp_path / "unet" / "metrics.csv").open() as file:
        assert [float(line["f1"]) for line in csv.DictReader(file)] == [0.2, 0.5, 0.5, 0.1]
    assert Training(tmp_path, resume=True).state == (4, 4, 2)  # the first of equal best ones
    progress = training.progress
    assert progress.stalled(2) and not progress.stalled(3) and not progress.stalled(0)


def test_a_kill_while_a_checkpoint_is_written_loses_that_epoch_alone(tmp_path: Path) -> None:
    training = Training(tmp_path)
    training.epoch(0.5)
    training.epoch(0.4)
    training.epoch(0.6)
    (tmp_path / "unet" / "checkpoints" / "checkpoint_2" / "complete").unlink()
    again = Training(tmp_path, resume=True)
    assert again.state == (2, 2, 1)
    again.epoch(0.3)
    assert Training(tmp_path, resume=True).state == (3, 3, 1)


def test_a_dataset_that_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    Training(tmp_path).epoch(0.5)
    with pytest.raises(TrainingError, match="dataset has changed"):
        Training(tmp_path, "other data", resume=True)


def test_a_run_is_gone_on_with_as_it_was_begun_and_on_request(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.check()
    assert not run.folder.exists()  # nothing is written before the run begins
    run.begin()
    make_run(tmp_path, resume=True, workers=4, tracker=["none"]).check()
    with pytest.raises(TrainingError, match="add --resume"):
        make_run(tmp_path).check()
    with pytest.raises(TrainingError, match=r"other settings \(seed, epochs\)"):
        make_run(tmp_path, resume=True, seed=1, epochs=4).check()
    # A finished one needs no --resume, but the same settings.
    run.model_folder.mkdir()
    for name in (CONFIG, RECORD):
        (run.model_folder / name).touch()
    assert run.finished
    make_run(tmp_path).check()
    with pytest.raises(TrainingError, match=r"other settings \(epochs\)"):
        make_run(tmp_path, epochs=4).check()
