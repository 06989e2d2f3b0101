"""Many scenes on Ray: workers that each load the model once and map one scene after another.

What a worker had finished when it is killed stays, and of the scene it was at, what the journal
of its probabilities names: Ray starts the worker again, and it goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from landslide_zoo.errors import LandslideZooError, quoted, shown
from landslide_zoo.inference.predict import Predictor
from landslide_zoo.mapping.cluster import Share, ray_cluster
from landslide_zoo.mapping.landslides import Coverage
from landslide_zoo.mapping.maps import SceneMap, map_scene
from landslide_zoo.mapping.network import describe_predictor
from landslide_zoo.mapping.storage import (
    absolute,
    fetch,
    is_remote,
    local_path,
    read_text,
    sizes_in,
    stamps_of,
    store,
    write_text,
)
from landslide_zoo.mapping.writers import __version__

FINISHED = ".finished"
"""Folder beside the maps with a small file for each scene that is done."""
_INPUTS = ("dem", "before")
"""Options that are files, too, and may lie elsewhere as the scenes may."""

Load = Callable[[], Predictor]
"""Loads the predictor, wherever it is called: Ray sends it to other processes."""


@dataclass(frozen=True)
class Outcome:
    """What became of a scene.

    Attributes:
        scene: Path or address of it, as given.
        name: What its files begin with.
        files: Their names.
        landslides: How many were found.
        hectares: Area of them all.
        coverage: How much was seen.
        notes: What was taken for granted, left out or is odd, a sentence each.
        error: Why there is no map, in a sentence; None where there is one.
        earlier: Whether an earlier run had finished it.
    """

    scene: str
    name: str = ""
    files: tuple[str, ...] = ()
    landslides: int = 0
    hectares: float = 0.0
    coverage: Coverage = field(default_factory=Coverage)
    notes: tuple[str, ...] = ()
    error: str | None = None
    earlier: bool = False

    @classmethod
    def of(cls, scene: str, found: SceneMap) -> Self:
        """What became of a scene that was mapped."""
        return cls(
            scene=scene,
            name=found.name,
            files=tuple(path.name for path in found.files),
            landslides=len(found.landslides),
            hectares=found.hectares,
            coverage=found.coverage,
            notes=found.notes,
        )

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], **changes: object) -> Self:
        """From its fields, as JSON has them."""
        sequences = {name: tuple(told[name]) for name in ("files", "notes")}
        coverage = Coverage(**told["coverage"])
        return cls(**{**told, **sequences, "coverage": coverage, **changes})


def map_many(
    scenes: Sequence[str],
    output: str,
    load: Load,
    *,
    workers: int | None = None,
    **options: Any,  # noqa: ANN401 - those of map_scene
) -> Iterator[Outcome]:
    """Map many scenes side by side on Ray.

    The files are those that :func:`landslide_zoo.mapping.map_scene` writes for each
    scene by itself, to the byte. A scene that an earlier run has finished, from the
    same files with the same model and options, is not mapped again.

    Args:
        scenes: Paths, or addresses that fsspec reaches, as ``s3://bucket/scene.tif``.
            What lies elsewhere is copied to the machine that maps it.
        output: Folder for the maps, a path or an address. Machines of a cluster need
            the same one, and paths that all of them know.
        load: Loads the model; called here once, and once by each worker.
        workers: How many map at the same time; where None one for each GPU, else two
            on this machine and one for each machine of a cluster.
        options: Those of :func:`landslide_zoo.mapping.map_scene`, such as ``dem``,
            ``threshold`` and ``formats``; ``dem`` and ``before`` may be addresses.

    Yields:
        What became of each scene, in the order in which they are done.

    Raises:
        LandslideZooError: If the model cannot be loaded, or Ray does not start.
    """
    # Workers may run in another folder, and know what JSON knows.
    output = absolute(output)
    options = json.loads(json.dumps(options, default=str))
    options |= {name: absolute(options[name]) for name in _INPUTS if options.get(name)}
    predictor, waiting = load(), []
    for scene in map(absolute, scenes):
        if done := _read_finished(scene, output, predictor, options):
            yield done
        else:
            waiting.append(scene)
    del predictor  # each worker has one of its own
    if waiting:
        with ray_cluster(workers) as share:
            yield from _on_ray(waiting, output, load, share, options)


def map_one(scene: str, output: str, predictor: Predictor, options: Mapping[str, Any]) -> Outcome:
    """Map one of many scenes, unless that is done already; what goes wrong is told.

    Args:
        scene: Path or address.
        output: Folder for the map, likewise.
        predictor: Finds the landslides.
        options: Those of :func:`landslide_zoo.mapping.map_scene`.
    """
    try:
        return _read_finished(scene, output, predictor, options) or _map(
            scene, output, predictor, options
        )
    except LandslideZooError as error:
        return Outcome(scene, error=str(error))
    except Exception as error:
        traceback.print_exc()  # for the log of the worker
        return Outcome(
            scene,
            error=f"{quoted(scene)} could not be mapped ({type(error).__name__}: {error}): the "
            "worker's log says more.",
        )


def _map(scene: str, output: str, predictor: Predictor, options: Mapping[str, Any]) -> Outcome:
    key = _key(scene, predictor, options)
    here = _folder_here(scene, output)
    copies = {name: fetch(options[name], here / name) for name in _INPUTS if options.get(name)}
    given: dict[str, Any] = {**options, **copies, "model": predictor}
    folder = here / "maps" if is_remote(output) else local_path(output)
    found = map_scene(fetch(scene, here / "scene"), folder, **given)
    if is_remote(output):
        store(found.files, output)
    outcome = Outcome.of(scene, found)
    sizes = {path.name: path.stat().st_size for path in found.files}
    finished = {"key": key, "sizes": sizes, "outcome": asdict(outcome)}
    write_text(_finished_file(scene, output), json.dumps(finished, indent=1))
    shutil.rmtree(here, ignore_errors=True)
    return outcome


def _read_finished(
    scene: str, output: str, predictor: Predictor, options: Mapping[str, Any]
) -> Outcome | None:
    """What became of a scene that is done, if its files are whole and would be the same again."""
    text = read_text(_finished_file(scene, output))
    if text is None:
        return None
    try:
        finished = json.loads(text)
        outcome = Outcome.from_dict(finished["outcome"], earlier=True)
        sizes, key = finished["sizes"], finished["key"]
    except (ValueError, TypeError, KeyError):
        return None
    whole = sizes.items() <= sizes_in(output).items()
    return outcome if whole and key == _key(scene, predictor, options) else None


def _key(scene: str, predictor: Predictor, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the files of a map depend on."""
    inputs = {"scene": scene} | {name: options[name] for name in _INPUTS if options.get(name)}
    config = predictor.config.model_dump(mode="json")
    key = {
        "inputs": {name: stamps_of(place) for name, place in inputs.items()},
        "options": options,
        "predictor": [describe_predictor(predictor), config],
        "version": __version__,
    }
    return json.loads(json.dumps(key))


def _finished_file(scene: str, output: str) -> str:
    return f"{output.rstrip('/')}/{FINISHED}/{_digest(scene)}.json"


def _folder_here(scene: str, output: str) -> Path:
    """Where a machine keeps what it copies of a scene that lies elsewhere, or its map."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "landslide-zoo" / "maps" / _digest(f"{scene} {output}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _on_ray(
    scenes: Sequence[str], output: str, load: Load, share: Share, options: Mapping[str, Any]
) -> Iterator[Outcome]:
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)

    class Worker:
        """Maps one scene after another, in a process of its own."""

        def __init__(self) -> None:
            self.predictor = load()

        def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
            outcomes = [
                map_one(str(scene), output, self.predictor, options) for scene in batch["item"]
            ]
            return {"outcome": [json.dumps(asdict(outcome)) for outcome in outcomes]}

    workers = min(share.workers, len(scenes))
    mapped = ray.data.from_items(list(scenes), override_num_blocks=len(scenes)).map_batches(
        Worker,
        batch_size=1,
        num_cpus=share.cpus,
        num_gpus=share.gpus,
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
    )
    try:
        for row in mapped.iter_rows():
            yield Outcome.from_dict(json.loads(row["outcome"]))
    except ray.exceptions.RayError as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise LandslideZooError(
            f"The workers on Ray broke off ({shown(reason)}): what is finished stays; try again."
        ) from error
