"""The zoo over the bundled models, folders and the loopback Hub."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub
from trained_model import NAME

from landslide_zoo import LandslideModel, ModelZoo
from landslide_zoo.errors import ModelError
from landslide_zoo.inference import load_predictor
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.zoo import entry_file, publish_model


def test_unset_the_zoo_is_the_bundled_models_and_asks_nobody(hub: LoopbackHub) -> None:
    zoo = ModelZoo()
    assert zoo.names() == list(bundled_folders())
    assert zoo.default == zoo.names()[0]
    assert zoo.status() == [] and not zoo.pending and hub.requests == []


def test_the_environment_names_further_sources(
    hub: LoopbackHub, repo_id: str, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shutil.copytree(model_folder, model_folder.parents[1] / "folders" / "mine")
    monkeypatch.setenv("LANDSLIDE_ZOO", f"{mine.parent}, {hub.namespace}")
    assert {*bundled_folders(), "mine", NAME} == set(ModelZoo().names())
    for name in ("mine", NAME):  # whoever asks, without a list
        assert load_predictor(name, "torch", "cpu").config.threshold == 0.4
    with pytest.raises(ModelError, match="no folder"):
        ModelZoo("some/missing/folder")
    with pytest.raises(ModelError, match="holds no model"):
        _ = ModelZoo(hub.namespace + "-empty").default


def test_a_namespace_is_listed_at_its_commits_without_weights(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    publish_model(model_folder, f"{hub.namespace}/secret", token=hub.token, private=True)
    hub.requests.clear()
    zoo = ModelZoo(hub.namespace)
    assert hub.requests == []
    entry, local = zoo.entry(NAME), ModelZoo(model_folder.parent).entry(NAME)
    assert zoo.names() == [NAME] and hub.requests.count("GET /api/models") == 1
    assert (entry.config, entry.record, entry.size) == (local.config, local.record, local.size)
    assert (entry.f1, entry.protocol, entry.licence) == (0.6, "folder, test", "apache-2.0")
    assert not [request for request in hub.requests if "safetensors" in request]
    model = LandslideModel.from_pretrained(model_folder, device="cpu").update_config(threshold=0.7)
    model.push_to_hub(repo_id, token=hub.token)
    assert zoo.load(NAME).config.threshold == 0.4  # what was listed is what is loaded
    assert ModelZoo(hub.namespace).load(NAME).config.threshold == 0.7
    assert ModelZoo(hub.namespace, token=hub.read_token).names() == ["secret", NAME]


def test_what_cannot_be_loaded_is_not_listed(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    for name, card in (("no-model", "library_name: landslide-zoo"), ("of-others", "tags: [x]")):
        other, content = f"{hub.namespace}/{name}", f"---\n{card}\n---\n".encode()
        hub.api().create_repo(other)
        hub.api().upload_file(path_or_fileobj=content, path_in_repo="README.md", repo_id=other)
    huge = shutil.copytree(model_folder, model_folder.with_name("huge"))
    (huge / "record.json").write_bytes(b" " * 30_000_000)
    (weightless := model_folder.with_name("weightless")).mkdir()
    shutil.copy(model_folder / "config.json", weightless)
    for source, faulty in ((hub.namespace, 1), (model_folder.parent, 2)):
        listed = ModelZoo(source)
        assert listed.names() == [NAME]
        assert len(listed.status()) == faulty
        assert all("\n" not in fault and len(fault) < 600 for fault in listed.status())


def test_the_first_source_keeps_a_name_and_repos_are_loaded_by_their_id(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    model = LandslideModel.from_pretrained(model_folder, device="cpu").update_config(threshold=0.9)
    model.save_pretrained(model_folder)
    zoo = ModelZoo(f"{model_folder.parent},{hub.namespace}")
    assert zoo.names() == [NAME, repo_id]
    assert zoo.load(NAME).config.threshold == 0.9
    assert zoo.load(repo_id).config.threshold == 0.4
    alone = ModelZoo(model_folder)
    assert alone.load(repo_id).config.threshold == 0.4  # not listed
    for name in ("unet", "../secret", "x" * 10_000 + "\n"):
        with pytest.raises(ModelError) as refused:
            alone.load(name)
        assert len(str(refused.value)) < 200 and "\n" not in str(refused.value)


def test_a_hub_that_does_not_answer_keeps_nobody_waiting(
    hub: LoopbackHub, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDSLIDE_ZOO", hub.namespace)
    zoo = ModelZoo(timeout=0)
    with hub.hung():
        assert zoo.names() == list(bundled_folders()) and zoo.pending
        assert zoo.load(zoo.default).config.name == zoo.default
        [sentence] = zoo.status()
        assert hub.namespace in sentence
        with pytest.raises(ModelError, match=hub.namespace):
            zoo.load(NAME)
    end = time.monotonic() + 120
    while zoo.pending and time.monotonic() < end:
        time.sleep(0.1)
    assert NAME in zoo.names()  # it answers now


def test_offline_the_zoo_is_what_the_cache_holds(hub: LoopbackHub, repo_id: str) -> None:
    ModelZoo(hub.namespace, timeout=60).load(NAME)
    hub.requests.clear()
    code = (
        "from landslide_zoo import ModelZoo\nzoo = ModelZoo(timeout=60)\n"
        f"print(zoo.entry({NAME!r}).f1, zoo.load({NAME!r}).config.threshold, zoo.status())"
    )
    env = hub.env(HF_HUB_OFFLINE="1", LANDSLIDE_ZOO=hub.namespace)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("0.6 0.4 ") and hub.namespace in done.stdout, done.stderr
    assert hub.requests == []


def test_a_file_of_an_entry_is_bounded_in_size(hub: LoopbackHub, repo_id: str) -> None:
    entry = ModelZoo(hub.namespace).entry(NAME)
    card = entry_file(entry, "README.md", 100_000)
    assert card is not None and "landslide-zoo" in card.read_text(encoding="utf-8")
    assert entry_file(entry, "examples.png", 3) is None
    assert entry_file(entry, "no.png", 100) is None
