"""A run folder: what is kept, what is whole after a kill, and what may be gone on with."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from full_disk import largest_file
from safetensors.torch import load_file

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.folder import CONFIG, RECORD
from landslide_zoo.training import TrainConfig
from landslide_zoo.training.run import Progress, Run

HOLD_LOCK = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def make_run(folder: Path, **settings: Any) -> Run:
    config = TrainConfig(model=["unet"], data="patches", **settings)
    return Run(folder / "runs" / "unet", config, Accelerator(cpu=True))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


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

    @property
    def best(self) -> float:
        """The weight that was kept as the best."""
        network = torch.nn.Linear(1, 1)
        self.run.load_best(network, self.progress)
        return network.weight.item()


def resumed(folder: Path, fingerprint: str = "data") -> Training:
    training = Training(make_run(folder, resume=True), fingerprint)
    assert training.run.resume()
    return training


def test_progress_remembers_the_first_of_equal_best_epochs() -> None:
    progress = Progress("data")
    for f1 in (0.0, 0.4, 0.4, 0.3):
        progress.add(row(f1))
    assert (progress.epoch, progress.best_epoch, progress.best_f1) == (4, 2, 0.4)
    assert not progress.stalled(0) and not progress.stalled(3)
    assert progress.stalled(2) and progress.stalled(1)


def test_two_checkpoints_are_kept_each_with_the_best_weights(run: Run) -> None:
    training = Training(run)
    for f1 in (0.2, 0.5, 0.4, 0.1):
        training.epoch(f1)
    checkpoints = run.folder / "checkpoints"
    assert names(checkpoints) == ["epoch-0003", "epoch-0004"]
    for checkpoint in checkpoints.iterdir():
        assert load_file(checkpoint / "best.safetensors")["weight"].item() == 2
    with (run.folder / "metrics.csv").open() as file:
        assert [float(line["f1"]) for line in csv.DictReader(file)] == [0.2, 0.5, 0.4, 0.1]
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_kill_while_a_checkpoint_is_written_loses_that_epoch_alone(
    run: Run, tmp_path: Path
) -> None:
    training = Training(run)
    training.epoch(0.5)
    training.epoch(0.4)
    half = run.folder / "checkpoints" / ".new"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    again = resumed(tmp_path)
    assert again.progress.history == [row(0.5), row(0.4)]
    assert (again.network.weight.item(), again.best) == (2, 1)
    again.epoch(0.3)
    assert names(run.folder / "checkpoints") == ["epoch-0002", "epoch-0003"]
    assert again.best == 1


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_checkpoint_is_found_and_the_one_before_is_used(
    damage: Callable[[Path], None], run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training(run)
    for f1 in (0.5, 0.4, 0.3):
        training.epoch(f1)
    last = run.folder / "checkpoints" / "epoch-0003"
    whole = {name: (last / name).read_bytes() for name in names(last)}
    assert {"model.safetensors", "best.safetensors", "manifest.json"} < whole.keys()
    for name, content in whole.items():
        damage(last / name)
        again = resumed(tmp_path)
        assert (again.progress.epoch, again.network.weight.item(), again.best) == (2, 2, 1)
        assert f"the checkpoint epoch-0003 is damaged ({name} is" in caplog.text
        (last / name).write_bytes(content)
    # The epoch that was lost comes again in its place.
    damage(last / "optimizer.bin" if (last / "optimizer.bin").exists() else last / "manifest.json")
    again = resumed(tmp_path)
    again.epoch(0.6)
    assert resumed(tmp_path).best == 3


def test_a_file_that_no_manifest_names_is_not_read(run: Run, tmp_path: Path) -> None:
    training = Training(run)
    training.epoch(0.5)
    training.epoch(0.4)
    (run.folder / "checkpoints" / "epoch-0002" / "random_states_1.pkl").write_bytes(b"anything")
    assert resumed(tmp_path).progress.epoch == 1


def test_without_a_whole_checkpoint_nothing_is_resumed(run: Run, tmp_path: Path) -> None:
    assert not run.resume()  # a new run is no error
    Training(run).epoch(0.5)
    flip(run.folder / "checkpoints" / "epoch-0001" / "model.safetensors")
    with pytest.raises(TrainingError, match=r"is whole \(epoch-0001: model.safetensors is not as"):
        resumed(tmp_path)


def test_best_weights_that_rot_while_training_are_not_published(run: Run) -> None:
    training = Training(run)
    training.epoch(0.5)
    flip(run.folder / "checkpoints" / "epoch-0001" / "best.safetensors")
    with pytest.raises(TrainingError, match=r"best\.safetensors was damaged while training"):
        _ = training.best
    with pytest.raises(TrainingError, match=r"best\.safetensors was damaged while training"):
        training.epoch(0.4)


def test_a_dataset_that_changed_is_not_gone_on_with(run: Run, tmp_path: Path) -> None:
    Training(run, "data").epoch(0.5)
    with pytest.raises(TrainingError, match="The dataset has changed since the run was started"):
        resumed(tmp_path, "other data")


def test_a_full_disk_leaves_the_last_checkpoint(run: Run, tmp_path: Path) -> None:
    training = Training(run)
    training.epoch(0.5)
    sentence = r"cannot be written to .*checkpoints .*--resume"
    with largest_file(100), pytest.raises(TrainingError, match=sentence):
        training.epoch(0.6)
    assert names(run.folder / "checkpoints") == ["epoch-0001"]
    again = resumed(tmp_path)
    assert (again.progress.epoch, again.network.weight.item()) == (1, 1)


def test_a_run_is_gone_on_with_as_it_was_begun_and_on_request(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.check()
    assert not run.folder.exists()  # nothing is written before the run begins
    run.begin()
    run.log.info("epoch %d", 1)
    assert (run.folder / "train.log").read_text().endswith("epoch 1\n")
    make_run(tmp_path, resume=True, workers=4, tracker=["none"]).check()
    with pytest.raises(TrainingError, match="unet holds an unfinished run: add --resume"):
        make_run(tmp_path).check()
    with pytest.raises(TrainingError, match=r"started with other settings \(seed, epochs\)"):
        make_run(tmp_path, resume=True, seed=1, epochs=4).check()
    # A finished one needs no --resume, but the same settings.
    assert not run.finished
    run.model_folder.mkdir()
    for name in (CONFIG, RECORD):
        (run.model_folder / name).touch()
    assert run.finished
    make_run(tmp_path).check()
    with pytest.raises(TrainingError, match=r"started with other settings \(epochs\)"):
        make_run(tmp_path, epochs=4).check()


@pytest.mark.parametrize("content", ['{"a":', "", "[1]", "7", None])
def test_damaged_settings_are_one_sentence(content: str | None, tmp_path: Path) -> None:
    run = make_run(tmp_path, resume=True)
    run.begin()
    Training(run).epoch(0.5)
    settings = run.folder / "run.json"
    settings.unlink() if content is None else settings.write_text(content)
    with pytest.raises(TrainingError, match=r"run.json is missing or damaged: delete .*unet"):
        make_run(tmp_path, resume=True).check()


def test_the_second_of_two_trainers_is_told(tmp_path: Path) -> None:
    begun = make_run(tmp_path)
    begun.begin()
    command = [sys.executable, "-c", HOLD_LOCK, str(begun.folder / "run.lock")]
    del begun  # it gives its lock back
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match=r"Another process trains in .*unet: wait until"):
            make_run(tmp_path, resume=True).check()
        assert json.loads((tmp_path / "runs" / "unet" / "run.json").read_text())["epochs"] == 24
        other.kill()
    make_run(tmp_path, resume=True).check()
