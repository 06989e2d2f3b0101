"""A mountain side with forest and scars on it, as a scene and as what a network says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from scene_files import PLACE, UTM, write_raster

from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.inference.rules import DEFAULT_RULES
from landslide_zoo.mapping.landslides import Landslides, find_landslides
from landslide_zoo.mapping.probabilities import Probabilities
from landslide_zoo.scenes.scene import Scene, open_scene

# Digital numbers of B1 to B12 as Landslide4Sense has them.
FOREST = (1200, 880, 740, 450, 760, 2000, 2450, 2500, 760, 10, 1300, 590)
SCAR = (1350, 1150, 1100, 1150, 1350, 1600, 1750, 1800, 700, 10, 2000, 1500)
FIELD = (1300, 1100, 1050, 1000, 1400, 2100, 2450, 2600, 900, 10, 3000, 2000)


@dataclass
class Slope:
    """Builds a scene: forest that falls to the east, with what is put on it.

    Attributes:
        height: Of the scene, in pixels.
        width: Likewise.
        fall: Metres that the ground falls from one pixel to the next one on its right.
    """

    height: int = 128
    width: int = 128
    fall: float = 7.0

    def __post_init__(self) -> None:
        size = (self.height, self.width)
        self._noise = np.random.default_rng(0).normal(0, 15, (12, *size))
        self.optical = np.array(FOREST, dtype=np.float64)[:, None, None] + self._noise
        self.dem = 3000 - self.fall * np.arange(self.width) + np.zeros(size)
        self.slope = np.full(size, np.degrees(np.arctan(self.fall / 10)))
        self.probability = np.full(size, 0.05, dtype=np.float32)
        self.observed = np.ones(size, dtype=bool)
        self.cloud = np.zeros(size, dtype=bool)

    def put(
        self, *place: slice | np.ndarray, surface: tuple[int, ...] = SCAR, probability: float = 0.9
    ) -> None:
        """Lay a surface at a place, of which a network says a probability."""
        for values, noise, value in zip(self.optical, self._noise, surface, strict=True):
            values[place] = value + noise[place]
        self.probability[place] = probability

    def write(
        self,
        folder: Path,
        crs: str | None = UTM,
        transform: Affine | None = PLACE,
        bands: tuple[str, ...] = BAND_NAMES,
        name: str = "slope",
    ) -> Path:
        """Write it as a GeoTIFF; what is not observed is 0."""
        values = np.concatenate([self.optical, self.slope[None], self.dem[None]])
        values = np.where(self.observed, np.maximum(values, 1), 0)
        chosen = values[[BAND_NAMES.index(band) for band in bands]]
        return write_raster(
            folder / f"{name}.tif", chosen, bands, crs=crs, transform=transform, dtype="float32"
        )

    def open(self, folder: Path, **options: object) -> tuple[Scene, Probabilities]:
        """The scene, open, and the probabilities, on disk."""
        scene = open_scene(self.write(folder, **options))
        return scene, self.probabilities(folder, scene)

    def probabilities(self, folder: Path, scene: Scene) -> Probabilities:
        """The probabilities, on disk."""
        found = Probabilities(folder / "work/slope.npy", scene.size, scene.grid)
        found.write(self.probability.copy(), self.observed | self.cloud, self.cloud)
        return found

    def find(
        self, folder: Path, written: Mapping[str, object] | None = None, **options: object
    ) -> Landslides:
        """The landslides on it, as written like this; by the usual threshold and rules."""
        scene, probabilities = self.open(folder, **(written or {}))
        with scene:
            return found_on(scene, probabilities, **options)


def found_on(scene: Scene, probabilities: Probabilities, **options: object) -> Landslides:
    """The landslides of a scene, by the usual threshold and rules unless others are given."""
    usual = {"threshold": 0.5, "rules": DEFAULT_RULES}
    return find_landslides(scene, probabilities, **(usual | options))


Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]


def where(slope: Slope, shape: Shape) -> np.ndarray:
    """The pixels of a shape, given by rows and columns, as a mask (H, W)."""
    return shape(*np.indices((slope.height, slope.width)))
