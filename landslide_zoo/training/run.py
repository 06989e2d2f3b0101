"""A run folder: settings, checkpoints and log of a training, and the record that it ends in."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import logging
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from landslide_zoo.errors import LandslideZooError, TrainingError
from landslide_zoo.evaluation import LabelledPatches, evaluate, fit_temperature
from landslide_zoo.figures.charts import curves_figure, examples_figure
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.io import csv_table, public_command, public_name, write_whole
from landslide_zoo.models.folder import CONFIG, RECORD, TRAIN_CONFIG
from landslide_zoo.models.record import DataRecord, EncoderWeights, Record, now
from landslide_zoo.training.config import TrainConfig

CHECKPOINTS = 2
"""How many are kept: one that a kill left half written, and the one before."""
_COMPLETE = "complete"
"""Empty file of a checkpoint that is written to the end."""


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


class Progress:
    """How far a run is, and the best weights so far; part of every checkpoint.

    Args:
        fingerprint: That of the dataset, which must not change before the run is finished.
    """

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_f1 = -1.0
        self.best_weights: dict[str, torch.Tensor] = {}

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return len(self.history)

    def add(self, row: dict[str, float], network: nn.Module) -> None:
        """Add a finished epoch, and keep its weights if they are the best so far."""
        self.history.append(row)
        if row["f1"] > self.best_f1:
            self.best_f1, self.best_epoch = row["f1"], self.epoch
            state = network.state_dict()
            self.best_weights = {name: value.cpu().clone() for name, value in state.items()}

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
        accelerator: Whose main process writes, with automatic names of checkpoints.
    """

    def __init__(self, folder: Path, config: TrainConfig, accelerator: Accelerator) -> None:
        self.folder, self.accelerator = folder, accelerator
        self.model_folder = folder / "model"
        self.log = logging.getLogger(f"landslide_zoo.run.{folder.name}")
        self._resume = config.resume
        self._settings = {**config.settings(), "processes": accelerator.num_processes}
        self._settings_file = folder / "run.json"
        self._checkpoints = folder / "checkpoints"
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
            if self.accelerator.is_main_process and self._settings_file.exists():
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
                self._checkpoints.mkdir(parents=True, exist_ok=True)
                self._take_lock()
                if self._settings_file.exists():
                    self._compare()
                else:
                    write_whole(self._settings_file, json.dumps(self._settings, indent=1))
                self._start_log()

    def resume(self) -> bool:
        """Load the last complete checkpoint into everything registered, if there is one.

        Raises:
            TrainingError: If it was made from another dataset.
        """
        number = -1
        with raise_on_all_ranks():
            complete = self._checkpoints.glob(f"checkpoint_*/{_COMPLETE}")
            number = max(
                (int(file.parent.name.rpartition("_")[2]) for file in complete), default=-1
            )
            checkpoint = self._checkpoints / f"checkpoint_{number}"
            if number >= 0:
                self.accelerator.load_state(str(checkpoint))
        self.accelerator.project_configuration.iteration = number + 1
        with raise_on_all_ranks():
            if self.accelerator.is_main_process:
                shutil.rmtree(self._checkpoints / f"checkpoint_{number + 1}", ignore_errors=True)
        return number >= 0

    def save(self, progress: Progress) -> None:
        """Checkpoint everything registered; a kill at any moment leaves the last one whole."""
        with raise_on_all_ranks():
            self.accelerator.save_state()
        with raise_on_all_ranks():
            if self.accelerator.is_main_process:
                number = self.accelerator.save_iteration - 1
                (self._checkpoints / f"checkpoint_{number}" / _COMPLETE).touch()
                write_whole(self.folder / "metrics.csv", csv_table(progress.history))
                write_whole(self.folder / "curves.png", curves_figure(progress.history))

    def _take_lock(self) -> None:
        """Keep other trainers out; the kernel gives the lock back when this process ends."""
        if self._lock is not None:
            return
        lock = (self.folder / "run.lock").open("w", encoding="utf-8")
        try:
            # Not flock: reading processes would hold it on after this one has been killed.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise TrainingError(
                f"Another process trains in {self.folder}: wait until it is done, or choose "
                "another --output."
            ) from error
        self._lock = lock

    def _compare(self) -> None:
        before = json.loads(self._settings_file.read_text(encoding="utf-8"))
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
        self.log.propagate = False
        self.log.setLevel(logging.INFO)
        for handler in (
            logging.StreamHandler(),
            logging.FileHandler(self.folder / "train.log", encoding="utf-8"),
        ):
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            self.log.addHandler(handler)


_EXAMPLES = 4
_PACKAGES = ("torch", "segmentation-models-pytorch", "accelerate", "huggingface_hub", "numpy")
_RECORDED_ELSEWHERE = frozenset(
    ["model", "data", "bands", "split", "encoder_weights", "teacher", "seed", "dtype"]
)
"""Settings that the record holds outside its recipe."""


def build_record(
    model: LandslideModel,
    split: Mapping[str, LabelledPatches],
    progress: Progress,
    config: TrainConfig,
    encoder: EncoderWeights,
    teachers: Sequence[str],
    accelerator: Accelerator,
    version: str,
) -> Record:
    """Measure a trained model and record how it was trained.

    Temperature and threshold are chosen on validation; every subset but the
    train one is measured with them.

    Args:
        model: Holds the best weights; changed in place.
        split: The patches by subset.
        progress: The run's history.
        config: All settings of the model.
        encoder: What its encoder started from.
        teachers: The models it was distilled from, each with the SHA-256 of its weights.
        accelerator: How it was launched.
        version: Version of this package.

    Returns:
        Its record. The model has it too, with temperature, threshold, the
        card's figures and the settings to train it again.
    """
    command = public_command("accelerate", "launch", public_name(sys.argv[0]))
    if "--mixed-precision" not in command:
        command += f" --mixed-precision {accelerator.mixed_precision}"
    name, validation = public_name(config.data), split["validation"]
    # What is measured is what is published: the weights as they will be stored.
    model.update_config(dtype=config.dtype).round_weights()
    if config.tune_threshold:
        temperature = fit_temperature(model, validation, config.seed)
        model.update_config(temperature=temperature)
        counts = evaluate(model, validation, postprocess=False).pixel_counts
        model.update_config(threshold=counts.best_threshold())
    settings = config.settings()
    record = Record(
        model=model.config.name,
        created=now(),
        command=command,
        seed=config.seed,
        data=DataRecord(
            name=name,
            fingerprint=progress.fingerprint,
            protocol=config.split,
            patches={subset: len(patches) for subset, patches in split.items()},
        ),
        encoder_weights=encoder,
        recipe={
            **{name: value for name, value in settings.items() if name not in _RECORDED_ELSEWHERE},
            **({"teachers": ", ".join(teachers)} if teachers else {}),
            "processes": accelerator.num_processes,
            "threads": torch.get_num_threads(),
        },
        versions={
            "landslide-zoo": version,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        epochs=progress.epoch,
        best_epoch=progress.best_epoch,
        history=progress.history,
        results=[
            evaluate(model, patches, postprocess=False).result(command)
            for subset, patches in split.items()
            if subset != "train"
        ],
    )
    if "test" in split:
        record = record.with_test_access(name, config.split, "test", command)
    model.record = record
    model.extra_files = {
        TRAIN_CONFIG: config.to_json().encode(),
        "examples.png": _examples(model, validation),
        "curves.png": curves_figure(progress.history),
    }
    return record


def _examples(model: LandslideModel, patches: LabelledPatches) -> bytes:
    """True colour, truth and prediction of patches with few to many landslide pixels."""
    areas = [0 if patch.mask is None else int(patch.mask.sum()) for patch in patches]
    shares = np.linspace(0.25, 0.95, _EXAMPLES) * (len(patches) - 1)
    rows = []
    for index in np.argsort(areas, kind="stable")[shares.astype(int)]:
        patch = patches[int(index)]
        assert patch.mask is not None
        rows.append((patch, patch.mask, model.predict(patch, postprocess=False).mask))
    return examples_figure(rows)
