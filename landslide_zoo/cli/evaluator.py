"""What ``landslide-zoo evaluate`` does with each model, and what it notes in its record."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import typer
from tqdm import tqdm

from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.evaluation import (
    Evaluation,
    LabelledPatches,
    Refine,
    Stratum,
    evaluate,
    evaluation_command,
    keep_in_record,
    leak_warning,
)
from landslide_zoo.inference import Ensemble, Prediction, TestTimeAugmentation, predict
from landslide_zoo.inference.predict import LoadedPredictor, Options, Predictor
from landslide_zoo.inference.rules import check_rules_off, rules_of, switched_on
from landslide_zoo.models.card import replace_record
from landslide_zoo.models.folder import bundled_folders


@dataclass(frozen=True)
class Evaluator:
    """What models are evaluated on, and how."""

    dataset: LabelledPatches
    strata: Sequence[Stratum]
    negatives: Sequence[Path]
    tta: bool
    options: Options

    def evaluate_ensemble(
        self, models: Sequence[LoadedPredictor], folders: Sequence[Path | None]
    ) -> Evaluation:
        """Evaluate the mean of some models, and log the access in the record of each."""
        for model in models:
            self._warn_of_leak(model)
        name = f"mean of {len(models)} models"
        evaluation = self._run(Ensemble(models, name), name)
        for model, folder in zip(models, folders, strict=True):
            self._keep(model, folder, evaluation, result=False)
        return evaluation

    def evaluate_model(
        self, name: str, model: LoadedPredictor, folder: Path | None, keep: bool
    ) -> Evaluation:
        """Evaluate one model, and note it in its record and its folder's.

        Args:
            name: What the user calls it.
            model: The model.
            folder: Its folder on this machine, if it has one.
            keep: Whether its record keeps the result.

        Raises:
            LandslideZooError: If it cannot be evaluated, or its result not be kept.
        """
        if keep and model.record is None:
            raise ModelError(f"{name} is not trained: it has no record to keep a result in.")
        leak = self._warn_of_leak(model)
        if keep and leak:
            raise DataError(f"The result of {name} is not kept: evaluate it on its own split.")
        evaluation = self._run(model, name)
        self._keep(model, folder, evaluation, keep)
        return evaluation

    def _run(self, predictor: Predictor, title: str) -> Evaluation:
        def progress(patches: Iterable[Patch]) -> Iterable[Patch]:
            return tqdm(patches, title, unit="patch", disable=None, file=sys.stderr)

        predictor = TestTimeAugmentation(predictor) if self.tta else predictor
        return evaluate(
            predictor,
            self.dataset,
            refine=self._refinements(predictor),
            strata=self.strata,
            negatives=self.negatives,
            progress=progress,
        )

    def _refinements(self, predictor: Predictor) -> dict[str, Refine]:
        """What is done beside the network, by what it is called."""
        rules_off = self.options.get("rules_off", ())
        check_rules_off(predictor.config, rules_off)

        @lru_cache(maxsize=1)  # both steps ask about a patch, one after the other
        def postprocessed(patch: Patch) -> Prediction:
            return predict(predictor, [patch], **self.options)[0]

        found: dict[str, Refine] = {}
        if self.options.get("clouds") == "mask":
            found["without clouds"] = lambda patch, _: postprocessed(patch).network
        if switched_on(rules_of(predictor.config), rules_off):
            found[", ".join([*found, "with rules"])] = lambda patch, _: postprocessed(patch)
        return found

    def _keep(
        self, model: LoadedPredictor, folder: Path | None, evaluation: Evaluation, result: bool
    ) -> None:
        """Note an evaluation in a model's record; a bundled folder changes for a result alone."""
        if model.record is None:
            return
        command = evaluation_command(evaluation, self.negatives)
        record = keep_in_record(model.record, evaluation, command, result)
        bundled = folder in bundled_folders().values()
        if folder is not None and record != model.record and (result or not bundled):
            replace_record(folder, record)
        model.record = record

    def _warn_of_leak(self, model: LoadedPredictor) -> bool:
        sentence = leak_warning(model.record, self.dataset)
        if sentence:
            typer.echo(f"Warning: {sentence}", err=True)
        return sentence is not None
