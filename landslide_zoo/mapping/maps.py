"""The whole way: from a scene to probabilities, landslides and the files that show them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
from filelock import FileLock

from landslide_zoo.errors import DataError, LandslideZooError
from landslide_zoo.inference.backends import load_predictor
from landslide_zoo.inference.ensembles import TestTimeAugmentation
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.inference.rules import check_rules_off, rules_of, switched_on
from landslide_zoo.io import write_whole
from landslide_zoo.mapping import OUTPUTS, Format, ProbabilityType
from landslide_zoo.mapping.change import Earlier, align, rules_with_change
from landslide_zoo.mapping.clouds import find_scene_clouds, why_no_scene_clouds
from landslide_zoo.mapping.landslides import Coverage, find_landslides
from landslide_zoo.mapping.network import compute_probabilities
from landslide_zoo.mapping.probabilities import Listener, Probabilities, Progress, writing
from landslide_zoo.mapping.report import render_report
from landslide_zoo.mapping.writers import (
    provenance_of,
    style_of,
    write_mask,
    write_outlines,
    write_probability,
)
from landslide_zoo.models.folder import DEFAULT_MODEL
from landslide_zoo.scenes.area import Box
from landslide_zoo.scenes.scene import Scale, Scene, open_scene
from landslide_zoo.settings import Backend, Clouds, Level

Paths = str | Path | Sequence[str | Path]

STEP = "files"
MEMORY = 2.0
"""Gigabytes that a map may take, roughly, where nothing else is asked for."""
_BASE, _PER_PIXEL = 0.5e9, 12
"""Bytes that a map takes whatever its size, and for each pixel: its mask and its labels, and what
is known of a twentieth of all pixels."""


@dataclass(frozen=True, eq=False)
class SceneMap:
    """A scene that was mapped.

    Attributes:
        name: Name of the scene, which its files begin with.
        files: What was written: probability, mask and its style, outlines, report; none where
            the map was only looked at.
        landslides: The landslides, the largest first, as the files have them.
        dropped: What rules dropped, likewise, with ``rule`` and ``why``.
        hectares: Area of all landslides.
        coverage: How much was seen.
        threshold: Probability from which a pixel counts as landslide.
        notes: What was taken for granted, left out or is odd, a sentence each.
        probabilities: What the network says, in the hidden folder.
    """

    name: str
    files: tuple[Path, ...]
    landslides: geopandas.GeoDataFrame
    dropped: geopandas.GeoDataFrame
    hectares: float
    coverage: Coverage
    threshold: float
    notes: tuple[str, ...]
    probabilities: Probabilities

    def in_words(self) -> str:
        """What came of it, a line for each note and one for the map."""
        coverage, count = self.coverage, len(self.landslides)
        shares = {
            "observed": coverage.observed,
            "under cloud": coverage.cloud,
            "without data": coverage.missing,
        }
        parts = ", ".join(
            f"{100 * pixels / coverage.total:.0f} % {words}"
            for words, pixels in shares.items()
            if pixels
        )
        summary = f"{count} landslide{'' if count == 1 else 's'}, {self.hectares:.2f} ha; {parts}."
        return "\n".join(f"{self.name}: {line}" for line in (*self.notes, summary))


def map_scene(
    scene: Paths | Scene,
    output: str | Path,
    *,
    model: str | Path | Predictor | None = None,
    dem: str | Path | None = None,
    before: Paths | None = None,
    aoi: str | Path | Box | None = None,
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
    are. Mapped again with another threshold or other rules, the network does not run again.
    It may be deleted. Two maps of one scene into one folder wait for each other.

    Args:
        scene: A GeoTIFF, a product folder or its ZIP, or several files of one scene; or a
            scene that is open: what follows about reading it does not count then.
        output: Folder for the files, made if need be; files of the same names are replaced.
        model: A predictor, or the name of one: a folder, a bundled model or a repo id on
            the Hub; the first that is bundled where None.
        dem: An elevation raster in metres, in any projection and resolution.
        before: A scene from before the event: what was as bare then is dropped.
        aoi: Only the part of the scene around this area is mapped: a vector file with
            polygons, or west, south, east and north in degrees.
        threshold: Probability from which a pixel counts as landslide; the model's own where
            None.
        minimum_area: Smallest landslide in hectares; that of the rules where None.
        rules_off: Attributes of the rules that are switched off, or ``all``.
        clouds: ``mask``: what lies under cloud is not observed, where the bands tell
            clouds; ``keep``: clouds are not looked for.
        level: Product level; told from metadata and names where None.
        offset: What is to be added to digital numbers; told from metadata where None.
        bands: Names of the files' bands in their order; told from the files where None.
        scale: What the numbers are; told from type, metadata and values where None. These four
            count for both scenes.
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
        0 not, 255 not observed), a style of it for QGIS, ``STEM_landslides`` in every format,
        and ``STEM_report.html``.

    Raises:
        DataError: If the scene cannot be mapped, or a file cannot be written.
        ModelError: If there is no such model or rule, or its probabilities are not finite.
        HubError: If the Hub does not give the model.

    Example:
        >>> map_scene("S2A_MSIL2A.SAFE", "maps", dem="dem.tif").hectares  # doctest: +SKIP
        23.4
    """
    predictor = _predictor(model, backend, device)
    if tta:
        predictor = TestTimeAugmentation(predictor)
    config = predictor.config
    every = rules_of(config) if before is None else rules_with_change(rules_of(config))
    check_rules_off(config.model_copy(update={"rules": list(every)}), rules_off)
    threshold = config.threshold if threshold is None else threshold
    reading: dict[str, Any] = {"level": level, "offset": offset, "bands": bands, "scale": scale}
    steps, folder = Progress(progress), Path(output)
    with ExitStack() as opened:
        if isinstance(scene, Scene):
            later = scene
        else:
            later = opened.enter_context(open_scene(scene, dem, aoi=aoi, **reading))
        _check_memory(later, memory)
        work = folder / f".{later.name}.work"
        with writing(work):
            work.mkdir(parents=True, exist_ok=True)
            opened.enter_context(FileLock(work / "lock"))
            for left in work.glob(".*.npy"):  # by a map that was killed
                left.unlink()
        probabilities = compute_probabilities(
            later, predictor, work, clouds=clouds, progress=progress
        )
        earlier, notes = None, _cloud_notes(later, clouds)
        if before is not None:
            aligned = opened.enter_context(align(before, later, **reading))
            earlier = Earlier(aligned, find_scene_clouds(aligned, work, clouds, steps))
            notes += _cloud_notes(aligned, clouds)
        landslides = find_landslides(
            later,
            probabilities,
            threshold=threshold,
            rules=switched_on(every, rules_off),
            minimum_area=minimum_area,
            before=earlier,
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
            steps.start(STEP, 4 + len(formats))
            stem = str(folder / later.name)
            for name in ("probability", "mask", "style", *formats, "report"):
                path = Path(stem + OUTPUTS[name][0])
                if name == "probability":
                    write_probability(path, probabilities, provenance, probability)
                elif name == "mask":
                    write_mask(path, landslides, provenance)
                elif name == "style":
                    write_whole(path, style_of("mask"))
                elif name == "report":
                    write_whole(path, render_report(later, landslides, provenance))
                else:
                    write_outlines(path, name, landslides, provenance)
                files.append(path)
                steps.advance()
    return SceneMap(
        name=later.name,
        files=tuple(files),
        landslides=landslides.table,
        dropped=landslides.dropped,
        hectares=landslides.area / 10_000,
        coverage=landslides.coverage,
        threshold=threshold,
        notes=(*landslides.notes, *notes, *landslides.skipped),
        probabilities=probabilities,
    )


def map_in_words(
    scene: Paths,
    output: str | Path,
    **options: Any,  # noqa: ANN401 - those of map_scene
) -> tuple[bool, str]:
    """Map a scene of several: what goes wrong with it, of any kind, ends none of the others.

    Args:
        scene: As :func:`map_scene` takes it.
        output: Folder for the files.
        options: Those of :func:`map_scene`.

    Returns:
        Whether there is a map, and what came of it or went wrong, in words.
    """
    try:
        return True, map_scene(scene, output, **options).in_words()
    except LandslideZooError as error:
        return False, str(error)
    except Exception as error:
        traceback.print_exc()
        return False, f"{scene} could not be mapped ({type(error).__name__}: {error})."


def _check_memory(scene: Scene, memory: float) -> None:
    """Check that a map does not take more memory than it may.

    Raises:
        DataError: If it would.
    """
    needed = (_BASE + _PER_PIXEL * scene.size[0] * scene.size[1]) / 1e9
    if not needed <= memory:
        raise DataError(
            f"{scene.name} of {scene.size[0]} x {scene.size[1]} pixels takes {needed:.1f} GB of "
            f"memory to map, more than the {memory:g} that are allowed: allow more, or cut it "
            "into parts."
        )


def _predictor(model: str | Path | Predictor | None, backend: Backend, device: str) -> Predictor:
    if model is None:
        model = DEFAULT_MODEL
    return load_predictor(model, backend, device) if isinstance(model, str | Path) else model


def _cloud_notes(scene: Scene, clouds: Clouds) -> list[str]:
    reason = None if clouds == "keep" else why_no_scene_clouds(scene)
    return [f"{scene.name}: {reason}"] if reason else []
