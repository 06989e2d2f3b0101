"""What a contributor does: a network is one entry, a file format one file and its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import MAIN

import landslide_zoo

READER = '''
"""Patches that NumPy wrote: (14, H, W), physical values."""

from pathlib import Path

import numpy as np

from landslide_zoo.data.patch import Patch

SUFFIXES = (".npy",)


def recognises(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) == b"\\x93NUMPY"


def read_patch(path: Path) -> Patch:
    return Patch(np.load(path).astype(np.float32), name=path.stem)


def read_mask(path: Path) -> np.ndarray:
    return (np.load(path) > 0).astype(np.uint8)
'''

ENTRY = """
[unet-resnet18]
architecture = "unet"
encoder = "resnet18"
description = "U-Net with a ResNet-18 encoder. The smallest of the residual ones."
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package that a test may change."""
    package = Path(landslide_zoo.__file__).parent
    ignored = shutil.ignore_patterns("bundled", "__pycache__")
    shutil.copytree(package, tmp_path / "landslide_zoo", ignore=ignored)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def run(checkout: Path, *arguments: object) -> str:
    """Run the copy's command."""
    done = subprocess.run(
        [*MAIN, *map(str, arguments)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "LANDSLIDE_ZOO": str(checkout / "zoo")},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_network_is_one_entry_and_a_file_format_one_file_and_its_name(checkout: Path) -> None:
    package = checkout / "landslide_zoo"
    with (package / "models" / "catalog.toml").open("a") as catalog:
        catalog.write(ENTRY)
    (package / "data" / "readers" / "numpy_array.py").write_text(READER.lstrip())
    readers = package / "data" / "readers" / "__init__.py"
    change(readers, "import hdf5, png\n", "import hdf5, numpy_array, png\n")
    change(readers, " = (hdf5, png)\n", " = (hdf5, png, numpy_array)\n")
    save = (
        "from landslide_zoo import LandslideModel; "
        "LandslideModel.from_catalog('unet-resnet18-rgb').save_pretrained('zoo/mine')"
    )
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run([sys.executable, "-c", save], cwd=checkout, env=environment, check=True)

    (listed,) = json.loads(run(checkout, "models", "--json"))
    assert listed["summary"] == "U-Net with a ResNet-18 encoder. The smallest of the residual ones."
    values = np.random.default_rng(0).integers(100, 3000, (14, 40, 48))
    (checkout / "patches").mkdir()
    np.save(checkout / "patches" / "scene.npy", values)
    told = run(checkout, "predict", "patches", "--model", "mine", "--output", "out")
    assert "1 of 1 patches written" in told
    assert np.load(checkout / "out" / "scene.npy").shape == (40, 48)
