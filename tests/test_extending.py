"""What a contributor does: a network is one decorated function of a package of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patch_files import write_patch

from landslide_zoo import LandslideModel
from landslide_zoo.models import catalog, networks

PACKAGE = """
from torch import nn

from landslide_zoo.models.catalog import CatalogEntry
from landslide_zoo.models.networks import register


@register("one-by-one", CatalogEntry("one-by-one", "one-by-one", "One convolution. It is small."))
def build(encoder, channels):
    return nn.Conv2d(channels, 1, 1)
"""
FRESH = """
from landslide_zoo import ModelZoo

zoo = ModelZoo()
print(zoo.load("mine").predict("image_1.h5").mask.shape, zoo.entry("mine").summary)
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a package, as pip would install it."""
    (tmp_path / "their_networks.py").write_text(PACKAGE)
    about = tmp_path / "their_networks-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-networks\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[landslide_zoo.networks]\ntheirs = their_networks\n")
    return tmp_path


def test_another_package_registers_a_network(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_BY_NAME", dict(catalog._BY_NAME))
    monkeypatch.setattr(networks, "_BUILDERS", dict(networks._BUILDERS))
    exec(PACKAGE, {})
    LandslideModel.from_catalog("one-by-one-rgb").save_pretrained(installed / "zoo" / "mine")
    write_patch(installed / "image_1.h5", 40, 48)
    path = os.pathsep.join([str(installed), os.environ["PYTHONPATH"]])
    done = subprocess.run(  # a process that has not heard of it yet
        [sys.executable, "-c", FRESH],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": path, "LANDSLIDE_ZOO": "zoo"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "(40, 48) One convolution. It is small.\n", done.stderr
