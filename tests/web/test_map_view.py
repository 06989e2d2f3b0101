"""What the tab Map shows: pictures of a scene of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from landslide_zoo.data.patch import UNPLACED

rasterio = pytest.importorskip("rasterio")
mapping = pytest.importorskip("landslide_zoo.mapping")
map_view = pytest.importorskip("landslide_zoo.web.map_view")
probabilities = pytest.importorskip("landslide_zoo.mapping.probabilities")

HEIGHT, WIDTH = 80, 2 * map_view.WIDEST - 100


@pytest.fixture
def layers(tmp_path: Path) -> dict[str, np.ndarray]:
    """The pictures, by title, of a scene that is wider than a picture may be.

    Its left half was not observed; the network is sure of its last 100 columns.
    """
    path = tmp_path / "wide.tif"
    ramp = np.linspace(100, 3000, WIDTH).astype(np.uint16)
    profile = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "count": 4, "dtype": "uint16"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.broadcast_to(ramp, (4, HEIGHT, WIDTH)))
        file.descriptions = ("B2", "B3", "B4", "B8")
    found = probabilities.Probabilities(tmp_path / "probability.npy", (HEIGHT, WIDTH), UNPLACED)
    probability = np.zeros((HEIGHT, WIDTH), np.float32)
    probability[:, -100:] = 1
    cloud = np.broadcast_to(np.arange(WIDTH) < WIDTH // 2, (HEIGHT, WIDTH))
    found.write(probability, np.ones_like(cloud), cloud)
    folder = tmp_path / "pictures"
    with mapping.open_scene(path) as scene:
        listed = map_view.write_pictures(scene, found, folder)
    return {one["title"]: np.asarray(Image.open(folder / one["file"])) for one in listed}


def test_a_wide_scene_is_thinned_out(layers: dict[str, np.ndarray]) -> None:
    assert list(layers) == ["True colour", "False colour", "Probability", "Not observed"]
    for picture in layers.values():
        assert picture.shape[:2] == (HEIGHT // 2, WIDTH // 2)
    row = layers["True colour"][10, :, 0].astype(int)
    assert row[0] == 0 and row[-1] > 250 and (np.diff(row) >= 0).all()
    # What is observed, the right half, is what the colours are stretched by.
    assert row[WIDTH // 4] < 20
