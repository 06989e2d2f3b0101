"""What the documentation tells a reader to type is run, or at least understood, as it stands.

Python is executed. So is each ``landslide-zoo`` command, in a folder that holds
the files which the documents name, with the loopback Hub in place of the
real one. What trains or serves is read by the program's own parser; of other
programs, what they are given is looked for. The examples of docs/api.md need a
running app: tests/web/test_docs.py runs them.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from accelerate.commands.launch import launch_command_parser
from loopback_hub import LoopbackHub
from snippets import ROOT, blocks, commands

from landslide_zoo import __version__, cli, read_mask
from landslide_zoo.data.hdf5 import write_mask_h5
from landslide_zoo.models import catalog, networks
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.training.config import parse_arguments
from landslide_zoo.web.samples import PUTHUMALA, samples

DOCUMENTS = [
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("experiments/*.md"))
    if path != ROOT / "docs" / "api.md"
]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
BUNDLED = "unet-mobilenet_v2-rgb"

# Ways of setting up and looking around, which no test should take.
SETTING_UP = {"cd", "docker", "export", "git", "hf", "pre-commit", "ray", "tensorboard"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: LoopbackHub) -> Path:
    """The folder that the documents speak of: patches, a labelled dataset, trained models."""
    patch, *others = (sample.path for sample in samples())
    shutil.copy(patch, tmp_path / "image_1.h5")
    write_mask_h5(tmp_path / "mask_1.h5", read_mask(patch))
    shutil.copy(PUTHUMALA.path, tmp_path / "scene.tif")
    shutil.copy(PUTHUMALA.dem, tmp_path / "dem.tif")
    for name in ("folder_of_patches", "NEGATIVES"):
        shutil.copytree(patch.parent, tmp_path / name, ignore=shutil.ignore_patterns("[!i]*"))
    for subset in ("validation", "test"):
        for number, file in enumerate((patch, *others)):
            images, masks = (tmp_path / "DATASET" / part for part in ("images", "annotations"))
            (images / subset).mkdir(parents=True, exist_ok=True)
            (masks / subset).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, images / subset / f"image_{number}.h5")
            write_mask_h5(masks / subset / f"mask_{number}.h5", read_mask(file))
    for name in ("unet", "unet-resnet34"):
        model = tmp_path / "runs" / name / "model"
        shutil.copytree(bundled_folders()[BUNDLED], model)
        config = parse_arguments(["--model", name, "--data", "DATASET"])
        (model / "train_config.json").write_text(config.to_json())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return tmp_path


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if blocks(path)], ids=lambda path: path.name
)
def test_document(
    document: Path, folder: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a document registers is there for this document alone.
    monkeypatch.setattr(catalog, "_BY_NAME", dict(catalog._BY_NAME))
    monkeypatch.setattr(networks, "_BUILDERS", dict(networks._BUILDERS))
    names: dict[str, object] = {"__name__": document.stem}
    for language, block in blocks(document):
        code = block.replace("someone/", f"{hub.namespace}/")  # who may write to this Hub
        if language == "python":
            exec(compile(code, str(document), "exec"), names)
        elif language == "bash":
            for words in commands(code):
                with monkeypatch.context() as changed:
                    run(words, changed)


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command, or understand it."""
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        variable, *words = words
        monkeypatch.setenv(*variable.split("=", 1))
    program, arguments = Path(words[0]).name, words[1:]
    if program not in SETTING_UP:
        PROGRAMS[program](arguments, monkeypatch)


def landslide_zoo(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if arguments[0] == "app" or "ray" in arguments:
        command = typer.main.get_command(cli.cli).commands[arguments[0]]  # type: ignore[attr-defined]
        command.make_context(arguments[0], arguments[1:])
        return
    monkeypatch.setattr(sys, "argv", ["landslide-zoo", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code, arguments


def accelerate(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert arguments[0] == "launch"
    given = launch_command_parser().parse_args(arguments[1:])
    assert given.config_file is None or (ROOT / given.config_file).is_file()
    assert given.training_script == "train_accelerate.py"
    options = given.training_script_args
    if "..." in options:  # whatever the reader wants to train
        options = [word for word in options if word != "..."]
        options += ["--model", "unet", "--data", "DATASET"]
    parse_arguments(options)


def python(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The script to start is there."""
    assert (ROOT / arguments[0]).is_file()


def pip(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The files to install exist, and so do the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in arguments[1:]:
        if word.endswith(".txt"):
            assert (ROOT / word).is_file()
        for extra in re.findall(r"\[(.*)\]", word):
            assert set(extra.split(",")) <= set(project["optional-dependencies"])


def make(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True)


PROGRAMS = {
    "accelerate": accelerate,
    "landslide-zoo": landslide_zoo,
    "make": make,
    "pip": pip,
    "python": python,
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == __version__
    assert citation["authors"]


def test_docstring_examples(folder: Path) -> None:
    failed = []
    for path in sorted((ROOT / "landslide_zoo").rglob("*.py")):
        if ">>> " in path.read_text():
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            tried = doctest.testmod(importlib.import_module(module.removesuffix(".__init__")))
            failed += [module] * tried.failed
    assert failed == []


def test_notebook(folder: Path) -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(None):
        for cell in cells:
            exec("".join(cell["source"]), names)
