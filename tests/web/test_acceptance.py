"""From training to the app, over a Hub: trained, published, pulled by name and served."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from app_server import ROOT, serving
from gradio_client import Client, handle_file
from loopback_hub import LoopbackHub
from synthetic_patches import write_dataset

from landslide_zoo import LandslideModel, read_mask
from landslide_zoo.inference.ensembles import join_predictions

NETWORKS = ("unet-mobilenet_v2", "deeplabv3plus-resnet50")


def test_what_is_trained_is_what_is_served(hub: LoopbackHub, tmp_path: Path) -> None:
    """Each step with a cache of its own: the masks are the same bit for bit."""
    counts = {"train": 2, "validation": 1, "test": 1}
    data = write_dataset(tmp_path / "patches", counts, size=32)
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--mixed_precision", "no"),
        *("--config_file", ROOT / "configs" / "cpu.yaml", ROOT / "train_accelerate.py"),
        *(word for network in NETWORKS for word in ("--model", network)),
        *("--bands", "rgb", "--data", data, "--encoder-weights", "none", "--tracker", "none"),
        *("--epochs", "1", "--batch-size", "2", "--push-to", hub.namespace),
    ]
    environment = hub.env(hub.token, HF_HOME=str(tmp_path / "training"), ACCELERATE_USE_CPU="1")
    subprocess.run(list(map(str, command)), cwd=tmp_path, env=environment, check=True, timeout=300)
    names = [f"{network}-rgb" for network in NETWORKS]
    patch = data / "images" / "test" / "image_1.h5"
    pulled = {
        name: LandslideModel.from_pretrained(
            f"{hub.namespace}/{name}", device="cpu", cache_dir=tmp_path / "python"
        ).predict(patch)
        for name in names
    }
    environment = {"LANDSLIDE_ZOO": hub.namespace, "HF_HOME": str(tmp_path / "serving")}
    with serving(tmp_path / "app", **environment) as server:
        options = {"download_files": tmp_path / "answers", "httpx_kwargs": {"timeout": 60}}
        client = Client(server.url, verbose=False, **options)
        served: list[str] = []
        end = time.monotonic() + 120
        while len(served) < len(names) and time.monotonic() < end:  # the Hub is yet to answer
            time.sleep(0.5)
            listed = client.predict(api_name="/models")
            served = [entry["name"] for entry in listed if entry["source"] == hub.namespace]

        def mask(endpoint: str, **arguments: object) -> np.ndarray:
            """The mask in the files that an endpoint answers."""
            _, files = client.predict(
                patch=handle_file(patch), **arguments, api_name=f"/{endpoint}"
            )
            [path] = [file for file in files if file.endswith(".h5")]
            return read_mask(path)

        # A bundled model keeps its name: the other one is listed with its namespace.
        predictions = [pulled[name.rpartition("/")[2]] for name in served]
        for name, prediction in zip(served, predictions, strict=True):
            assert np.array_equal(mask("detect", model=name), prediction.mask)
        together = join_predictions(predictions).mean
        assert np.array_equal(mask("compare", models=served), together.mask)
