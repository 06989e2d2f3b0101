"""``landslide-zoo evaluate``: its options, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    load_model,
)
from landslide_zoo.errors import ModelError
from landslide_zoo.text import text_table

if TYPE_CHECKING:
    from landslide_zoo.evaluation import Evaluation, LabelledPatches, Stratum
    from landslide_zoo.inference.predict import Options

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
            help="Folder for JSON, Markdown and figures; with --zoo for the cards (model_cards)."
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the result in the model's record and card.")
    ] = False,
    zoo: Annotated[
        bool, typer.Option("--zoo", help="Fill the leaderboard; with --data, evaluate first.")
    ] = False,
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
    if (record or zoo) and (tta or ensemble):
        raise typer.BadParameter("a record holds what a model does alone, without --tta.")
    evaluator = None
    if data is not None:
        from landslide_zoo.cli.evaluator import Evaluator
        from landslide_zoo.evaluation import STRATA, LabelledPatches

        options: Options = {"clouds": clouds, "rules_off": rule_off or (), "level": level}
        dataset = LabelledPatches.find(data, split, subset)
        strata = [*STRATA, *(_stratum(text, dataset) for text in stratum or [])]
        evaluator = Evaluator(dataset, strata, negatives or [], tta, options)
    if zoo:
        from landslide_zoo.cli.leaderboard import fill_leaderboard

        fill_leaderboard(names, output, evaluator, device, backend)
    elif evaluator is None:
        raise typer.BadParameter("--data is needed: a folder, or an id of a dataset on the Hub.")
    else:
        from landslide_zoo.models.folder import DEFAULT_MODEL, local_folder

        names = names or [DEFAULT_MODEL]
        folders = [local_folder(name) for name in names]
        if record and None in folders:
            raise ModelError(
                f"{names[folders.index(None)]} is on a Hub, where its record stays as it is: "
                "evaluate a model folder to keep the result."
            )
        loaded = [load_model(name, device, backend) for name in names]
        if ensemble:
            results = [evaluator.evaluate_ensemble(loaded, folders)]
            names = [results[0].model]
        else:
            results = [
                evaluator.evaluate_model(name, model, folder, record)
                for name, model, folder in zip(names, loaded, folders, strict=True)
            ]
        _show(names, results, output, as_json)


def _stratum(text: str, dataset: LabelledPatches) -> Stratum:
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
