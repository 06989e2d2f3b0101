"""A built wheel, unpacked outside the checkout: it predicts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from command_line import MAIN
from patch_files import write_patch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds, as pip would unpack it."""
    home = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "runs", "__pycache__")
    source = shutil.copytree(ROOT, home / "source", ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", home]
    subprocess.run([*build, source], check=True, capture_output=True)
    (wheel,) = home.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "site")
    return home / "site"


def test_the_wheel_predicts_with_the_bundled_model(unpacked: Path, tmp_path: Path) -> None:
    write_patch(tmp_path / "image_7.h5", 64, 64)
    environment = os.environ | {"PYTHONPATH": f"{unpacked}{os.pathsep}{os.environ['PYTHONPATH']}"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(sys.executable, "-c", "import landslide_zoo; print(landslide_zoo.__file__)")
    assert unpacked in Path(where.strip()).parents
    run(*MAIN, "predict", "image_7.h5", "--output", "out")
    assert np.load(tmp_path / "out" / "image_7.npy").shape == (64, 64)
    (scripts,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "landslide-zoo = landslide_zoo.cli:main" in scripts.read_text()


def test_the_wheel_holds_every_file_of_the_package(unpacked: Path) -> None:
    def names(folder: Path) -> set[str]:
        return {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    assert names(unpacked / "landslide_zoo") == names(ROOT / "landslide_zoo")
