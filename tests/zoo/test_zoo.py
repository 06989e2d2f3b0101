"""The zoo over the bundled models, folders and the loopback Hub."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from command_line import imported_by
from loopback_hub import LoopbackHub, Refuse, Trickle
from trained_model import NAME

from landslide_zoo import LandslideModel, ModelZoo
from landslide_zoo.errors import HubError, ModelError
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.zoo import publish_model
from landslide_zoo.zoo.zoo import entry_file


def listings(hub: LoopbackHub) -> int:
    """How often the Hub was asked for a list of models."""
    return hub.requests.count("GET /api/models")


def test_unset_the_zoo_is_the_bundled_models_and_asks_nobody(hub: LoopbackHub) -> None:
    zoo = ModelZoo()
    assert zoo.names() == list(bundled_folders())
    assert zoo.default == zoo.names()[0]
    assert zoo.status() == [] and hub.requests == []


def test_an_empty_zoo_has_no_default(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model: set LANDSLIDE_ZOO"):
        _ = ModelZoo(tmp_path).default


def test_the_environment_names_further_sources(
    hub: LoopbackHub, repo_id: str, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model_folder, model_folder.with_name("mine"))
    monkeypatch.setenv("LANDSLIDE_ZOO", f"{model_folder.parent}, {hub.namespace}")
    entries = ModelZoo().entries()
    assert {entry.source for entry in entries} >= {str(model_folder.parent), hub.namespace}
    assert {*bundled_folders(), "mine"} <= {entry.name for entry in entries}


def test_the_hub_is_asked_once_and_only_when_needed(hub: LoopbackHub, repo_id: str) -> None:
    zoo = ModelZoo(hub.namespace)
    assert hub.requests == []
    assert zoo.names() == zoo.names() == [NAME]
    zoo.load(NAME, device="cpu")
    assert listings(hub) == 1


def test_an_entry_tells_a_model_without_its_weights(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    entry = ModelZoo(hub.namespace).entry(NAME)
    assert entry.bands == ("B4", "B3", "B2") and entry.unit == "display"
    assert (entry.f1, entry.protocol) == (0.6, "folder, test")
    assert entry.size == (model_folder / "model.safetensors").stat().st_size
    assert entry.threshold == 0.4 and entry.licence == "apache-2.0"
    assert "MobileNet" in entry.summary
    assert entry.revision == hub.api().model_info(repo_id).sha
    assert not [asked for asked in hub.requests if "safetensors" in asked]
    local = ModelZoo(model_folder.parent).entry(NAME)
    assert (local.size, local.record, local.licence) == (entry.size, entry.record, "apache-2.0")
    assert local.folder == model_folder and local.revision is None


def test_a_revision_is_pinned(hub: LoopbackHub, repo_id: str, model_folder: Path) -> None:
    zoo = ModelZoo(hub.namespace)
    assert zoo.entry(NAME).threshold == 0.4
    model = LandslideModel.from_pretrained(model_folder).update_config(threshold=0.7)
    model.push_to_hub(repo_id, token=hub.token)
    # What was listed is what is loaded, until the zoo is refreshed.
    assert zoo.load(NAME, device="cpu").config.threshold == 0.4
    newer = ModelZoo(hub.namespace)
    assert newer.load(NAME, device="cpu").config.threshold == 0.7
    assert newer.load(NAME, revision="v1.0", device="cpu").config.threshold == 0.4
    with pytest.raises(HubError, match="no such revision"):
        newer.load(NAME, revision="v9", device="cpu")
    with pytest.raises(ModelError, match="no revisions"):
        ModelZoo(model_folder.parent).load(NAME, revision="v1.0")


def test_private_models_are_listed_with_a_token(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    publish_model(model_folder, f"{hub.namespace}/secret", token=hub.token, private=True)
    assert ModelZoo(hub.namespace).names() == [NAME]
    assert ModelZoo(hub.namespace, token=hub.stranger_token).names() == [NAME]
    zoo = ModelZoo(hub.namespace, token=hub.read_token)
    assert zoo.names() == ["secret", NAME]
    assert zoo.load("secret", device="cpu").config.threshold == 0.4


def test_a_gated_model_says_how_to_get_it(hub: LoopbackHub, repo_id: str) -> None:
    hub.repos["models", repo_id].gated = "auto"
    with pytest.raises(HubError, match="is gated: ask its owner for access"):
        LandslideModel.from_pretrained(repo_id, token=hub.stranger_token)
    (fault,) = ModelZoo(hub.namespace, token=hub.stranger_token).status()
    assert "is gated" in fault


def test_what_cannot_be_loaded_is_not_listed(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    card = "---\nlibrary_name: landslide-zoo\n---\n"
    for name, path, content in (
        ("no-model", "README.md", card),
        ("bad-config", "README.md", card),
        ("bad-config", "config.json", '{"architecture": "perceptron"}'),
        ("bad-config", "model.safetensors", "x"),
        ("not-ours", "config.json", "{}"),
    ):
        other = f"{hub.namespace}/{name}"
        hub.api().create_repo(other, exist_ok=True)
        hub.api().upload_file(path_or_fileobj=content.encode(), path_in_repo=path, repo_id=other)
    zoo = ModelZoo(hub.namespace)
    assert zoo.names() == [NAME]
    faults = sorted(zoo.status())
    assert len(faults) == 2
    assert "no-model has no config.json" in " ".join(faults)
    assert "bad-config" in " ".join(faults)


def test_a_folder_lists_its_model_folders(model_folder: Path) -> None:
    zoo = model_folder.parent
    for name in ("broken", "empty", "weightless"):
        (zoo / name).mkdir()
    (zoo / "broken" / "config.json").write_text("not json")
    shutil.copy(model_folder / "config.json", zoo / "weightless")
    found = ModelZoo(zoo)
    assert found.names() == [NAME]
    assert len(found.status()) == 2
    assert ModelZoo(model_folder).names() == [NAME]
    shutil.copytree(model_folder, zoo / "later")
    assert found.names() == ["later", NAME]


def test_the_first_source_keeps_the_name(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    model = LandslideModel.from_pretrained(model_folder).update_config(threshold=0.9)
    model.save_pretrained(model_folder)
    zoo = ModelZoo(f"{model_folder.parent},{hub.namespace}")
    assert zoo.names() == [NAME, repo_id]
    assert zoo.load(NAME, device="cpu").config.threshold == 0.9
    assert zoo.load(repo_id, device="cpu").config.threshold == 0.4


def test_a_name_that_is_not_there(model_folder: Path) -> None:
    zoo = ModelZoo(model_folder)
    for name in ("unet", f"someone/{NAME}", str(model_folder), "../secret", "x" * 10_000 + "\n"):
        with pytest.raises(ModelError, match=f"it has {NAME}") as refused:
            zoo.load(name)
        assert len(str(refused.value)) < 200 and "\n" not in str(refused.value)


def test_sources_that_are_none(hub: LoopbackHub) -> None:
    for source in ("some/missing/folder", "not a name", "../x"):
        with pytest.raises(ModelError, match="no folder"):
            ModelZoo(source)
    zoo = ModelZoo(hub.namespace)
    assert zoo.names() == []
    assert zoo.status() == [f"The Hub has no models of this zoo under {hub.namespace}."]


def test_a_hub_that_does_not_answer_keeps_nobody_waiting(
    hub: LoopbackHub, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDSLIDE_ZOO", hub.namespace)
    zoo = ModelZoo(timeout=0.1)
    with hub.hung():
        assert zoo.names() == list(bundled_folders())
        assert zoo.load(zoo.names()[0], device="cpu").config.name == zoo.names()[0]
        with pytest.raises(ModelError, match="has not yet said which models"):
            zoo.load(NAME)
        (sentence,) = zoo.status()
        assert hub.namespace in sentence and sentence.endswith(".")
        assert listings(hub) == 1
    (asking,) = (one for one in threading.enumerate() if one.name == f"zoo of {hub.namespace}")
    asking.join(timeout=30)
    assert len(zoo.names()) == len(bundled_folders()) + 1 and zoo.status() == []


def test_a_hub_that_failed_is_asked_again(
    hub: LoopbackHub, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landslide_zoo.zoo.zoo.ASK_AGAIN_SECONDS", 0.1)
    hub.faults = {"^/api/models$": Refuse(500)}
    zoo = ModelZoo(hub.namespace)
    assert zoo.names() == []
    hub.faults = {}
    while not zoo.names():
        time.sleep(0.1)
    assert zoo.names() == [NAME] and zoo.status() == []


def test_a_dead_hub_leaves_what_was_loaded_before(hub: LoopbackHub, repo_id: str) -> None:
    assert ModelZoo(hub.namespace).load(NAME, device="cpu").config.threshold == 0.4
    hub.stop()
    zoo = ModelZoo(hub.namespace)
    (entry,) = zoo.entries()
    assert (entry.name, entry.f1, entry.repo_id) == (NAME, 0.6, repo_id)
    (sentence,) = zoo.status()
    assert "cannot be reached" in sentence and "\n" not in sentence
    assert zoo.load(NAME, device="cpu").config.threshold == 0.4


def test_offline_a_fresh_process_loads_from_the_cache(hub: LoopbackHub, repo_id: str) -> None:
    code = (
        "from landslide_zoo import ModelZoo; import sys; "
        f"zoo = ModelZoo(); model = zoo.load({NAME!r}, device='cpu'); "
        "print(zoo.names(), model.config.threshold)"
    )
    ModelZoo(hub.namespace).load(NAME, device="cpu")
    hub.requests.clear()
    env = hub.env(HF_HUB_OFFLINE="1", LANDSLIDE_ZOO=hub.namespace)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "0.4" in done.stdout and hub.requests == []


def test_listing_needs_no_torch() -> None:
    assert "torch" not in imported_by("from landslide_zoo import ModelZoo; ModelZoo().entries()")


@pytest.fixture
def hostile(model_folder: Path) -> Path:
    """A folder of models whose cards and records were made to do harm, beside a good one."""
    laughs = "a: &a [x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(f'*{chr(97 + n)}' for _ in range(9))}]\n"
        for n in range(12)
    )
    cards = {
        "laughs": f"---\n{laughs}license: [*m, *m]\n---\n",
        "merges": "---\na: &a {x: 1}\n" + "<<: [*a]\n" * 5000 + "license: mit\n---\n",
        "nested": "---\nlicense: " + "[" * 100_000 + "\n---\n",
        "script": "---\nlicense: <img src=x onerror=alert(1)>\n---\n",
        "long": f"---\nlicense: {'x' * 10_000}\n---\n",
        "binary": "---\nlicense: \x00\x01\n---\n",
        "plain": "---\nlicense: 'mit'\n---\n",
        "endless": "---\nlicense: mit\n" + "a: b\n" * 500_000,
    }
    for name, card in cards.items():
        folder = shutil.copytree(model_folder, model_folder.with_name(name))
        (folder / "README.md").write_text(card)
    records = {"deep": b"[" * 1_000_000, "huge": b" " * 30_000_000, "latin": b'{"model": "\xff"}'}
    for name, record in records.items():
        folder = shutil.copytree(model_folder, model_folder.with_name(name))
        (folder / "record.json").write_bytes(record)
    return model_folder.parent


def test_a_bad_card_or_record_is_the_fault_of_its_own_entry_alone(hostile: Path) -> None:
    start = time.monotonic()
    zoo = ModelZoo(hostile)
    licences = {entry.name: entry.licence for entry in zoo.entries()}
    assert time.monotonic() - start < 10
    assert licences == {
        **dict.fromkeys(("laughs", "nested", "script", "long", "binary", "endless")),
        "merges": "mit",
        "plain": "mit",
        NAME: "apache-2.0",
    }
    faults = zoo.status()
    assert len(faults) == 3 and all(len(fault) < 600 for fault in faults)
    for name in ("deep", "huge", "latin"):
        assert any(f"/{name}/record.json" in fault for fault in faults)


def test_a_folder_is_read_again_once_it_has_changed(model_folder: Path) -> None:
    zoo = ModelZoo(model_folder.parent)
    (before,) = zoo.entries()
    assert zoo.entries()[0].record is before.record  # nothing was read again
    LandslideModel.from_pretrained(model_folder).update_config(threshold=0.9).save_pretrained(
        model_folder
    )
    assert zoo.entry(NAME).threshold == 0.9


def test_a_file_of_an_entry_is_bounded_in_size_and_time(
    hub: LoopbackHub, repo_id: str, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in (hub.namespace, model_folder.parent):
        entry = ModelZoo(source).entry(NAME)
        card = entry_file(entry, "README.md", 100_000)
        assert card is not None and "landslide-zoo" in card.read_text(encoding="utf-8")
        assert entry_file(entry, "examples.png", 3) is None
        assert entry_file(entry, "no.png", 100) is None
    entry = ModelZoo(hub.namespace).entry(NAME)
    monkeypatch.setattr("landslide_zoo.zoo.client._FILE_SECONDS", 1)
    hub.faults = {r"resolve/.*\.png|^/lfs/": Trickle(600)}
    with pytest.raises(HubError, match=r"examples\.png of .* was not fetched within 1 s"):
        entry_file(entry, "examples.png", 100)
