"""The examples of docs/api.md run as they are written, and every setting is described."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from app_server import Server
from snippets import ROOT, blocks

from landslide_zoo import read_mask
from landslide_zoo.data.hdf5 import write_mask_h5
from landslide_zoo.settings import Settings
from landslide_zoo.web.samples import PUTHUMALA, samples

API, DEPLOY = ROOT / "docs" / "api.md", ROOT / "docs" / "deploy.md"
ADDRESS = "http://127.0.0.1:7860"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the examples name."""
    patch = samples()[0].path
    shutil.copy(patch, tmp_path / "image_1.h5")
    write_mask_h5(tmp_path / "mask_1.h5", read_mask(patch))
    for path in (PUTHUMALA.path, PUTHUMALA.dem):
        shutil.copy(path, tmp_path)
    return tmp_path


def examples(language: str) -> list[str]:
    return [code for kind, code in blocks(API) if kind == language]


@pytest.mark.parametrize("code", examples("python"))
def test_python_examples_run(
    code: str,
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    exec(compile(code.replace(ADDRESS, server.url), str(API), "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("code", examples("bash"))
def test_curl_examples_run(code: str, server: Server, folder: Path) -> None:
    command = ["bash", "-c", code.replace(ADDRESS, server.url)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    figures, files = json.loads(done.stdout.strip().rpartition("data: ")[2])
    assert figures["patch"] == "image_1"
    assert files and all(file["url"].startswith(server.url) for file in files)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_described(field: str) -> None:
    name = "LANDSLIDE_ZOO" if field == "zoo" else f"LANDSLIDE_ZOO_{field.upper()}"
    assert f"| `{name}` |" in DEPLOY.read_text()
