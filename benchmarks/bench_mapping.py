"""How long a whole scene takes to map, in how much memory, on this machine.

Run it alone, for it uses every core::

    python benchmarks/bench_mapping.py

Scenes of 14 bands are made by repeating real patches as in a mirror, and each is
mapped by a process of its own, whose largest resident memory is taken. The
network's own rate is that of the same tiles without reading, light, blending
and writing; the rate of the map is that of its tiles from the first to the last.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import rasterio
import typer
from affine import Affine
from measuring import write_results
from rasterio.windows import Window as RasterioWindow

from landslide_zoo import read_patch
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.inference.backends import load_predictor
from landslide_zoo.mapping import map_scene
from landslide_zoo.mapping.network import OVERLAP, SIDE, Tiles
from landslide_zoo.mapping.probabilities import State
from landslide_zoo.models.folder import bundled_folders

SAMPLES = Path(__file__).resolve().parents[1] / "landslide_zoo/web/samples"
TIMED = 8
"""Tiles by which the network's own rate is measured."""


def write_scene(path: Path, side: int) -> None:
    """A scene of real patches side by side, turned so that they meet as in a mirror."""
    patches = [read_patch(file).values for file in sorted(SAMPLES.glob("*.h5"))]
    rows = [np.concatenate([one, one[:, :, ::-1]], axis=2) for one in patches]
    ground = np.concatenate([np.concatenate([row, row[:, ::-1]], axis=1) for row in rows], axis=1)
    strip = np.tile(ground, (1, 1, -(-side // ground.shape[2])))[:, :, :side].astype(np.uint16)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": len(BAND_NAMES)}
    profile |= {"dtype": "uint16", "crs": "EPSG:32643", "compress": "deflate", "zlevel": 1}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "band"}
    profile |= {"transform": Affine(10, 0, 600_000, 0, -10, 1_300_000), "bigtiff": "yes"}
    with rasterio.open(path, "w", **profile) as dataset:
        for number, name in enumerate(BAND_NAMES, start=1):
            dataset.set_band_description(number, name)
        for row in range(0, side, strip.shape[1]):
            height = min(strip.shape[1], side - row)
            dataset.write(strip[:, :height], window=RasterioWindow(0, row, side, height))


def peak_resident_mb() -> float:
    """Largest resident memory of this process in MB, as Linux tells it.

    Not ru_maxrss, in which the memory of the process that started this one counts, too.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(path: Path, output: Path, model: str, clouds: Literal["mask", "keep"]) -> dict:
    """Map a scene and measure it; in a process of its own."""
    predictor = load_predictor(bundled_folders()[model])
    seen: dict[str, tuple[float, float]] = {}
    start = time.perf_counter()

    def listen(state: State) -> None:
        now = time.perf_counter()
        seen[state.step] = (seen.get(state.step, (now, now))[0], now)

    found = map_scene(path, output, model=predictor, clouds=clouds, progress=listen)
    total = time.perf_counter() - start
    peak = peak_resident_mb()
    with rasterio.open(path) as dataset:
        size = (dataset.height, dataset.width)
        bands = [BAND_NAMES.index(name) + 1 for name in ("B4", "B3", "B2")]
        tile = dataset.read(bands, window=RasterioWindow(0, 0, SIDE, SIDE))
    values = (tile / tile.max(axis=(1, 2), keepdims=True)).astype(np.float32)[None]
    predictor.probabilities(values)
    times = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        predictor.probabilities(values)
        times.append(time.perf_counter() - begun)
    tiles = Tiles(size, SIDE, OVERLAP)
    count = len(tiles.rows) * len(tiles.columns)
    mapping = (seen["network"][1] - seen["network"][0]) / count
    return {
        "pixels": list(size),
        "bands": len(BAND_NAMES),
        "tiles": count,
        "clouds": clouds,
        "seconds": round(total, 1),
        "seconds_by_step": {name: round(end - begun, 1) for name, (begun, end) in seen.items()},
        "peak_resident_mb": round(peak),
        "network_seconds_a_tile": round(statistics.median(times), 4),
        "map_seconds_a_tile": round(mapping, 4),
        "share_of_the_networks_rate": round(statistics.median(times) / mapping, 3),
        "backend": predictor.backend,
        "landslides": len(found.landslides),
        "dropped_by_rules": len(found.dropped),
    }


def main(
    model: Annotated[str, typer.Option(help="A bundled model.")] = "unet-mobilenet_v2-rgb",
    clouds: Annotated[Literal["mask", "keep"], typer.Option()] = "keep",
    side: Annotated[
        list[int] | None, typer.Option(help="Sides; 4,096 and 10,980 if unset.")
    ] = None,
    scene: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure maps of whole scenes."""
    if scene is not None:
        with tempfile.TemporaryDirectory(dir=scene.parent) as folder:
            typer.echo(json.dumps(measure(scene, Path(folder), model, clouds)))
        return
    results: dict[str, Any] = {
        "model": model,
        "runs": [],
    }
    for each in side or [4096, 10980]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "scene.tif")
            write_scene(path, each)
            command = [sys.executable, __file__, "--scene", path, "--model", model]
            done = subprocess.run(
                [*map(str, command), "--clouds", clouds], capture_output=True, text=True, check=True
            )
        results["runs"].append(json.loads(done.stdout.splitlines()[-1]))
        typer.echo(json.dumps(results["runs"][-1]))
    write_results("mapping", results)


if __name__ == "__main__":
    typer.run(main)
