"""The page comes before the models: nothing that only they need is loaded for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "torchvision", "timm", "openvino", "matplotlib", "scipy.ndimage", "rasterio")


def test_the_page_needs_nothing_heavy_and_gradio_writes_no_type_stubs() -> None:
    code = (
        "import pathlib, sys, landslide_zoo.web; read = pathlib.Path.read_text; seen = []\n"
        "def noted(path, *a, **k): seen.append(path.suffix); return read(path, *a, **k)\n"
        "pathlib.Path.read_text = noted\n"
        "from landslide_zoo.web.app import build_app; build_app().folder.delete()\n"
        f"print([name for name in {HEAVY} if name in sys.modules], '.pyi' in seen)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[] False"
