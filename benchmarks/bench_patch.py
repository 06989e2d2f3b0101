"""How quick a warm patch is, by the study's app, by plain smp and by this package.

Run it alone on the machine, for it uses every core::

    python benchmarks/bench_patch.py --model unet-mobilenet_v2-rgb --rounds 5

For each network, with the same weights: the network alone, then everything from the file to
the pictures, every way in turn.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from competitors import Study, eager, read, results
from measuring import in_turn, times, write_patches, write_results

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.inference import Predictor, load_predictor, predict
from landslide_zoo.models.folder import find_folder

CALLS = 3
"""Timed calls of a turn of the network alone."""


def from_file(predictor: Predictor, path: Path, folder: Path) -> None:
    """This package's way from a file to figures, pictures and files."""
    (prediction,) = predict(predictor, [read_patch(path)])
    prediction.to_dict()
    prediction.save(folder)


def measure(name: str, path: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Figures of one network, which must have weights."""
    pickled = folder / "weights.pth"
    source = find_folder(name)
    torch.save(LandslideModel.from_pretrained(source).network.state_dict(), pickled)
    study, ours = Study(source.name, pickled), load_predictor(source)
    network, plain = study.network(), read(path, source.name)
    values = read_patch(path).in_unit(ours.config.bands, ours.config.unit)[None]
    from_file(ours, path, folder)  # the cloud network is loaded, too
    alone = in_turn(
        {"smp": partial(eager, network, plain), "ours": partial(ours.probabilities, values)},
        rounds,
        calls=CALLS,
    )
    whole = in_turn(
        {
            "study": partial(study.detect, path),
            "smp": partial(results, path, network, source.name),
            "ours": partial(from_file, ours, path, folder),
        },
        rounds,
        warm=False,
    )
    return {
        "backend": ours.backend,
        "network_ms": alone,
        "file_to_pictures_ms": whole,
        "times": {
            "network over smp": times(alone["ours"], alone["smp"]),
            "file to pictures over smp": times(whole["ours"], whole["smp"]),
            "file to pictures over study": times(whole["ours"], whole["study"]),
        },
    }


def main(
    model: Annotated[list[str], typer.Option(help="A model with weights; repeatable.")],
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each way.")] = 5,
) -> None:
    """Measure networks against the study's app and plain smp."""
    figures = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (path,) = write_patches(folder / "patches", 1)
        for name in model:
            figures[name] = measure(name, path, folder, rounds)
            print(name, figures[name]["times"], file=sys.stderr)
    write_results("patch", {"rounds": rounds, "networks": figures})


if __name__ == "__main__":
    typer.run(main)
