"""A synthetic 14-band patch with a mask that is known, made from a seed."""

from __future__ import annotations

import numpy as np

from landslide_zoo.data.patch import Patch
from landslide_zoo.data.synthetic import confusers
from landslide_zoo.data.synthetic.fields import fractal_noise, ramp
from landslide_zoo.data.synthetic.landslides import Scars, make_scars
from landslide_zoo.data.synthetic.spectra import LandCover, Sky, observe
from landslide_zoo.data.synthetic.terrain import Terrain, make_terrain

LANDSLIDES_A_PATCH = 3.5
"""Mean number of landslides on 128 x 128 pixels that have any."""
OPAQUE = 0.5
"""Opacity from which a cloud hides a landslide, which is then not in the mask."""


def generate_patch(
    seed: int | np.random.Generator,
    size: tuple[int, int] = (128, 128),
    landslides: int | None = None,
    name: str | None = None,
) -> Patch:
    """Make a patch that looks like one of Landslide4Sense, with its mask.

    Args:
        seed: Seed, or a generator to draw from. One seed gives one patch.
        size: Height and width in pixels.
        landslides: How many landslides start; by default none on a quarter of the
            patches, and a random number on the others.
        name: Name of the patch; by default it is made from the seed.

    Returns:
        Fourteen bands in physical units, all of them whole numbers from 0 to
        65,535, with the mask and marked as synthetic.
    """
    rng = np.random.default_rng(seed)
    if name is None:
        name = "synthetic" if isinstance(seed, np.random.Generator) else f"synthetic_{seed:04d}"
    terrain = make_terrain(rng, size)
    if landslides is None:
        others = max(LANDSLIDES_A_PATCH * size[0] * size[1] / 128**2 - 1.0, 0.0)
        landslides = 1 + rng.poisson(others) if rng.uniform() < 0.75 else 0
    scars = make_scars(rng, terrain, landslides)
    sky = _make_sky(rng, size)
    reflectance = _make_land_cover(rng, terrain, scars).reflectance(rng)
    sunlight = terrain.sunlight(sky.azimuth, sky.elevation)
    optical = observe(rng, reflectance, sunlight, terrain.dem, sky)
    values = np.concatenate([optical, terrain.slope[None], terrain.dem[None]])
    mask = (scars.coverage >= 0.5) & (sky.cloud < OPAQUE)
    return Patch(
        values=np.clip(np.rint(values), 0, 65535).astype(np.float32),
        name=name,
        mask=mask.astype(np.uint8),
        synthetic=True,
    )


def _make_land_cover(rng: np.random.Generator, terrain: Terrain, scars: Scars) -> LandCover:
    """Forest and grass first, then what breaks them, landslides last."""
    cover = LandCover(terrain.size, "forest")
    meadow = fractal_noise(rng, terrain.size, 0.9) + ramp(terrain.dem, 1500.0, 3500.0)
    cover.paint("grass", 0.9 * ramp(meadow, rng.uniform(-0.5, 0.8), 2.5))
    cover.paint("debris", 0.25 * ramp(fractal_noise(rng, terrain.size, 0.6), 0.5, 3.0))
    confusers.paint_rock(rng, cover, terrain)
    confusers.paint_fields(rng, cover, terrain)
    confusers.paint_river(rng, cover, terrain)
    confusers.paint_road(rng, cover, terrain)
    cover.paint("debris", scars.coverage)
    cover.paint("grass", scars.coverage * scars.regrowth)
    return cover


def _make_sky(rng: np.random.Generator, size: tuple[int, int]) -> Sky:
    """The sun of a morning pass, ordinary air, and clouds on one patch in five."""
    azimuth = rng.uniform(125.0, 165.0)
    cloud = shadow = np.zeros(size)
    if rng.uniform() < 0.2:
        cloud, shadow = confusers.make_clouds(rng, size, azimuth)
    return Sky(
        azimuth=azimuth,
        elevation=rng.uniform(40.0, 62.0),
        haze=rng.uniform(0.95, 1.08),
        vapour=rng.uniform(0.85, 1.25),
        cloud=cloud,
        shadow=shadow,
        cirrus=rng.uniform(30.0, 600.0),
    )
