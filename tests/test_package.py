"""The package's face: public names, which need nothing heavy until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import landslide_zoo


def test_dir_shows_the_public_names() -> None:
    names = dir(landslide_zoo)
    assert {"LandslideModel", "ModelZoo", "read_patch", "__version__"} <= set(names)
    assert names == sorted(landslide_zoo.__all__)
    assert all(getattr(landslide_zoo, name) for name in names)
    with pytest.raises(AttributeError, match="no attribute 'Landslide'"):
        _ = landslide_zoo.Landslide


APP = "from landslide_zoo.web.app import *; build_app(Service(ModelZoo(timeout=0), Settings()))"
HEAVY = {
    "import landslide_zoo": "torch gradio matplotlib onnxruntime",
    "import landslide_zoo.zoo": "torch gradio matplotlib onnxruntime",
    "import landslide_zoo.cli": "torch gradio matplotlib h5py huggingface_hub numpy",
    "import landslide_zoo.inference": "torch openvino onnxruntime ukis_csmask skimage sklearn",
    "from landslide_zoo import ModelZoo; ModelZoo().entries()": "torch",
    APP: "torch torchvision timm openvino matplotlib scipy.ndimage rasterio",
}


@pytest.mark.parametrize("code", HEAVY)
def test_nothing_heavy_is_imported_before_it_is_used(code: str) -> None:
    listed = f"{code}; import sys; print(*[name for name, one in sys.modules.items() if one])"
    command = [sys.executable, "-c", listed]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {*HEAVY[code].split()} & {*done.stdout.split()}
