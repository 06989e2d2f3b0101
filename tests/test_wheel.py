"""A built wheel in a fresh environment, outside the checkout: it predicts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from patch_files import write_patch

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = "unet-mobilenet_v2-rgb"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a new environment that holds the wheel and nothing of the checkout.

    The packages it needs are those of this environment, put on its path: what
    is tried is the wheel, not the package index.
    """
    home = tmp_path_factory.mktemp("wheel")
    source = home / "source"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "runs", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", home]
    subprocess.run([*build, source], check=True, capture_output=True)
    venv.create(home / "venv", with_pip=True)
    commands = home / "venv" / "bin"
    (wheel,) = home.glob("*.whl")
    install = [commands / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (home / "venv" / "lib").glob("python*/site-packages")
    (site / "needs.pth").write_text(sysconfig.get_path("purelib"))
    return commands


def run(commands: Path, folder: Path, env: dict[str, str], *arguments: object) -> str:
    done = subprocess.run(
        [commands / "landslide-zoo", *map(str, arguments)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_predicts_with_the_bundled_model(installed: Path, tmp_path: Path) -> None:
    where = [installed / "python", "-c", "import landslide_zoo; print(landslide_zoo.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert installed.parent in Path(found.strip()).parents

    write_patch(tmp_path / "image_7.h5", 64, 64)
    run(installed, tmp_path, dict(os.environ), "predict", "image_7.h5", "--output", "out")
    assert np.load(tmp_path / "out" / "image_7.npy").shape == (64, 64)


def test_the_wheel_holds_every_file_of_the_package(installed: Path) -> None:
    package = ROOT / "landslide_zoo"
    (theirs,) = (installed.parent / "lib").glob("python*/site-packages/landslide_zoo")

    def names(folder: Path) -> set[str]:
        return {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    assert names(theirs) == names(package)
