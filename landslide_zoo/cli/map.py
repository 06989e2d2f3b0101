"""``landslide-zoo map``: whole scenes in, maps for a GIS out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from landslide_zoo.cli.common import (
    BackendOption,
    Clouds,
    Device,
    ProductLevel,
    RulesOff,
    Threshold,
    default_model,
    load_model,
)
from landslide_zoo.errors import DataError, LandslideZooError

if TYPE_CHECKING:
    from landslide_zoo.inference.backends import Backend
    from landslide_zoo.mapping.maps import SceneMap
    from landslide_zoo.mapping.progress import Listener, State
    from landslide_zoo.models.prediction import Predictor


class OutlineFormat(StrEnum):
    """Formats of the outlines; Typer takes no list of literals."""

    gpkg = "gpkg"
    geojson = "geojson"
    parquet = "parquet"
    fgb = "fgb"


def map_scenes(
    scenes: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCENE", help="GeoTIFFs, Sentinel-2 products (.SAFE) or ZIPs of them."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder for the maps.")] = Path("maps"),
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Name in the zoo, folder, or repo id on the Hub; several are averaged.",
            show_default="the zoo's first",
        ),
    ] = None,
    dem: Annotated[
        Path | None, typer.Option(help="Elevation in metres, in any projection and resolution.")
    ] = None,
    before: Annotated[
        Path | None,
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
) -> None:
    """Map the landslides of whole scenes.

    For each scene writes NAME_probability.tif, NAME_mask.tif (1 landslide, 0 not, 255 not
    observed), NAME_landslides.gpkg with a style for QGIS, and NAME_report.html. The network
    does not run again for another threshold, other rules or an interrupted scene: what it
    said is kept in a hidden folder beside the files. A scene that cannot be mapped is
    listed, the others are written, and the exit status is 1.
    """
    from landslide_zoo.mapping import map_scene

    _check_names(scenes, output)
    predictor = _load(model or [default_model()], device, backend)
    done = 0
    for scene in scenes:
        try:
            with _bars(scene) as listener:
                found = map_scene(
                    scene,
                    output,
                    model=predictor,
                    dem=dem,
                    before=before,
                    threshold=threshold,
                    minimum_area=minimum_area,
                    rules_off=tuple(rule_off or ()),
                    clouds=clouds,
                    level=level,
                    offset=offset,
                    bands=bands.split(",") if bands else None,
                    formats=[each.value for each in formats or [OutlineFormat.gpkg]],
                    probability=probability,
                    tta=tta,
                    memory=memory,
                    progress=listener,
                )
        except LandslideZooError as error:
            typer.echo(f"Error: {error}", err=True)
            continue
        _tell(found, output)
        done += 1
    if len(scenes) > 1:
        typer.echo(f"{done} of {len(scenes)} scenes mapped.")
    if done < len(scenes):
        raise typer.Exit(1)


def _check_names(scenes: Sequence[Path], output: Path) -> None:
    """Check that no two scenes give files of one name.

    Raises:
        DataError: If they do.
    """
    taken: dict[str, Path] = {}
    for scene in scenes:
        first = taken.setdefault(scene.stem, scene)
        if first != scene:
            raise DataError(
                f"{first} and {scene} would both be written as {scene.stem}_mask.tif in {output}: "
                "map them in different runs, each with its own folder."
            )


def _load(names: Sequence[str], device: str, backend: Backend) -> Predictor:
    from landslide_zoo.inference import Ensemble

    models = [load_model(name, device, backend) for name in names]
    return models[0] if len(models) == 1 else Ensemble(models, f"mean of {', '.join(names)}")


@contextmanager
def _bars(scene: Path) -> Iterator[Listener]:
    """A progress bar with the time that is left for each step of a map, one after the other."""
    from tqdm import tqdm

    step, bar = "", tqdm(disable=True)

    def listen(state: State) -> None:
        nonlocal step, bar
        if state.step != step:
            bar.close()
            step = state.step
            title = f"{scene.stem}: {step}"
            bar = tqdm(
                desc=title, total=state.total, initial=state.done, disable=None, file=sys.stderr
            )
        bar.update(state.done - bar.n)

    try:
        yield listen
    finally:
        bar.close()


def _tell(found: SceneMap, output: Path) -> None:
    seen, count = found.coverage, len(found.landslides)
    shares = {"observed": seen.observed, "under cloud": seen.cloud, "without data": seen.missing}
    told = ", ".join(
        f"{100 * pixels / seen.total:.0f} % {words}" for words, pixels in shares.items() if pixels
    )
    for note in found.notes:
        typer.echo(f"{found.name}: {note}")
    things = "landslide" if count == 1 else "landslides"
    typer.echo(
        f"{found.name}: {count} {things}, {found.hectares:.2f} ha; {told or 'nothing observed'}. "
        f"Written to {output}."
    )
