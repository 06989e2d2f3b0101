"""``landslide-zoo map``: whole scenes in, maps for a GIS out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from landslide_zoo.cli.common import (
    BackendOption,
    Clouds,
    Device,
    ProductLevel,
    RulesOff,
    Threshold,
    load_model,
)
from landslide_zoo.errors import DataError, LandslideZooError

if TYPE_CHECKING:
    from landslide_zoo.inference.backends import Backend
    from landslide_zoo.inference.predict import Predictor
    from landslide_zoo.mapping.many import Load, Outcome
    from landslide_zoo.mapping.probabilities import Listener, State


class OutlineFormat(StrEnum):
    """Formats of the outlines; Typer takes no list of literals."""

    gpkg = "gpkg"
    geojson = "geojson"
    parquet = "parquet"
    fgb = "fgb"


def map_scenes(
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE", help="GeoTIFFs, Sentinel-2 products (.SAFE) or ZIPs of them."
        ),
    ],
    output: Annotated[str, typer.Option(help="Folder for the maps.")] = "maps",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Name in the zoo, folder, or repo id on the Hub; several are averaged.",
            show_default="the zoo's first",
        ),
    ] = None,
    dem: Annotated[
        str | None, typer.Option(help="Elevation in metres, in any projection and resolution.")
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(help="A scene from before the event: what was as bare then is dropped."),
    ] = None,
    formats: Annotated[
        list[OutlineFormat] | None,
        typer.Option("--format", help="Format of the outlines; repeatable.", show_default="gpkg"),
    ] = None,
    threshold: Threshold = None,
    minimum_area: Annotated[
        float | None,
        typer.Option(min=0, metavar="HA", help="Smallest landslide in hectares; as the rules say."),
    ] = None,
    rule_off: RulesOff = None,
    clouds: Clouds = "mask",
    level: ProductLevel = None,
    offset: Annotated[
        float | None,
        typer.Option(help="What to add to digital numbers; told from the metadata if unset."),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option(help="Names of the bands in their order, as B4,B3,B2; told if unset."),
    ] = None,
    scale: Annotated[
        Literal["DN", "reflectance", "percent", "landslide4sense", "display"] | None,
        typer.Option(help="What the numbers are; told from the files if unset."),
    ] = None,
    probability: Annotated[
        Literal["uint8", "float32"], typer.Option(help="Type of the probability raster.")
    ] = "uint8",
    tta: Annotated[
        bool, typer.Option("--tta", help="Average eight orientations of every tile.")
    ] = False,
    backend: BackendOption = "auto",
    device: Device = "auto",
    memory: Annotated[
        float, typer.Option(min=1, metavar="GB", help="Memory that may be used, roughly.")
    ] = 2.0,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="local: one scene after the other; ray: several at a time, on Ray."),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many at a time on Ray.",
            show_default="one for each GPU, else two, or one for each machine of a cluster",
        ),
    ] = None,
) -> None:
    """Map the landslides of whole scenes.

    For each scene writes NAME_probability.tif, NAME_mask.tif (1 landslide, 0 not, 255 not
    observed), NAME_landslides.gpkg with a style for QGIS, and NAME_report.html. The network
    does not run again for another threshold, other rules or an interrupted scene: what it
    said is kept in a hidden folder beside the files. A scene that cannot be mapped is
    listed, the others are written, and the exit status is 1.

    With --engine ray, scenes, folders and elevation may lie wherever fsspec reaches, as
    s3://bucket/scene.tif, and scenes that are done already are left as they are.
    """
    _check_names(scenes, output)
    from landslide_zoo.models.folder import DEFAULT_MODEL

    load = partial(_load, model or [DEFAULT_MODEL], device, backend)
    options: dict[str, Any] = {
        "dem": dem,
        "before": before,
        "threshold": threshold,
        "minimum_area": minimum_area,
        "rules_off": tuple(rule_off or ()),
        "clouds": clouds,
        "level": level,
        "offset": offset,
        "bands": bands.split(",") if bands else None,
        "scale": scale,
        "formats": [each.value for each in formats or [OutlineFormat.gpkg]],
        "probability": probability,
        "tta": tta,
        "memory": memory,
    }
    if engine == "ray":
        outcomes = _on_ray(scenes, output, load, workers, options)
    else:
        outcomes = _one_by_one(scenes, output, load, options)
    done = 0
    for outcome in outcomes:
        if outcome.error is not None:
            typer.echo(f"Error: {outcome.error}", err=True)
            continue
        _tell(outcome, output)
        done += 1
    if len(scenes) > 1:
        typer.echo(f"{done} of {len(scenes)} scenes mapped.")
    if done < len(scenes):
        raise typer.Exit(1)


def _one_by_one(
    scenes: Sequence[str], output: str, load: Load, options: dict[str, Any]
) -> Iterator[Outcome]:
    from landslide_zoo.mapping import Outcome, map_scene
    from landslide_zoo.mapping.storage import is_remote

    for place in filter(None, (*scenes, output, options["dem"], options["before"])):
        if is_remote(place):
            raise DataError(f"{place} is not on this machine: map it with --engine ray.")
    predictor = load()
    for scene in scenes:
        try:
            with _bars(scene) as listener:
                found = map_scene(scene, output, model=predictor, progress=listener, **options)
        except LandslideZooError as error:
            yield Outcome(scene, error=str(error))
        else:
            yield Outcome.of(scene, found)


def _on_ray(
    scenes: Sequence[str],
    output: str,
    load: Load,
    workers: int | None,
    options: dict[str, Any],
) -> Iterator[Outcome]:
    from tqdm import tqdm

    from landslide_zoo.mapping import map_many

    with tqdm(total=len(scenes), unit="scene", disable=None, file=sys.stderr) as bar:
        for outcome in map_many(scenes, output, load, workers=workers, **options):
            bar.clear()
            yield outcome
            bar.update()


def _check_names(scenes: Sequence[str], output: str) -> None:
    """Check that no two scenes give files of one name.

    Raises:
        DataError: If they do.
    """
    taken: dict[str, str] = {}
    for scene in scenes:
        stem = Path(scene).stem
        first = taken.setdefault(stem, scene)
        if first != scene:
            raise DataError(
                f"{first} and {scene} would both be written as {stem}_mask.tif in {output}: "
                "map them in different runs, each with its own folder."
            )


def _load(names: Sequence[str], device: str, backend: Backend) -> Predictor:
    from landslide_zoo.inference import Ensemble

    models = [load_model(name, device, backend) for name in names]
    return models[0] if len(models) == 1 else Ensemble(models, f"mean of {', '.join(names)}")


@contextmanager
def _bars(scene: str) -> Iterator[Listener]:
    """A progress bar with the time that is left for each step of a map, one after the other."""
    from tqdm import tqdm

    step, bar = "", tqdm(disable=True)

    def listen(state: State) -> None:
        nonlocal step, bar
        if state.step != step:
            bar.close()
            step = state.step
            title = f"{Path(scene).stem}: {step}"
            bar = tqdm(
                desc=title, total=state.total, initial=state.done, disable=None, file=sys.stderr
            )
        bar.update(state.done - bar.n)

    try:
        yield listen
    finally:
        bar.close()


def _tell(found: Outcome, output: str) -> None:
    seen, count = found.coverage, found.landslides
    shares = {"observed": seen.observed, "under cloud": seen.cloud, "without data": seen.missing}
    told = ", ".join(
        f"{100 * pixels / seen.total:.0f} % {words}" for words, pixels in shares.items() if pixels
    )
    for note in found.notes:
        typer.echo(f"{found.name}: {note}")
    things = "landslide" if count == 1 else "landslides"
    written = "Written by an earlier run" if found.earlier else "Written"
    typer.echo(
        f"{found.name}: {count} {things}, {found.hectares:.2f} ha; {told or 'nothing observed'}. "
        f"{written} to {output}."
    )
