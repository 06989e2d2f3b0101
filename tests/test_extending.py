"""What a contributor does: a network is one decorated function of a package of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import MAIN
from patch_files import write_patch

PACKAGE = """
from torch import nn

from landslide_zoo.models.catalog import CatalogEntry
from landslide_zoo.models.networks import register


@register("one-by-one", CatalogEntry("one-by-one", "one-by-one", "One convolution. It is small."))
def build(encoder, channels):
    return nn.Conv2d(channels, 1, 1)
"""
SAVE = (
    "from landslide_zoo import LandslideModel; "
    "LandslideModel.from_catalog('one-by-one-rgb').save_pretrained('zoo/mine')"
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a package, as pip would install it."""
    (tmp_path / "their_networks.py").write_text(PACKAGE)
    about = tmp_path / "their_networks-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-networks\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[landslide_zoo.networks]\ntheirs = their_networks\n")
    return tmp_path


def test_another_package_registers_a_network(installed: Path) -> None:
    path = os.pathsep.join([str(installed), os.environ["PYTHONPATH"]])
    environment = os.environ | {"PYTHONPATH": path, "LANDSLIDE_ZOO": "zoo"}

    def run(*arguments: str) -> str:
        return subprocess.run(
            arguments, cwd=installed, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    run(sys.executable, "-c", SAVE)
    listed = {entry["name"]: entry for entry in json.loads(run(*MAIN, "models", "--json"))}
    assert listed["mine"]["summary"] == "One convolution. It is small."
    write_patch(installed / "image_1.h5", 40, 48)
    answer = run(*MAIN, "predict", "image_1.h5", "--model", "mine", "--output", "out")
    assert "1 of 1 patches written" in answer
    assert np.load(installed / "out" / "image_1.npy").shape == (40, 48)
