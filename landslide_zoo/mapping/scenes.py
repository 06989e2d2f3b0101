"""A Sentinel-2 scene: bands, terrain and clouds on one grid, read window by window."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import rasterio
from rasterio.windows import Window as RasterioWindow

from landslide_zoo.data.bands import BAND_NAMES, Unit
from landslide_zoo.data.checks import slope_of
from landslide_zoo.data.grid import Grid
from landslide_zoo.data.patch import Patch
from landslide_zoo.errors import DataError
from landslide_zoo.inference.clouds import Level
from landslide_zoo.mapping.windows import Window


class Scene:
    """Bands of a scene on one grid. A context manager: leaving it closes its files."""

    def __init__(self, path: Path, dem: Path | None = None) -> None:
        self._dataset = rasterio.open(path, driver="GTiff")
        self._dem = rasterio.open(dem, driver="GTiff") if dem else None
        self._indexes = {}
        for index, text in enumerate(self._dataset.descriptions, 1):
            match = re.match(r"B0?(\d+A?)", text or "")
            if match and f"B{match[1]}" in BAND_NAMES:
                self._indexes[f"B{match[1]}"] = index
        self.name = path.stem
        terrain = ("slope", "DEM") if dem else ()
        self.bands: tuple[str, ...] = (*self._indexes, *terrain)
        self.unit: Unit = "physical"
        self.size = (self._dataset.height, self._dataset.width)
        transform = self._dataset.transform
        self.grid = Grid((10.0, 10.0), str(self._dataset.crs), tuple(transform)[:6])
        self.level: Level | None = None
        self.notes: tuple[str, ...] = ()
        self.classified = False
        self.fingerprint = hashlib.sha256(str(path.stat().st_mtime_ns).encode()).hexdigest()

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._dataset.close()
        if self._dem:
            self._dem.close()

    def read(self, window: Window, bands: Sequence[str] | None = None) -> Patch:
        """The bands of a window, float32, in physical units; what is missing is not observed."""
        wanted = tuple(bands or self.bands)
        if missing := [name for name in wanted if name not in self.bands]:
            raise DataError(f"{self.name} has no band {', '.join(missing)}.")
        part = RasterioWindow(window.column, window.row, window.width, window.height)
        optical = [name for name in wanted if name in self._indexes]
        values = self._dataset.read([self._indexes[name] for name in optical], window=part)
        observed = (values != 0).any(axis=0)
        layers = dict(zip(optical, values.astype(np.float32), strict=True))
        if self._dem and set(wanted) & {"slope", "DEM"}:
            dem = self._dem.read(1, window=part)
            observed &= np.isfinite(dem)
            layers["DEM"] = np.nan_to_num(dem, nan=float(np.nanmedian(dem)))
            layers["slope"] = slope_of(layers["DEM"]).astype(np.float32)
        a, b, c, d, e, f = self.grid.transform or (1, 0, 0, 0, 1, 0)
        corner = (a * window.column + b * window.row + c, d * window.column + e * window.row + f)
        grid = Grid(self.grid.pixel_size, self.grid.crs, (a, b, corner[0], d, e, corner[1]))
        stacked = np.stack([layers[name] for name in wanted])
        return Patch(stacked, wanted, self.unit, self.name, observed=observed, grid=grid)

    def classification(self, window: Window) -> np.ndarray | None:
        """Cloud and cirrus of a window by the scene classification, bool; None without one."""
        return None


def open_scene(
    path: str | Path | Sequence[str | Path],
    dem: str | Path | None = None,
    level: Level | None = None,
    offset: float | None = None,
    bands: Sequence[str] | None = None,
) -> Scene:
    """Open a scene."""
    assert isinstance(path, (str, Path))
    return Scene(Path(path), Path(dem) if dem else None)
