"""The public API, over gradio_client, plain HTTP and MCP."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import httpx
import numpy as np
import pytest
from app_server import Server
from gradio_client import Client, handle_file
from PIL import Image

from landslide_zoo import read_patch
from landslide_zoo.data.bands import BAND_NAMES


def test_public_names_are_exactly_ours(client: Client, server: Server) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert described["unnamed_endpoints"] == {}
    paths = httpx.get(f"{server.url}/gradio_api/openapi.json").json()["paths"]
    calls = [re.search(r"/call/(?:v2/)?(\w+)", path) for path in paths]
    assert {f"/{call[1]}" for call in calls if call} == set(described["named_endpoints"])

    parameters = {
        name: [one["parameter_name"] for one in endpoint["parameters"]]
        for name, endpoint in described["named_endpoints"].items()
    }
    assert parameters == {
        "/models": [],
        "/detect": ["patch", "model", "threshold", "mask", "clouds", "rules_off"],
        "/compare": ["patch", "models", "mask", "clouds", "rules_off"],
        "/bands": ["patch", "mask"],
        "/map_scene": [
            *("scene", "dem", "model", "threshold", "minimum_area", "clouds", "rules_off"),
            *("before", "aoi"),
        ],
    }


def test_detect(client: Client, patches: Path) -> None:
    figures, files = client.predict(
        patch=handle_file(patches / "image_1.h5"),
        model="trial-rgb",
        threshold=0.55,
        mask=handle_file(patches / "mask_1.h5"),
        api_name="/detect",
    )
    assert [Path(file).name for file in files] == [
        "image_1.npy",
        "mask_1.h5",
        "image_1_overlay.png",
        "image_1_objects.csv",
    ]
    probability = np.load(files[0])
    with h5py.File(files[1]) as file:
        mask = file["mask"][()]
    np.testing.assert_array_equal(mask, probability >= np.float32(0.55))
    Image.open(files[2]).verify()
    assert figures["area_hectares"] == pytest.approx(mask.sum() / 100)
    assert figures["share"] == pytest.approx(mask.mean(), abs=1e-6)
    truth = read_patch(patches / "image_1.h5", patches / "mask_1.h5").mask
    assert figures["scores"]["true_positives"] == int((mask & truth).sum())
    assert figures["model"] == "trial-rgb" and figures["threshold"] == 0.55


def test_compare_goes_on_where_a_model_fails(client: Client, patches: Path) -> None:
    figures, files = client.predict(
        patch=handle_file(patches / "image_1.h5"),
        models=["trial-rgb", "unreadable", "trial-14"],
        api_name="/compare",
    )
    one, failed, two = figures["models"]
    assert failed["model"] == "unreadable" and "copy or download" in failed["error"]
    assert one["area_hectares"] >= 0 and two["area_hectares"] >= 0
    assert figures["together"]["members"] == 2
    names = [Path(file).name for file in files]
    assert "figures.csv" in names and "image_1_disagreement.png" in names


def test_bands(client: Client, patches: Path) -> None:
    figures, files = client.predict(
        patch=handle_file(patches / "image_1.h5"),
        mask=handle_file(patches / "mask_1.h5"),
        api_name="/bands",
    )
    patch = read_patch(patches / "image_1.h5", patches / "mask_1.h5")
    assert [band["name"] for band in figures["bands"]] == list(BAND_NAMES)
    for band, values in zip(figures["bands"], patch.values, strict=True):
        assert (band["min"], band["max"]) == (values.min(), values.max())
        assert band["landslide_mean"] == pytest.approx(values[patch.mask > 0].mean(), rel=1e-4)
    assert [Path(file).name for file in files] == [
        "image_1_true_colour.png",
        "image_1_false_colour.png",
        "image_1_ndvi.png",
        "image_1_hillshade.png",
        "image_1_bands.csv",
    ]
