"""A run folder: the settings, the state to resume from, the metrics and the finished model.

::

    runs/unet-resnet34/
        run.json          the settings
        train.log         what was printed
        metrics.csv       loss and scores of each epoch
        curves.png        the same, drawn
        checkpoints/      best weights, and the whole state after the last epoch
        landslide-zoo/    a tracker's files
        model/            the publishable model folder, once finished
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors import SafetensorError
from torch import nn

from landslide_zoo.data.files import write_whole
from landslide_zoo.errors import TrainingError
from landslide_zoo.figures import curves_figure
from landslide_zoo.models.location import CONFIG, RECORD
from landslide_zoo.models.weights import load_weights, save_weights
from landslide_zoo.training.together import together


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
        """The whole of it, for a checkpoint."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where the checkpoint was.

        Raises:
            TrainingError: If the dataset is another one.
        """
        if state["fingerprint"] != self.fingerprint:
            raise TrainingError(
                "The dataset has changed since the run was begun: bring the old one back, "
                "or choose another --output."
            )
        vars(self).update(state)


class Run:
    """One model's run folder.

    Args:
        folder: The folder, made if need be.
        accelerator: Whose main process writes.
    """

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.folder = folder
        self.accelerator = accelerator
        self.model_folder = folder / "model"
        self._checkpoints = folder / "checkpoints"
        self._new = self._checkpoints / ".new"

    @property
    def finished(self) -> bool:
        """Whether the run has its model folder with a record."""
        return (self.model_folder / CONFIG).is_file() and (self.model_folder / RECORD).is_file()

    def open(self, settings: dict[str, object], resume: bool) -> None:
        """Start the run folder, or check that it is finished or may be gone on with.

        Args:
            settings: All that the run's outcome depends on, by name.
            resume: Whether to go on with an unfinished run.

        Raises:
            TrainingError: If it was begun with other settings, or is
                unfinished and not to be resumed.
        """
        path = self.folder / "run.json"
        launched = {
            "processes": self.accelerator.num_processes,
            "mixed_precision": self.accelerator.mixed_precision,
        }
        given = json.loads(json.dumps({**settings, **launched}, default=str))
        with together():
            if path.is_file():
                before = json.loads(path.read_text())
                changed = [name for name in given if given[name] != before.get(name)]
                if changed:
                    raise TrainingError(
                        f"{self.folder} was begun with other settings ({', '.join(changed)}): "
                        "give the same ones, or choose another --output."
                    )
                if not resume and not self.finished:
                    raise TrainingError(
                        f"{self.folder} holds an unfinished run: add --resume to go on with it, "
                        "or choose another --output."
                    )
        with together():
            if self.accelerator.is_main_process and not path.is_file():
                write_whole(path, json.dumps(given, indent=1))

    def log_to_file(self) -> logging.Logger:
        """The run's log: shown by the main process and kept in ``train.log``."""
        logger = logging.getLogger(f"landslide_zoo.run.{self.folder.name}")
        logger.propagate = False
        logging.raiseExceptions = False  # a full disk is told once, not at every line of the log
        if self.accelerator.is_main_process and not logger.handlers:
            logger.setLevel(logging.INFO)
            for handler in (
                logging.StreamHandler(),
                logging.FileHandler(self.folder / "train.log"),
            ):
                handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
                logger.addHandler(handler)
        return logger

    def save(self, progress: Progress, network: nn.Module) -> None:
        """Checkpoint everything registered; a kill at any moment leaves the last one whole.

        Args:
            progress: With the epoch just finished.
            network: Its averaged weights, kept if they are the best so far.

        Raises:
            TrainingError: If the folder cannot be written; the last checkpoint stays.
        """
        main = self.accelerator.is_main_process
        with together(), self._writing():
            if main:
                shutil.rmtree(self._new, ignore_errors=True)
                self._new.mkdir(parents=True)
        with together(), self._writing():
            self.accelerator.save_state(str(self._new))
        with together(), self._writing():
            if main:
                self._write_metrics(progress)
                if progress.best_epoch == progress.epoch:
                    save_weights(network, self._new / "best", "float32")
                    os.replace(self._new / "best", self._best(progress))
                os.replace(self._new, self._checkpoints / f"epoch-{progress.epoch:04d}")
                for old in self._saved()[:-1]:
                    shutil.rmtree(old)
                for weights in self._checkpoints.glob("best-*.safetensors"):
                    if weights != self._best(progress):
                        weights.unlink()

    def resume(self) -> bool:
        """Load the last whole checkpoint into everything registered, if there is one.

        Raises:
            TrainingError: If it is damaged, or was made from another dataset.
        """
        saved = self._saved()
        if saved:
            with together():
                try:
                    self.accelerator.load_state(str(saved[-1]))
                except (OSError, EOFError, RuntimeError, SafetensorError) as error:
                    raise TrainingError(
                        f"The checkpoint {saved[-1]} cannot be read ({_first_line(error)}): "
                        "delete it to begin anew."
                    ) from error
        return bool(saved)

    def load_best(self, network: nn.Module, progress: Progress) -> None:
        """Load the weights of the best epoch."""
        load_weights(network, self._best(progress))

    def _best(self, progress: Progress) -> Path:
        return self._checkpoints / f"best-{progress.best_epoch:04d}.safetensors"

    def _saved(self) -> list[Path]:
        return sorted(self._checkpoints.glob("epoch-*"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        # torch and safetensors have errors of their own for a full disk.
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(self._new, ignore_errors=True)
            raise TrainingError(
                f"A checkpoint cannot be written to {self._checkpoints} ({_first_line(error)}): "
                "free some space and go on with --resume from the last one, which is kept."
            ) from error

    def _write_metrics(self, progress: Progress) -> None:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, fieldnames=list(progress.history[0]))
        table.writeheader()
        table.writerows(progress.history)
        write_whole(self.folder / "metrics.csv", text.getvalue())
        write_whole(self.folder / "curves.png", curves_figure(progress.history))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
