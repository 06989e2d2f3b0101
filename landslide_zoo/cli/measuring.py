"""How the evaluate command measures models, and what it leaves in their records."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from landslide_zoo.cli.common import load_model
from landslide_zoo.errors import DataError, ModelError

if TYPE_CHECKING:
    from landslide_zoo.data.patch import Patch
    from landslide_zoo.evaluation.evaluate import Evaluation
    from landslide_zoo.evaluation.labelled import LabelledSet
    from landslide_zoo.evaluation.strata import Stratum
    from landslide_zoo.models.model import LandslideModel


@dataclass(frozen=True)
class Measuring:
    """What models are measured on, and how.

    Attributes:
        data: Folder or Hub id of the dataset.
        split: Name of the split.
        subset: What of it to measure on.
        augmented: Whether to use test-time augmentation.
        negatives: Folders of ground without landslides.
        strata: Strata of the user's own, as ``NAME=FOLDER[@EDGE,EDGE...]``.
        device: Where to run the models.
    """

    data: str
    split: str
    subset: str
    augmented: bool
    negatives: Sequence[Path]
    strata: Sequence[str]
    device: str

    @cached_property
    def labelled(self) -> LabelledSet:
        """The patches."""
        from landslide_zoo.evaluation.labelled import LabelledSet

        return LabelledSet.find(self.data, self.split, self.subset)

    def load(self, name: str) -> tuple[LandslideModel, Path | None]:
        """A model by name, and its folder if it has one on this machine."""
        from landslide_zoo.hub.zoo import ModelZoo
        from landslide_zoo.models.location import local_folder

        model, folder = load_model(name, self.device), local_folder(name)
        if folder is None and "/" not in name:
            entry = ModelZoo().entry(name)
            folder = None if entry.repo_id else entry.folder
        return model, folder

    def together(self, names: Sequence[str]) -> Evaluation:
        """Measure the mean of some models, and note the look in the record of each."""
        loaded = [self.load(name) for name in names]
        for model, _ in loaded:
            self._warn_of_leak(model)
        evaluation = self._run([model for model, _ in loaded], f"mean of {len(loaded)}")
        for model, folder in loaded:
            self._note(model, folder, evaluation, keep=False)
        return evaluation

    def alone(
        self, name: str, model: LandslideModel, folder: Path | None, keep: bool
    ) -> Evaluation:
        """Measure one model, and note it in its record and its folder's.

        Args:
            name: What the user calls it.
            model: The model.
            folder: Its folder on this machine, if it has one.
            keep: Whether its record keeps the result. A look at held-out
                patches is noted in any case, but in a bundled model's folder
                only what is kept is.

        Raises:
            LandslideZooError: If it cannot be measured, or its result not be kept.
        """
        if keep and model.record is None:
            raise ModelError(f"{name} is not trained: it has no record to keep a result in.")
        leak = self._warn_of_leak(model)
        if keep and leak:
            raise DataError(f"The result of {name} is not kept: measure it by its own split.")
        evaluation = self._run([model], name)
        self._note(model, folder, evaluation, keep)
        return evaluation

    def _note(
        self, model: LandslideModel, folder: Path | None, evaluation: Evaluation, keep: bool
    ) -> None:
        from landslide_zoo.evaluation.recording import evaluation_command, noted
        from landslide_zoo.models.folder import replace_record
        from landslide_zoo.models.location import bundled_folders

        if model.record is None:
            return
        command = evaluation_command(evaluation, self.negatives)
        record = noted(model.record, evaluation, command, keep)
        bundled = folder in bundled_folders().values()
        if folder is not None and record != model.record and (keep or not bundled):
            replace_record(folder, record)
        model.record = record

    def _run(self, models: Sequence[LandslideModel], title: str) -> Evaluation:
        from tqdm import tqdm

        from landslide_zoo.evaluation.evaluate import evaluate
        from landslide_zoo.evaluation.strata import STRATA

        def progress(patches: Iterable[Patch]) -> Iterable[Patch]:
            return tqdm(patches, title, unit="patch", disable=None, file=sys.stderr)

        return evaluate(
            models,
            self.labelled,
            augmented=self.augmented,
            strata=[*STRATA, *map(self._stratum, self.strata)],
            negatives=self.negatives,
            progress=progress,
        )

    def _stratum(self, text: str) -> Stratum:
        """A stratum as the command line names it.

        Raises:
            BadParameter: If it is not NAME=FOLDER or NAME=FOLDER@EDGE,EDGE.
        """
        from landslide_zoo.evaluation.strata import raster_stratum

        name, equals, rest = text.partition("=")
        folder, at, listed = rest.rpartition("@") if "@" in rest else (rest, "", "")
        try:
            edges = [float(edge) for edge in listed.split(",")] if at else None
        except ValueError:
            edges = []
        if not (name and equals and folder) or edges == []:
            raise typer.BadParameter(f"--stratum {text}: write NAME=FOLDER or NAME=FOLDER@10,20.")
        stems = [sample.image.stem for sample in self.labelled.samples]
        return raster_stratum(name, Path(folder), stems, edges)

    def _warn_of_leak(self, model: LandslideModel) -> bool:
        from landslide_zoo.evaluation.recording import leak_sentence

        sentence = leak_sentence(model.record, self.labelled)
        if sentence:
            typer.echo(f"Warning: {sentence}", err=True)
        return sentence is not None
