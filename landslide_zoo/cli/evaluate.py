"""``landslide-zoo evaluate``: evaluate models, fill the leaderboard, train a model again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from landslide_zoo.cli.common import (
    BackendOption,
    Clouds,
    Device,
    Json,
    ProductLevel,
    RulesOff,
    default_model,
    load_model,
)
from landslide_zoo.errors import DataError, LandslideZooError, ModelError
from landslide_zoo.tables import text_table

if TYPE_CHECKING:
    from landslide_zoo.data.patch import Patch
    from landslide_zoo.evaluation import Evaluation, EvaluationDataset, Stratum
    from landslide_zoo.evaluation.evaluate import Refine
    from landslide_zoo.inference.backends import Backend
    from landslide_zoo.inference.result import Steps
    from landslide_zoo.models import LoadedPredictor, Predictor

HEADER = (
    "model",
    "patches",
    "threshold",
    "precision",
    "recall",
    "F1",
    "95 % interval",
    "AP",
    "calibration error",
    "false alarms (ha per 100 km²)",
)


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Names in the zoo, folders, or repo ids; with --zoo a folder or namespace.",
        ),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Folder, or id of a dataset on the Hub.")] = None,
    split: Annotated[
        str, typer.Option(help="folder, random, spatial, region:X or official.")
    ] = "folder",
    subset: Annotated[
        Literal["test", "validation", "all"], typer.Option(help="What of it to evaluate on.")
    ] = "test",
    tta: Annotated[bool, typer.Option("--tta", help="Test-time augmentation, eight ways.")] = False,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Evaluate the mean of the models.")
    ] = False,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of patches without landslides, for false alarms; repeatable."),
    ] = None,
    stratum: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER[@EDGE,EDGE...]",
            help="Scores by a quantity of your own, STEM.npy for each patch; repeatable.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for JSON, Markdown and figures; with --zoo for the cards (model_cards), "
            "with --reproduce for the new run (reproduced)."
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the result in the model's record and card.")
    ] = False,
    zoo: Annotated[
        bool, typer.Option("--zoo", help="Fill the leaderboard; with --data, evaluate first.")
    ] = False,
    reproduce: Annotated[
        bool, typer.Option("--reproduce", help="Train MODEL again by its record, and compare.")
    ] = False,
    encoder_weights: Annotated[
        str | None, typer.Option(help="With --reproduce: where the encoder's weights are.")
    ] = None,
    clouds: Clouds = "mask",
    rule_off: RulesOff = None,
    level: ProductLevel = None,
    device: Device = "auto",
    backend: BackendOption = "torch",
    as_json: Json = False,
) -> None:
    """Evaluate models on the labelled patches of a dataset.

    Each is counted by itself, and again after what is done beside the network:
    without clouds, and with the rules on objects, where the bands allow them.

    Every access to test patches is logged in the record of a model that is a
    folder of yours, whether or not its result is kept.
    """
    names = models or []
    if reproduce and zoo:
        raise typer.BadParameter("--zoo and --reproduce are two different things to do.")
    if reproduce:
        _reproduce(names, output or Path("reproduced"), data, encoder_weights)
        return
    if (record or zoo) and (tta or ensemble):
        raise typer.BadParameter("a record holds what a model does alone, without --tta.")
    setup = None
    if data is not None:
        from landslide_zoo.evaluation import STRATA, EvaluationDataset
        from landslide_zoo.inference.result import Steps

        steps = Steps(clouds, tuple(rule_off or ()), level)
        dataset = EvaluationDataset.find(data, split, subset)
        strata = [*STRATA, *(_stratum(text, dataset) for text in stratum or [])]
        setup = _Setup(dataset, strata, negatives or [], tta, steps, device, backend)
    if zoo:
        _fill_leaderboard(names, setup, output)
    elif setup is None:
        raise typer.BadParameter("--data is needed: a folder, or an id of a dataset on the Hub.")
    else:
        names = names or [default_model()]
        loaded = [setup.load(name) for name in names]
        away = [name for name, (_, folder) in zip(names, loaded, strict=True) if folder is None]
        if record and away:
            raise ModelError(
                f"{away[0]} is on a Hub, where its record stays as it is: evaluate a model folder "
                "to keep the result."
            )
        if ensemble:
            results = [setup.evaluate_ensemble(loaded)]
            names = [results[0].model]
        else:
            results = [
                setup.evaluate_model(name, model, folder, record)
                for name, (model, folder) in zip(names, loaded, strict=True)
            ]
        _show(names, results, output, as_json)


@dataclass(frozen=True)
class _Setup:
    """What models are evaluated on, and how."""

    dataset: EvaluationDataset
    strata: Sequence[Stratum]
    negatives: Sequence[Path]
    tta: bool
    steps: Steps
    device: str
    backend: Backend

    def load(self, name: str) -> tuple[LoadedPredictor, Path | None]:
        """A model by name, and its folder if it has one on this machine."""
        return load_model(name, self.device, self.backend), _find(name)[0]

    def evaluate_ensemble(
        self, loaded: Sequence[tuple[LoadedPredictor, Path | None]]
    ) -> Evaluation:
        """Evaluate the mean of some models, and log the access in the record of each."""
        from landslide_zoo.inference import Ensemble

        for model, _ in loaded:
            self._warn_of_leak(model)
        name = f"mean of {len(loaded)} models"
        evaluation = self._run(Ensemble([model for model, _ in loaded], name), name)
        for model, folder in loaded:
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
        from tqdm import tqdm

        from landslide_zoo.evaluation import evaluate
        from landslide_zoo.inference import TestTimeAugmentation

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
        from landslide_zoo.inference.result import refine
        from landslide_zoo.inference.rules import ALL_RULES, rules_of, switched_on

        steps: dict[str, Steps] = {}
        if self.steps.clouds == "mask":
            steps["without clouds"] = replace(self.steps, rules_off=(ALL_RULES,))
        self.steps.check(predictor.config)
        if switched_on(rules_of(predictor.config), self.steps.rules_off):
            rules = "with rules" if self.steps.clouds == "keep" else "without clouds, with rules"
            steps[rules] = self.steps
        return {name: partial(refine, predictor, steps=chosen) for name, chosen in steps.items()}

    def _keep(
        self, model: LoadedPredictor, folder: Path | None, evaluation: Evaluation, result: bool
    ) -> None:
        """Note an evaluation in a model's record; a bundled folder changes for a result alone."""
        from landslide_zoo.evaluation import evaluation_command, keep_in_record
        from landslide_zoo.models.card import replace_record
        from landslide_zoo.models.files import bundled_folders

        if model.record is None:
            return
        command = evaluation_command(evaluation, self.negatives)
        record = keep_in_record(model.record, evaluation, command, result)
        bundled = folder in bundled_folders().values()
        if folder is not None and record != model.record and (result or not bundled):
            replace_record(folder, record)
        model.record = record

    def _warn_of_leak(self, model: LoadedPredictor) -> bool:
        from landslide_zoo.evaluation import leak_warning

        sentence = leak_warning(model.record, self.dataset)
        if sentence:
            typer.echo(f"Warning: {sentence}", err=True)
        return sentence is not None


def _find(name: str) -> tuple[Path | None, str]:
    """A model's folder on this machine, None if it is on a Hub; and the id of its repo there."""
    from landslide_zoo.hub import ModelZoo
    from landslide_zoo.models.files import local_folder

    folder = local_folder(name)
    if folder is not None or "/" in name:
        return folder, name
    entry = ModelZoo().entry(name)
    return (None, entry.repo_id) if entry.repo_id else (entry.folder, name)


def _stratum(text: str, dataset: EvaluationDataset) -> Stratum:
    """A stratum of the user's own, as the command line names it.

    Raises:
        BadParameter: If it is not NAME=FOLDER or NAME=FOLDER@EDGE,EDGE.
    """
    from landslide_zoo.evaluation import raster_stratum

    name, equals, rest = text.partition("=")
    folder, at, listed = rest.rpartition("@") if "@" in rest else (rest, "", "")
    try:
        edges = [float(edge) for edge in listed.split(",")] if at else None
    except ValueError:
        edges = []
    if not (name and equals and folder) or edges == []:
        raise typer.BadParameter(f"--stratum {text}: write NAME=FOLDER or NAME=FOLDER@10,20.")
    stems = [sample.image.stem for sample in dataset.samples]
    return raster_stratum(name, Path(folder), stems, edges)


def _show(
    names: Sequence[str], results: Sequence[Evaluation], output: Path | None, as_json: bool
) -> None:
    """Write reports, and print a table and what sets the first model apart from the others."""
    from landslide_zoo.evaluation import difference, to_dict, write_report
    from landslide_zoo.evaluation.report import interval_text

    if output is not None:
        for folder, result in zip(_folders(results, output), results, strict=True):
            write_report(result, folder)
    differences = [difference(results[0], other) for other in results[1:]]
    if as_json:
        found = {
            "evaluations": [to_dict(one) for one in results],
            "differences_in_f1": [{"value": v, "interval": i} for v, i in differences],
        }
        typer.echo(json.dumps(found, indent=1))
        return

    def row(name: str, result: Evaluation) -> tuple[str, ...]:
        scores = result.scores
        alarms = [f"{one.negatives} {one.hectares_per_100_km2:.1f}" for one in result.false_alarms]
        return (
            name,
            str(len(result.patches)),
            f"{result.threshold:.4g}",
            *(f"{value:.4f}" for value in (scores.precision, scores.recall, scores.f1)),
            interval_text(result.intervals.get("f1")),
            f"{result.average_precision:.4f}",
            f"{result.calibration_error:.4f}",
            ", ".join(alarms) or "-",
        )

    rows = []
    for name, result in zip(names, results, strict=True):
        rows.append(row(name, result))
        rows += [row(f"{name}, {step}", refined) for step, refined in result.refined.items()]
    typer.echo(text_table(HEADER, rows))
    for name, (value, interval) in zip(names[1:], differences, strict=True):
        typer.echo(f"F1 of {names[0]} minus F1 of {name}: {value:+.4f} ({interval_text(interval)})")
    if output is not None:
        typer.echo(f"Written to {output}.")


def _folders(results: Sequence[Evaluation], output: Path) -> list[Path]:
    """A folder for each report, by the model's name; numbered where two have one name."""
    folders: list[Path] = []
    for result in results:
        name = result.model.replace(" ", "-")
        count = sum(folder.name.partition(".")[0] == name for folder in folders)
        folders.append(output / (f"{name}.{count + 1}" if count else name))
    return folders


def _fill_leaderboard(sources: Sequence[str], setup: _Setup | None, output: Path | None) -> None:
    """Put every model of a zoo on the leaderboard; one that fails is named, the others go on."""
    from landslide_zoo.hub import ModelZoo
    from landslide_zoo.hub.leaderboard import CARDS, Results

    cards = output or CARDS
    zoo = ModelZoo(",".join(sources) if sources else None)
    entries, failed = zoo.entries(), 0
    if not entries:
        raise ModelError(" ".join(["The zoo holds no model.", *zoo.status()]))
    for entry in entries:
        try:
            record = entry.record
            if setup is not None:
                model = zoo.load(entry.name, device=setup.device, backend=setup.backend)
                folder = None if entry.repo_id else entry.folder
                setup.evaluate_model(entry.name, model, folder, keep=True)
                record = model.record
            if record is None:
                raise ModelError(f"{entry.name} is not trained.")
            results = Results.read(cards)
            if better := results.better_than(entry.config, record):
                typer.echo(f"{entry.name}: another {better.name} is better on validation.")
            else:
                results.with_model(entry.config, record).write(cards)
        except LandslideZooError as error:
            failed += 1
            typer.echo(f"Error: {entry.name}: {error}", err=True)
    typer.echo(f"{len(entries) - failed} of {len(entries)} models are on the leaderboard: {cards}.")
    if failed:
        raise typer.Exit(1)


def _reproduce(
    names: Sequence[str], output: Path, data: str | None, encoder_weights: str | None
) -> None:
    """Train a model again and say how the new one differs."""
    from landslide_zoo.models.downloads import download_folder
    from landslide_zoo.training.reproduce import reproduce

    if len(names) != 1:
        raise typer.BadParameter("--reproduce takes one MODEL.")
    folder, repo_id = _find(names[0])
    done = reproduce(folder or download_folder(repo_id), output, data, encoder_weights)
    typer.echo(f"patches: {'the same' if done.same_data else 'others (the fingerprint differs)'}")
    typer.echo(f"weights: {'the same, bit for bit' if done.same_weights else 'others'}")
    rows = [(name, f"{old:.4f}", f"{new:.4f}") for name, old, new in done.scores]
    typer.echo(text_table(("F1", "record", "again"), rows))
    for change in done.changes:
        typer.echo(change)
