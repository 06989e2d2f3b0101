"""The whole way: from a scene to probabilities, landslides and the files that show them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from landslide_zoo.errors import DataError
from landslide_zoo.inference.backends import Backend, load_predictor
from landslide_zoo.inference.clouds import Clouds, Level
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.inference.rules import check_rules_off, rules_of, switched_on
from landslide_zoo.inference.tta import TestTimeAugmentation
from landslide_zoo.io import write_whole
from landslide_zoo.mapping.change import Earlier, align, rules_with_change
from landslide_zoo.mapping.clouds import find_scene_clouds, why_no_scene_clouds
from landslide_zoo.mapping.landslides import Coverage, Landslide, find_landslides
from landslide_zoo.mapping.network import compute_probabilities
from landslide_zoo.mapping.probabilities import Journal, Listener, Progress
from landslide_zoo.mapping.report import render_report
from landslide_zoo.mapping.scenes import Scale, Scene, open_scene
from landslide_zoo.mapping.writers import (
    Format,
    ProbabilityType,
    provenance_of,
    write_landslides,
    write_probability,
)
from landslide_zoo.models.folder import DEFAULT_MODEL

Paths = str | Path | Sequence[str | Path]

STEP = "files"
MEMORY = 2.0
"""Gigabytes that a map may take, roughly, where nothing else is asked for."""
_LEAST_MEMORY = 1.0
_FOR_BLOCKS = 0.5
"""Share of the memory that is for finding landslides block by block."""


@dataclass(frozen=True, eq=False)
class SceneMap:
    """A scene that was mapped.

    Attributes:
        name: Name of the scene, which its files begin with.
        files: What was written: probability, mask, outlines with their style, report; none
            where the map was only looked at.
        landslides: The landslides, the largest first.
        dropped: What rules dropped, likewise.
        hectares: Area of all landslides.
        coverage: How much was seen.
        threshold: Probability from which a pixel counts as landslide.
        notes: What was taken for granted, left out or is odd, a sentence each.
    """

    name: str
    files: tuple[Path, ...]
    landslides: list[Landslide]
    dropped: list[Landslide]
    hectares: float
    coverage: Coverage
    threshold: float
    notes: tuple[str, ...]


def map_scene(
    scene: Paths | Scene,
    output: str | Path,
    *,
    model: str | Path | Predictor | None = None,
    dem: str | Path | None = None,
    before: Paths | None = None,
    threshold: float | None = None,
    minimum_area: float | None = None,
    rules_off: Sequence[str] = (),
    clouds: Clouds = "mask",
    level: Level | None = None,
    offset: float | None = None,
    bands: Sequence[str] | None = None,
    scale: Scale | None = None,
    formats: Sequence[Format] = ("gpkg",),
    probability: ProbabilityType = "uint8",
    write: bool = True,
    tta: bool = False,
    backend: Backend = "auto",
    device: str = "auto",
    memory: float = MEMORY,
    progress: Listener | None = None,
) -> SceneMap:
    """Map the landslides of a scene.

    Beside the files there will be a hidden folder with the network's probabilities as they
    are. Mapped again with another threshold or other rules, the network does not run again;
    what was interrupted goes on where it was. It may be deleted.

    Args:
        scene: A GeoTIFF, a product folder or its ZIP, or several files of one scene; or a
            scene that is open: what follows about reading it does not count then.
        output: Folder for the files, made if need be; files of the same names are replaced.
        model: A predictor, or the name of one: a folder, a bundled model or a repo id on
            the Hub; the first that is bundled where None.
        dem: An elevation raster in metres, in any projection and resolution.
        before: A scene from before the event: what was as bare then is dropped.
        threshold: Probability from which a pixel counts as landslide; the model's own where
            None.
        minimum_area: Smallest landslide in hectares; that of the rules where None.
        rules_off: Attributes of the rules that are switched off, or ``all``.
        clouds: ``mask``: what lies under cloud is not observed, where the bands tell
            clouds; ``keep``: clouds are not looked for.
        level: Product level; told from metadata and names where None.
        offset: What is to be added to digital numbers; told from metadata where None.
        bands: Names of the files' bands in their order; told from the files where None.
        scale: What the numbers are; told from type, metadata and values where None.
        formats: Those of the outlines.
        probability: Type of the pixels of ``STEM_probability.tif``.
        write: Whether files are written; if not, the map is only looked at, as at another
            threshold, and the hidden folder is all that is kept.
        tta: Whether the network sees every tile in eight orientations.
        backend: What computes the network, where ``model`` is a name.
        device: ``auto`` (a GPU where there is one), or a torch device, likewise.
        memory: Gigabytes that may be used, roughly.
        progress: Is told how far the work is.

    Returns:
        What was found and written: ``STEM_probability.tif``, ``STEM_mask.tif`` (1 landslide,
        0 not, 255 not observed), ``STEM_landslides`` in every format with a style for QGIS,
        and ``STEM_report.html``.

    Raises:
        DataError: If the scene cannot be mapped, or a file cannot be written.
        ModelError: If there is no such model or rule, or its probabilities are not finite.
        HubError: If the Hub does not give the model.

    Example:
        >>> map_scene("S2A_MSIL2A.SAFE", "maps", dem="dem.tif").hectares  # doctest: +SKIP
        23.4
    """
    if memory < _LEAST_MEMORY:
        raise DataError(f"A map needs {_LEAST_MEMORY:g} GB of memory or more, not {memory:g}.")
    predictor = _predictor(model, backend, device)
    if tta:
        predictor = TestTimeAugmentation(predictor)
    config = predictor.config
    every = rules_of(config) if before is None else rules_with_change(rules_of(config))
    check_rules_off(config.model_copy(update={"rules": list(every)}), rules_off)
    rules = switched_on(every, rules_off)
    threshold = config.threshold if threshold is None else threshold
    told, folder = Progress(progress), Path(output)
    with ExitStack() as opened:
        if isinstance(scene, Scene):
            later = scene
        else:
            later = opened.enter_context(open_scene(scene, dem, level, offset, bands, scale))
        work = folder / f".{later.name}.work"
        found = compute_probabilities(later, predictor, work, clouds=clouds, progress=progress)
        earlier, notes = None, [*later.notes, *_cloud_notes(later, clouds)]
        if before is not None:
            aligned = opened.enter_context(align(before, later))
            earlier = _earlier(aligned, work / "before", clouds, told)
            notes += [*earlier.notes(later), *_cloud_notes(aligned, clouds)]
        landslides = find_landslides(
            later,
            found,
            threshold=threshold,
            rules=rules,
            minimum_area=minimum_area,
            before=earlier,
            memory=int(memory * _FOR_BLOCKS * 1e9),
            folder=work,
            progress=progress,
        )
        files: list[Path] = []
        if write:
            provenance = provenance_of(
                later.name,
                predictor,
                threshold,
                landslides.rules,
                clouds=clouds,
                level=later.level,
                elevation=later.elevation,
                before=earlier.scene.name if earlier else None,
            )
            told.start(STEP, 3)
            files.append(write_probability(folder, later.name, found, provenance, probability))
            told.advance()
            files += write_landslides(landslides, folder, later.name, provenance, formats)
            told.advance()
            files.append(folder / f"{later.name}_report.html")
            write_whole(files[-1], render_report(later, landslides, provenance))
            told.advance()
    return SceneMap(
        name=later.name,
        files=tuple(files),
        landslides=landslides.objects,
        dropped=landslides.dropped,
        hectares=landslides.area / 10_000,
        coverage=landslides.coverage,
        threshold=threshold,
        notes=(*notes, *landslides.skipped),
    )


def _predictor(model: str | Path | Predictor | None, backend: Backend, device: str) -> Predictor:
    if model is None:
        model = DEFAULT_MODEL
    return load_predictor(model, backend, device) if isinstance(model, str | Path) else model


def _cloud_notes(scene: Scene, clouds: Clouds) -> list[str]:
    reason = None if clouds == "keep" else why_no_scene_clouds(scene)
    return [f"{scene.name}: {reason}"] if reason else []


def _earlier(scene: Scene, folder: Path, clouds: Clouds, progress: Progress) -> Earlier:
    """The earlier scene with its own clouds, which are found once."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder, {"scene": scene.fingerprint, "clouds": clouds})
    return Earlier(scene, find_scene_clouds(scene, folder, clouds, journal, progress))
