"""``landslide-zoo evaluate``: models on labelled patches, with reports and records."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from landslide_zoo.cli import common
from landslide_zoo.errors import DataError, ModelError
from landslide_zoo.io import public_command, text_table

if TYPE_CHECKING:
    from landslide_zoo.evaluation import Evaluation
    from landslide_zoo.inference.predict import LoadedPredictor

HEADER = (
    *("model", "patches", "threshold", "precision", "recall", "F1", "95 % interval", "AP"),
    *("calibration error", "false alarms (ha per 100 km²)"),
)


def evaluate(
    data: Annotated[str, typer.Option(help="Folder, or id of a dataset on the Hub.")],
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Names in the zoo, folders, or repo ids."),
    ] = None,
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
    output: Annotated[
        Path | None, typer.Option(help="Folder for JSON, Markdown and figures.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the result in the model's record and card.")
    ] = False,
    clouds: common.Clouds = "mask",
    rule_off: common.RulesOff = None,
    level: common.ProductLevel = None,
    device: common.Device = "auto",
    backend: common.BackendOption = "auto",
    as_json: common.Json = False,
) -> None:
    """Evaluate models on the labelled patches of a dataset.

    Each is counted as predict answers, with clouds masked and rules applied, and
    its network alone beside that.

    Every access to test patches is logged in the record of a model that is a
    folder of yours, whether or not its result is kept.
    """
    from tqdm import tqdm

    from landslide_zoo.evaluation import LabelledPatches
    from landslide_zoo.evaluation import evaluate as measure
    from landslide_zoo.evaluation.report import leak_warning
    from landslide_zoo.inference import Ensemble, TestTimeAugmentation
    from landslide_zoo.models.folder import DEFAULT_MODEL, local_folder

    if record and (tta or ensemble):
        raise typer.BadParameter("a record holds what a model does alone, without --tta.")
    patches = LabelledPatches.find(data, split, subset)
    names = models or [DEFAULT_MODEL]
    loaded = [common.load_model(name, device, backend) for name in names]
    for name, model in zip(names, loaded, strict=True):
        if record and (model.record is None or local_folder(name) is None):
            raise ModelError(f"{name} is no folder of a trained model, to keep a result in.")
        if leak := leak_warning(model.record, patches):
            typer.echo(f"Warning: {leak}", err=True)
            if record:
                raise DataError(f"The result of {name} is not kept: evaluate it on its own split.")
    titles, predictors = names, loaded
    if ensemble:
        titles = [f"mean of {' and '.join(model.config.name for model in loaded)}"]
        predictors = [Ensemble(loaded, titles[0])]
    results = [
        measure(
            TestTimeAugmentation(predictor) if tta else predictor,
            patches,
            negatives=negatives or [],
            progress=partial(tqdm, desc=title, unit="patch", disable=None, file=sys.stderr),
            clouds=clouds,
            rules_off=rule_off or (),
            level=level,
        )
        for title, predictor in zip(titles, predictors, strict=True)
    ]
    for i, (name, model) in enumerate(zip(names, loaded, strict=True)):
        _note(name, model, results[0 if ensemble else i], record)
    _show(titles, results, output, as_json)


def _note(name: str, model: LoadedPredictor, result: Evaluation, keep: bool) -> None:
    """Note an evaluation in the record of a model's folder; a bundled one changes on request."""
    from landslide_zoo.evaluation.report import keep_in_record
    from landslide_zoo.models.card import replace_record
    from landslide_zoo.models.folder import bundled_folders, local_folder

    folder = local_folder(name)
    if folder is None or model.record is None:
        return
    record = keep_in_record(model.record, result, public_command("landslide-zoo"), keep)
    if record != model.record and (keep or folder not in bundled_folders().values()):
        replace_record(folder, record)


def _show(
    names: Sequence[str], results: Sequence[Evaluation], output: Path | None, as_json: bool
) -> None:
    """Write reports, and print a table and what sets the first model apart from the others."""
    from landslide_zoo.evaluation import difference, write_report
    from landslide_zoo.evaluation.report import ALONE, interval_text, to_dict

    if output is not None:
        for i, result in enumerate(results):
            again = [other.model for other in results[:i]].count(result.model)
            write_report(result, output / (result.model + (f".{again + 1}" if again else "")))
    differences = [difference(results[0], other) for other in results[1:]]
    if as_json:
        figures = {
            "evaluations": [to_dict(result) for result in results],
            "differences_in_f1": [{"value": v, "interval": i} for v, i in differences],
        }
        typer.echo(json.dumps(figures, indent=1))
        return

    def row(name: str, result: Evaluation) -> tuple[str, ...]:
        statistics = result.statistics
        alarms = [f"{a.negatives} {a.hectares_per_100_km2:.1f}" for a in result.false_alarms]
        return (
            *(name, str(len(result.patches)), f"{result.threshold:.4g}"),
            *(f"{statistics[score]:.4f}" for score in ("precision", "recall", "f1")),
            interval_text(result.intervals.get("f1")),
            *(f"{statistics[s]:.4f}" for s in ("average_precision", "calibration_error")),
            ", ".join(alarms) or "-",
        )

    rows = []
    for name, result in zip(names, results, strict=True):
        rows.append(row(name, result))
        if result.network:
            rows.append(row(f"{name}, {ALONE}", result.network))
    typer.echo(text_table(HEADER, rows))
    for name, (value, interval) in zip(names[1:], differences, strict=True):
        typer.echo(f"F1 of {names[0]} minus F1 of {name}: {value:+.4f} ({interval_text(interval)})")
    if output is not None:
        typer.echo(f"Written to {output}.")
