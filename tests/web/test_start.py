"""The page comes before the models: nothing that only they need is loaded for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "torchvision", "timm", "openvino", "matplotlib", "scipy.ndimage", "rasterio")


def test_the_page_needs_nothing_heavy() -> None:
    code = (
        "import sys; from landslide_zoo.web.app import build_app; app = build_app(); "
        f"print([name for name in {HEAVY} if name in sys.modules]); app.folder.delete()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_gradio_writes_no_type_stubs_and_its_components_are_whole() -> None:
    code = (
        "import pathlib, landslide_zoo.web; read = pathlib.Path.read_text; seen = []\n"
        "def noted(path, *a, **k): seen.append(path.name); return read(path, *a, **k)\n"
        "pathlib.Path.read_text = noted\n"
        "import gradio as gr\n"
        "with gr.Blocks(): gr.Button().click(lambda: 1, None, gr.Number())\n"
        "print('button.py' in seen or 'button.pyi' in seen)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "False"
