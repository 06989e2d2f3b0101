"""The examples of docs/api.md and of the tab Zoo run as they are written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from app_server import ROOT, Server

TEXT = (ROOT / "docs" / "api.md").read_text()
ADDRESS = "http://127.0.0.1:7860"


def blocks(language: str) -> list[str]:
    """The document's code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def folder(patches: Path, tmp_path: Path) -> Path:
    """A folder with the files that the examples name."""
    for name in ("image_1.h5", "mask_1.h5"):
        shutil.copy(patches / name, tmp_path)
    return tmp_path


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code: str, server: Server, folder: Path) -> None:
    assert run([sys.executable, "-c", code.replace(ADDRESS, server.url)], folder).strip()


@pytest.mark.parametrize("code", blocks("bash"))
def test_curl_examples_run(code: str, server: Server, folder: Path) -> None:
    answer = run(["bash", "-c", code.replace(ADDRESS, server.url)], folder)
    figures, files = json.loads(answer.strip().rpartition("data: ")[2])
    assert figures["patch"] == "image_1"
    assert len(files) == 4 and all(file["url"].startswith(server.url) for file in files)


def test_the_settings_for_agents_are_json() -> None:
    [code] = blocks("json")
    assert json.loads(code)["mcpServers"]["landslide-zoo"]["url"].endswith("/gradio_api/mcp/")


def test_every_endpoint_and_setting_is_described() -> None:
    for name in ("/models", "/detect", "/compare", "/bands"):
        assert f"| `{name}` |" in TEXT
    deploy = (ROOT / "docs" / "deploy.md").read_text()
    settings = (ROOT / "landslide_zoo" / "web" / "settings.py").read_text()
    for variable in set(re.findall(r"LANDSLIDE_ZOO_\w+", settings)):
        assert f"| `{variable}` |" in deploy
