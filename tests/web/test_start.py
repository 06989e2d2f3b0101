"""The page comes before the models: nothing that only they need is loaded for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "torchvision", "timm", "openvino", "matplotlib", "scipy.ndimage", "rasterio")


def test_the_page_needs_nothing_heavy() -> None:
    code = (
        "import sys; from landslide_zoo.web.app import *\n"
        "build_app(Service(ModelZoo(timeout=0), Settings()))\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
