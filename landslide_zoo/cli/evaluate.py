"""``landslide-zoo evaluate``: measure models, fill the leaderboard, train a model again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from landslide_zoo.cli.common import Device, Json, default_model, print_table
from landslide_zoo.cli.measuring import Measuring
from landslide_zoo.errors import LandslideZooError, ModelError

if TYPE_CHECKING:
    from landslide_zoo.evaluation.evaluate import Evaluation

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
    "false alarms (ha per 100 km2)",
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
        Literal["test", "validation", "all"], typer.Option(help="What of it to measure on.")
    ] = "test",
    tta: Annotated[bool, typer.Option("--tta", help="Test-time augmentation, eight ways.")] = False,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Measure the mean of the models.")
    ] = False,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of ground without landslides, for false alarms; repeatable."),
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
        bool, typer.Option("--zoo", help="Fill the leaderboard; with --data, measure first.")
    ] = False,
    reproduce: Annotated[
        bool, typer.Option("--reproduce", help="Train MODEL again by its record, and compare.")
    ] = False,
    encoder_weights: Annotated[
        str | None, typer.Option(help="With --reproduce: where the encoder's weights are.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure models on the labelled patches of a dataset.

    A look at test patches is logged in the record of a model that is a folder
    of yours, whatever comes of it.
    """
    names = models or []
    if reproduce and zoo:
        raise typer.BadParameter("--zoo and --reproduce are two different things to do.")
    if reproduce:
        _reproduce(names, output or Path("reproduced"), data, encoder_weights)
        return
    how = (split, subset, tta, negatives or [], stratum or [], device)
    measuring = Measuring(data, *how) if data is not None else None
    if (record or zoo) and (tta or ensemble):
        raise typer.BadParameter("a record holds what a model does alone, without --tta.")
    if zoo:
        _fill_leaderboard(names, measuring, output)
    elif measuring is None:
        raise typer.BadParameter("--data is needed: a folder, or an id of a dataset on the Hub.")
    else:
        names = names or [default_model()]
        if ensemble:
            results = [measuring.together(names)]
            names = [results[0].model]
        else:
            loaded = [measuring.load(name) for name in names]
            results = [
                measuring.alone(name, model, folder, record)
                for name, (model, folder) in zip(names, loaded, strict=True)
            ]
        _show(names, results, output, as_json)


def _show(
    names: Sequence[str], results: Sequence[Evaluation], output: Path | None, as_json: bool
) -> None:
    """Write reports, and print a table and what sets the first model apart from the others."""
    from landslide_zoo.evaluation.evaluate import difference
    from landslide_zoo.evaluation.report import as_dict, interval_text, write_report

    if output is not None:
        for folder, result in zip(_folders(results, output), results, strict=True):
            write_report(result, folder)
    differences = [difference(results[0], other) for other in results[1:]]
    if as_json:
        found = {
            "evaluations": [as_dict(one) for one in results],
            "differences_in_f1": [{"value": v, "interval": i} for v, i in differences],
        }
        typer.echo(json.dumps(found, indent=1))
        return
    print_table(HEADER, [_row(name, one) for name, one in zip(names, results, strict=True)])
    for name, (value, interval) in zip(names[1:], differences, strict=True):
        typer.echo(
            f"F1 of {names[0]} less that of {name}: {value:+.4f} ({interval_text(interval)})"
        )
    if output is not None:
        typer.echo(f"Written to {output}.")


def _row(name: str, result: Evaluation) -> tuple[str, ...]:
    from landslide_zoo.evaluation.report import interval_text

    scores = result.scores
    figures = (scores.precision, scores.recall, scores.f1)
    alarms = [f"{one.ground} {one.hectares_per_100_km2:.1f}" for one in result.false_alarms]
    return (
        name,
        str(len(result.patches)),
        f"{result.threshold:.4g}",
        *(f"{figure:.4f}" for figure in figures),
        interval_text(result.intervals.get("f1")),
        f"{result.average_precision:.4f}",
        f"{result.calibration_error:.4f}",
        ", ".join(alarms) or "-",
    )


def _folders(results: Sequence[Evaluation], output: Path) -> list[Path]:
    """A folder for each report, by the model's name; numbered where two have one name."""
    folders: list[Path] = []
    for result in results:
        name = result.model.replace(" ", "-")
        count = sum(folder.name.partition(".")[0] == name for folder in folders)
        folders.append(output / (f"{name}.{count + 1}" if count else name))
    return folders


def _fill_leaderboard(
    sources: Sequence[str], measuring: Measuring | None, output: Path | None
) -> None:
    """Put every model of a zoo on the leaderboard; one that fails is named, the others go on."""
    from landslide_zoo.hub.leaderboard import CARDS, Results
    from landslide_zoo.hub.zoo import ModelZoo

    cards = output or CARDS
    zoo = ModelZoo(",".join(sources) if sources else None)
    entries, failed = zoo.entries(), 0
    if not entries:
        raise ModelError(" ".join(["The zoo holds no model.", *zoo.status()]))
    for entry in entries:
        try:
            record = entry.record
            if measuring is not None:
                model = zoo.load(entry.name, device=measuring.device)
                folder = None if entry.repo_id else entry.folder
                measuring.alone(entry.name, model, folder, keep=True)
                record = model.record
            if record is None:
                raise ModelError(f"{entry.name} is not trained.")
            Results.read(cards).with_model(entry.name, entry.config, record).write(cards)
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
    from landslide_zoo.hub.zoo import ModelZoo
    from landslide_zoo.models.location import RECORD, download_folder, local_folder
    from landslide_zoo.models.record import Record
    from landslide_zoo.training.reproduce import reproduce

    if len(names) != 1:
        raise typer.BadParameter("--reproduce takes one MODEL.")
    folder = local_folder(names[0])
    if folder is None and "/" not in names[0]:
        folder = ModelZoo().entry(names[0]).folder
    folder = folder or download_folder(names[0])
    if not (folder / RECORD).is_file():
        raise ModelError(f"{names[0]} has no record: it cannot be trained again.")
    done = reproduce(Record.read(folder / RECORD), output, data, encoder_weights)
    typer.echo(f"patches: {'the same' if done.same_data else 'others (the fingerprint differs)'}")
    typer.echo(f"weights: {'the same, bit for bit' if done.same_weights else 'others'}")
    rows = [(name, f"{old:.4f}", f"{new:.4f}") for name, old, new in done.scores]
    print_table(("F1", "record", "again"), rows)
    for change in done.changes:
        typer.echo(change)
