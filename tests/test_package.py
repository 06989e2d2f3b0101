"""The package's face: public names, which need nothing heavy until they are used."""

from __future__ import annotations

import pytest
from command_line import imported_by

import landslide_zoo


def test_dir_shows_the_public_names() -> None:
    names = dir(landslide_zoo)
    assert {"LandslideModel", "ModelZoo", "read_patch", "__version__"} <= set(names)
    assert names == sorted(landslide_zoo.__all__)
    assert all(getattr(landslide_zoo, name) for name in names)
    with pytest.raises(AttributeError, match="no attribute 'Landslide'"):
        _ = landslide_zoo.Landslide


@pytest.mark.parametrize("package", ["landslide_zoo", "landslide_zoo.zoo"])
def test_importing_it_imports_nothing_heavy(package: str) -> None:
    heavy = {"torch", "gradio", "matplotlib", "onnxruntime"}
    assert not heavy & imported_by(f"import {package}")
