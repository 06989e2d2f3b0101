"""``landslide-zoo map``: whole scenes in, maps for a GIS out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from landslide_zoo.cli import common
from landslide_zoo.errors import DataError
from landslide_zoo.mapping import Format, ProbabilityType

if TYPE_CHECKING:
    from landslide_zoo.mapping.probabilities import State

# Typer takes no list of literals.
OutlineFormat = StrEnum("OutlineFormat", {name: name for name in get_args(Format)})  # type: ignore[misc]


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
    aoi: Annotated[
        str | None,
        typer.Option(
            metavar="FILE_OR_BOX",
            help="Map only around this area: a vector file, or west,south,east,north in degrees.",
        ),
    ] = None,
    formats: Annotated[
        list[OutlineFormat] | None,
        typer.Option("--format", help="Format of the outlines; repeatable.", show_default="gpkg"),
    ] = None,
    threshold: common.Threshold = None,
    minimum_area: Annotated[
        float | None,
        typer.Option(min=0, metavar="HA", help="Smallest landslide in hectares; as the rules say."),
    ] = None,
    rules_off: common.RulesOff = None,
    clouds: common.Clouds = "mask",
    level: common.ProductLevel = None,
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
        ProbabilityType, typer.Option(help="Type of the probability raster.")
    ] = "uint8",
    tta: Annotated[
        bool, typer.Option("--tta", help="Average eight orientations of every tile.")
    ] = False,
    backend: common.BackendOption = "auto",
    device: common.Device = "auto",
    memory: Annotated[
        float, typer.Option(min=1, metavar="GB", help="Memory that may be used, roughly.")
    ] = 2.0,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="local: one scene after the other; ray: several at a time, on Ray."),
    ] = "local",
) -> None:
    """Map the landslides of whole scenes.

    For each scene writes NAME_probability.tif, NAME_mask.tif (1 landslide, 0 not, 255 not
    observed) with a style for QGIS, NAME_landslides.gpkg, and NAME_report.html. The network
    does not run again for another threshold or other rules: its probabilities are kept in a
    hidden folder beside the files. A scene that cannot be mapped is listed, the others are
    written, and the exit status is 1.

    With --engine ray, scenes, folders and elevation may lie wherever fsspec reaches, as
    s3://bucket/scene.tif.
    """
    options = {**locals(), "rules_off": rules_off or (), "bands": bands and bands.split(",")}
    options["formats"] = [name.value for name in formats or [OutlineFormat("gpkg")]]
    for name in ("scenes", "output", "model", "backend", "device", "engine"):
        del options[name]  # the others are arguments of map_scene
    from landslide_zoo.mapping import map_in_words
    from landslide_zoo.models.folder import DEFAULT_MODEL

    _check_names(scenes, output)
    names = model or [DEFAULT_MODEL]
    if engine == "ray":
        from landslide_zoo.mapping.on_ray import map_on_ray

        answers = map_on_ray(scenes, output, names, backend, device, **options)
    else:
        loaded = [common.load_model(name, device, backend) for name in names]
        options["model"] = loaded[0]
        if len(loaded) > 1:
            from landslide_zoo.inference import Ensemble

            options["model"] = Ensemble(loaded, f"mean of {', '.join(names)}")

        answers = (
            map_in_words(scene, output, progress=_Bars(scene), **options) for scene in scenes
        )
    done = 0
    for mapped, words in answers:
        typer.echo(f"{words} Written to {output}." if mapped else f"Error: {words}", err=not mapped)
        done += mapped
    if len(scenes) > 1:
        typer.echo(f"{done} of {len(scenes)} scenes mapped.")
    if done < len(scenes):
        raise typer.Exit(1)


def _check_names(scenes: Sequence[str], output: str) -> None:
    """Check that no two scenes give files of one name.

    Raises:
        DataError: If they do.
    """
    from landslide_zoo.scenes.products import scene_name

    taken: dict[str, str] = {}
    for scene in scenes:
        name = scene_name(Path(scene))
        first = taken.setdefault(name, scene)
        if first != scene:
            raise DataError(
                f"{first} and {scene} would both be written as {name}_mask.tif in {output}: "
                "map them in different runs, each with its own folder."
            )


class _Bars:
    """A progress bar with the time that is left for each step of a map, one after the other."""

    def __init__(self, scene: str) -> None:
        from tqdm import tqdm

        self._name, self._step = Path(scene).stem, ""
        self._bar = tqdm(disable=True)

    def __call__(self, state: State) -> None:
        from tqdm import tqdm

        if state.step != self._step:
            self._step = state.step
            title = f"{self._name}: {state.step}"
            self._bar.close()
            self._bar = tqdm(desc=title, total=state.total, disable=None, file=sys.stderr)
        self._bar.update(state.done - self._bar.n)
        if state.done == state.total:
            self._bar.close()
