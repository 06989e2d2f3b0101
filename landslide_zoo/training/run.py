"""A run folder: its settings, checkpoints to resume from, metrics and the finished model.

::

    runs/unet-resnet34/
        run.json          the settings
        run.lock          held by the trainer at work
        train.log         what was printed
        metrics.csv       loss and scores of each epoch
        curves.png        the same, drawn
        checkpoints/      the whole state after each of the last two epochs
        landslide-zoo/    a tracker's files
        model/            the publishable model folder, once finished
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

from accelerate import Accelerator, PartialState
from accelerate.utils import broadcast_object_list, gather_object
from safetensors import SafetensorError
from torch import nn

from landslide_zoo.errors import LandslideZooError, TrainingError
from landslide_zoo.figures.charts import curves_figure
from landslide_zoo.io import file_sha256, write_whole
from landslide_zoo.models.folder import CONFIG, RECORD, load_weights, save_weights
from landslide_zoo.text import csv_table
from landslide_zoo.training.config import TrainConfig

T = TypeVar("T")

_KEPT = 2
"""Checkpoints that are kept: the last, and the one before for when the last is damaged."""
_BEST, _MANIFEST = "best.safetensors", "manifest.json"


@contextmanager
def raise_on_all_ranks() -> Iterator[None]:
    """A block that fails in every process if it fails in one, and that all leave at once.

    Without it the others would wait for the one that failed until their connection to
    it is lost. The block itself must not wait for other processes.

    Raises:
        TrainingError: With the sentence of the first process that failed.
    """
    failure = None
    try:
        yield
    except (LandslideZooError, OSError) as error:
        failure = error
    sentences = gather_object([failure and str(failure)])
    if any(sentences):
        raise TrainingError(next(filter(None, sentences))) from failure


def main_process_first(work: Callable[[], T]) -> T:
    """Do work that leaves files in one process of each machine, then in the others.

    Raises:
        TrainingError: With the sentence of the first process that failed.
    """
    for turn in (True, False):
        with raise_on_all_ranks():
            if PartialState().is_local_main_process == turn:
                result = work()
    return result


class Progress:
    """How far a run is; part of every checkpoint.

    Args:
        fingerprint: That of the dataset, which must not change before the run is finished.
    """

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_f1 = -1.0

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return len(self.history)

    def add(self, row: dict[str, float]) -> None:
        """Add a finished epoch."""
        self.history.append(row)
        if row["f1"] > self.best_f1:
            self.best_f1, self.best_epoch = row["f1"], self.epoch

    def stalled(self, patience: int) -> bool:
        """Whether so many epochs, if not 0, brought no better F1."""
        return 0 < patience <= self.epoch - self.best_epoch

    def state_dict(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the checkpoint was written.

        Raises:
            TrainingError: If the dataset is another one.
        """
        if state["fingerprint"] != self.fingerprint:
            raise TrainingError(
                "The dataset has changed since the run was started: restore the old one, "
                "or choose another --output."
            )
        vars(self).update(state)


class Run:
    """One model's run folder. Nothing is written to it before :meth:`begin`.

    Args:
        folder: The folder.
        config: All settings of the model.
        accelerator: Whose main process writes.
    """

    def __init__(self, folder: Path, config: TrainConfig, accelerator: Accelerator) -> None:
        self.folder, self.accelerator = folder, accelerator
        self.model_folder = folder / "model"
        self.log = logging.getLogger(f"landslide_zoo.run.{folder.name}")
        self._resume = config.resume
        self._settings = {**config.settings(), "processes": accelerator.num_processes}
        self._settings_file = folder / "run.json"
        self._checkpoints = folder / "checkpoints"
        self._new = self._checkpoints / ".new"
        self._lock: TextIOWrapper | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has its model folder with a record."""
        return (self.model_folder / CONFIG).is_file() and (self.model_folder / RECORD).is_file()

    def check(self) -> None:
        """Check that the folder is new, finished, or may be resumed.

        Raises:
            TrainingError: If another trainer is at work in it, it was started
                with other settings, or is unfinished and not to be resumed.
        """
        with raise_on_all_ranks():
            begun = self._settings_file.exists() or bool(self._saved())
            if self.accelerator.is_main_process and begun:
                if not self.finished:
                    self._take_lock()
                self._compare()

    def begin(self) -> None:
        """Write the settings, where the folder is new, and start the log.

        Raises:
            TrainingError: If another trainer has begun meanwhile, or the folder
                cannot be written.
        """
        with raise_on_all_ranks():
            if self.accelerator.is_main_process:
                self.folder.mkdir(parents=True, exist_ok=True)
                if self._lock is None:
                    self._take_lock()
                if self._settings_file.exists():
                    self._compare()
                else:
                    write_whole(self._settings_file, json.dumps(self._settings, indent=1))
                self._start_log()

    def save(self, progress: Progress, network: nn.Module) -> None:
        """Checkpoint everything registered; a kill at any moment leaves the last one whole.

        Args:
            progress: With the epoch just finished.
            network: Its averaged weights, kept if they are the best so far.

        Raises:
            TrainingError: If the folder cannot be written; the last checkpoint stays.
        """
        main = self.accelerator.is_main_process
        with raise_on_all_ranks(), self._writing():
            if main:
                shutil.rmtree(self._new, ignore_errors=True)
                self._new.mkdir(parents=True)
        with raise_on_all_ranks(), self._writing():
            self.accelerator.save_state(str(self._new))
        with raise_on_all_ranks(), self._writing():
            if main:
                if progress.best_epoch == progress.epoch:
                    save_weights(network, self._new / _BEST, "float32")
                else:
                    before = self._checkpoint(progress.epoch - 1) / _BEST
                    _check_best(before)
                    shutil.copyfile(before, self._new / _BEST)
                hashes = json.dumps(_hashes(self._new), indent=1)
                (self._new / _MANIFEST).write_text(hashes, encoding="utf-8")
                target = self._checkpoint(progress.epoch)
                shutil.rmtree(target, ignore_errors=True)  # a damaged one that was gone back from
                os.replace(self._new, target)
                self._write_metrics(progress)
                for old in self._saved()[:-_KEPT]:
                    shutil.rmtree(old)

    def resume(self) -> bool:
        """Load the last whole checkpoint into everything registered, if there is one.

        Raises:
            TrainingError: If there are checkpoints and all are damaged, or they
                were made from another dataset.
        """
        chosen: list[str | None] = [None]
        with raise_on_all_ranks():
            if self.accelerator.is_main_process:
                chosen = [self._last_whole()]
        (path,) = broadcast_object_list(chosen)
        if path is not None:
            with raise_on_all_ranks():
                self.accelerator.load_state(path)
        return path is not None

    def load_best(self, network: nn.Module, progress: Progress) -> None:
        """Load the weights of the best epoch.

        Raises:
            TrainingError: If they are damaged.
        """
        best = self._checkpoint(progress.epoch) / _BEST
        _check_best(best)
        load_weights(network, best)

    def _take_lock(self) -> None:
        """Keep other trainers out; the kernel gives the lock back when this process ends."""
        lock = (self.folder / "run.lock").open("w", encoding="utf-8")
        try:
            # Not flock: reading processes would hold it on after this one has been killed.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise TrainingError(
                f"Another process trains in {self.folder}: wait until it is done, or choose "
                "another --output."
            ) from error
        except OSError:
            pass  # a file system without locks
        self._lock = lock

    def _compare(self) -> None:
        try:
            before = dict(json.loads(self._settings_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TrainingError(
                f"{self._settings_file} is missing or damaged: delete {self.folder} to start "
                "again, or choose another --output."
            ) from error
        names = dict.fromkeys([*self._settings, *before])
        changed = [name for name in names if self._settings.get(name) != before.get(name)]
        if changed:
            raise TrainingError(
                f"{self.folder} was started with other settings ({', '.join(changed)}): "
                "give the same ones, or choose another --output."
            )
        if not self._resume and not self.finished:
            raise TrainingError(
                f"{self.folder} holds an unfinished run: add --resume to continue it, "
                "or choose another --output."
            )

    def _start_log(self) -> None:
        """Show the log and keep it in ``train.log``."""
        logging.raiseExceptions = False  # a full disk is told once, not at every line of the log
        self.log.propagate = False
        self.log.setLevel(logging.INFO)
        for handler in (
            logging.StreamHandler(),
            logging.FileHandler(self.folder / "train.log", encoding="utf-8"),
        ):
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            self.log.addHandler(handler)

    def _checkpoint(self, epoch: int) -> Path:
        return self._checkpoints / f"epoch-{epoch:04d}"

    def _saved(self) -> list[Path]:
        return sorted(self._checkpoints.glob("epoch-*"))

    def _last_whole(self) -> str | None:
        faults = []
        for checkpoint in reversed(self._saved()):
            fault = _fault(checkpoint)
            if fault is None:
                return str(checkpoint)
            self.log.warning("the checkpoint %s is damaged (%s)", checkpoint.name, fault)
            faults.append(f"{checkpoint.name}: {fault}")
        if faults:
            raise TrainingError(
                f"No checkpoint in {self._checkpoints} is whole ({'; '.join(faults)}): delete "
                f"{self.folder} to start again."
            )
        return None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        # torch and safetensors have errors of their own for a full disk.
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(self._new, ignore_errors=True)
            why = str(error).partition("\n")[0].rstrip(".")
            raise TrainingError(
                f"A checkpoint cannot be written to {self._checkpoints} ({why}): "
                "free some space, then continue with --resume from the last one, which is kept."
            ) from error

    def _write_metrics(self, progress: Progress) -> None:
        write_whole(self.folder / "metrics.csv", csv_table(progress.history))
        write_whole(self.folder / "curves.png", curves_figure(progress.history))


def _hashes(checkpoint: Path) -> dict[str, str]:
    """SHA-256 of each file of a checkpoint, by name, but for the manifest."""
    files = sorted(path for path in checkpoint.iterdir() if path.name != _MANIFEST)
    return {path.name: file_sha256(path) for path in files}


def _manifest(checkpoint: Path) -> dict[str, str]:
    try:
        return dict(json.loads((checkpoint / _MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _fault(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, by its manifest; None if it is whole."""
    manifest = _manifest(checkpoint)
    if not manifest:
        return f"{_MANIFEST} is missing or damaged"
    found = _hashes(checkpoint)
    for name in sorted(manifest.keys() | found.keys()):
        if name not in found:
            return f"{name} is missing"
        if found[name] != manifest.get(name):
            return f"{name} is not as it was written"
    return None


def _check_best(best: Path) -> None:
    if not best.is_file() or file_sha256(best) != _manifest(best.parent).get(_BEST):
        raise TrainingError(
            f"{best} was damaged while training: start again with --resume, which goes back to "
            "the checkpoint before it."
        )
