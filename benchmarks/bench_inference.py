"""How quick the networks are: ``make bench``.

Each part runs by itself, alone on the machine, every way in turn, and writes a file of
figures to ``benchmarks/results``::

    python benchmarks/bench_inference.py --part patch --keep /tmp/networks

- ``patch``: a warm patch, the network alone and from the file to the pictures, against the
  study's app and plain smp; then all networks on one patch.
- ``steps``: what each step of our way takes.
- ``throughput``: patches a second at several batch sizes, and how much of the machine's
  measured peak that is.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from competitors import eager, read, results
from contenders import FIFTEEN, Contender, contenders, write_patches
from landslide_zoo.inference.comparison import ModelResult
from landslide_zoo.inference.result import ALL_STEPS
from measuring import (
    geometric_mean,
    in_turn,
    read_results,
    significant,
    spread,
    times,
    write_results,
)
from peak import measured_peaks, operations

from landslide_zoo import read_patch
from landslide_zoo.inference import PreparedPatch, Steps, join_detections, write_outputs
from landslide_zoo.inference.predict import BATCH_PIXELS, Predictor, values_of

BATCHES = (1, 16, 64)
CALLS = 3
"""Calls of a turn of what is short."""
STEPS = ("read", "clouds", "network, rules, objects", "pictures and files")
SIDE = 128
TOGETHER = BATCH_PIXELS // SIDE**2
"""Patches that the package runs at once."""


def detect(predictors: list[Predictor], path: Path, folder: Path, steps: Steps = ALL_STEPS) -> None:
    """Our way from a file to figures, pictures and files, by one network or by many."""
    prepared, results = PreparedPatch(read_patch(path), steps), []
    for predictor in predictors:
        detection = prepared.detect(predictor)
        detection.to_dict()
        write_outputs(folder, detection)
        results.append(ModelResult(predictor.config.name, detection))
    if together := join_detections(results):
        together.to_dict()


def patch_part(networks: list[Contender], rounds: int, folder: Path) -> dict[str, Any]:
    """A warm patch by each network, then by all."""
    (path,) = write_patches(folder / "patches")
    found: dict[str, dict[str, Any]] = {}
    for one in networks:
        plain, values = read(path, one.name), values_of([read_patch(path)], one.ours.config)
        alone = in_turn(
            {
                "smp": partial(eager, one.smp, plain),
                "torch": partial(one.torch.probabilities, values),
                "openvino float32": partial(one.openvino_f32.probabilities, values),
                "ours": partial(one.ours.probabilities, values),
            },
            rounds,
            calls=CALLS,
        )
        detect([one.ours], path, folder)  # what finds clouds is loaded, too
        whole = in_turn(
            {
                "study": partial(one.study.detect, path),
                "smp": partial(results, path, one.smp, one.name),
                "ours, clouds not looked for": partial(
                    detect, [one.ours], path, folder, Steps("keep")
                ),
                "ours": partial(detect, [one.ours], path, folder),
            },
            rounds,
            warm=False,
        )
        found[one.name] = {
            "weights": one.weights,
            "backend": one.ours.backend,
            "network_ms": alone,
            "end_to_end_ms": whole,
            "times": {
                "network over smp": times(alone["ours"], alone["smp"]),
                "end to end over smp": times(whole["ours"], whole["smp"]),
                "end to end over study": times(whole["ours"], whole["study"]),
                "without clouds over study": times(
                    whole["ours, clouds not looked for"], whole["study"]
                ),
            },
        }
        report(one.name, alone, whole)
    every = in_turn(
        {
            "study": lambda: [one.study.detect(path) for one in networks],
            "smp": lambda: [results(path, one.smp, one.name) for one in networks],
            "ours": lambda: detect([one.ours for one in networks], path, folder),
        },
        max(1, rounds // 2),
        warm=False,
    )
    report("all", every)
    return {
        "rounds": rounds,
        "networks": found,
        "all_on_one_patch_ms": every,
        "all_on_one_patch_times": {
            f"over {name}": times(every["ours"], every[name]) for name in ("smp", "study")
        },
    }


def steps_part(networks: list[Contender], rounds: int, folder: Path) -> dict[str, Any]:
    """What each step of our way takes; the network is in the third."""
    (path,) = write_patches(folder / "patches")
    found: dict[str, dict[str, Any]] = {}
    for one in networks:
        moments: list[list[float]] = []
        for _ in range(CALLS * rounds):
            begun = time.perf_counter()
            prepared = PreparedPatch(read_patch(path))
            was_read = time.perf_counter()
            _ = prepared.clouds
            cleared = time.perf_counter()
            detection = prepared.detect(one.ours)
            detection.to_dict()
            detected = time.perf_counter()
            write_outputs(folder, detection)
            moments.append([begun, was_read, cleared, detected, time.perf_counter()])
        taken = 1000 * np.diff(np.array(moments)).T
        found[one.name] = {
            name: spread(list(each)) for name, each in zip(STEPS, taken, strict=True)
        }
        report(one.name, found[one.name])
    return {"rounds": CALLS * rounds, "networks": found}


def throughput_part(networks: list[Contender], rounds: int, folder: Path) -> dict[str, Any]:
    """Patches a second of each network, and the share of the peak that this is."""
    peaks = measured_peaks(rounds)
    print(peaks, file=sys.stderr)
    paths = write_patches(folder / "patches", max(BATCHES))
    patches = [read_patch(path) for path in paths]
    found: dict[str, dict[str, Any]] = {}
    for one in networks:
        plain = np.concatenate([read(path, one.name) for path in paths])
        values = values_of(patches, one.ours.config)
        speeds: dict[str, dict[str, float]] = {}
        ratios: dict[str, float] = {}
        for size in BATCHES:
            ways: dict[str, Callable[[], object]] = {
                "smp": partial(eager, one.smp, plain[:size]),
                "ours": partial(by_batch, one.ours, values[:size]),
            }
            # Many calls where one is short, so that all batches are timed for about as long.
            calls = max(1, TOGETHER // size // 2)
            taken = in_turn(ways, rounds, warm=size <= TOGETHER, calls=calls)
            speeds[f"batch {size}"] = {
                name: significant(1000 * size / spread["median"]) for name, spread in taken.items()
            }
            ratios[f"batch {size}"] = times(taken["ours"], taken["smp"])
        work = operations(one.smp, plain[:1])
        rate = speeds[f"batch {TOGETHER}"]["ours"] * work / 1e9
        found[one.name] = {
            "weights": one.weights,
            "backend": one.ours.backend,
            "patches_per_s": speeds,
            "times": ratios,
            "gflop": significant(work / 1e9),
            "gflop_per_s": significant(rate),
        }
        print(one.name, speeds, file=sys.stderr)
    return {
        "rounds": rounds,
        "peak_gflop_per_s": peaks,
        "networks": found,
    }


def means(ratios: list[dict[str, float]]) -> dict[str, float]:
    """The geometric mean over the networks of each ratio."""
    return {name: geometric_mean(one[name] for one in ratios) for name in ratios[0]}


def by_batch(predictor: Predictor, values: np.ndarray) -> None:
    """Probabilities of values (N, B, H, W), as many at once as the package runs."""
    for start in range(0, len(values), TOGETHER):
        predictor.probabilities(values[start : start + TOGETHER])


def report(name: str, *found: dict[str, dict[str, float]]) -> None:
    """Show medians while the rest is measured."""
    shown = [{way: spread["median"] for way, spread in ways.items()} for ways in found]
    print(name, *shown, file=sys.stderr)


PARTS = {"patch": patch_part, "steps": steps_part, "throughput": throughput_part}


def main(
    part: Annotated[Literal["patch", "steps", "throughput"], typer.Option(help="What to measure.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A network, measured anew among those of the results; all if unset."),
    ] = None,
    zoo: Annotated[Path | None, typer.Option(help="Folder of trained models to take.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the networks.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each way.")] = 7,
    name: Annotated[str | None, typer.Option(help="Name of the results; the part's.")] = None,
) -> None:
    """Measure networks against the study's app and plain smp."""
    torch.set_grad_enabled(False)
    with (
        contenders(model or list(FIFTEEN), keep, zoo) as networks,
        tempfile.TemporaryDirectory() as folder,
    ):
        for one in networks:
            print(one.name, one.weights, one.ours.backend, file=sys.stderr)
        found = PARTS[part](networks, rounds, Path(folder))
    name = name or part
    if model and (kept := read_results(name)):
        anew = {"networks": kept["networks"] | found["networks"]}
        if "peak_gflop_per_s" in found:
            anew["peak_gflop_per_s"] = found["peak_gflop_per_s"]
        found = kept | anew
    for one in found["networks"].values() if part == "throughput" else ():
        peaks = found["peak_gflop_per_s"][one["backend"].split()[-1]]
        one["share_of_peak"] = {
            name: significant(one["gflop_per_s"] / peak) for name, peak in peaks.items()
        }
    if part != "steps":
        found["geometric_mean"] = means([one["times"] for one in found["networks"].values()])
    write_results(name, found)


if __name__ == "__main__":
    typer.run(main)
