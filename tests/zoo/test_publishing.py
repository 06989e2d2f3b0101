"""Publishing models and the Space to the loopback Hub."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.errors import RepositoryNotFoundError
from loopback_hub import LoopbackHub, Refuse

from landslide_zoo import LandslideModel
from landslide_zoo.errors import HubError, ModelError
from landslide_zoo.zoo import publish_model, publish_space

WEIGHTS = {"model.safetensors", "int8.safetensors"}
FILES = WEIGHTS | {"config.json", "examples.png", "record.json", "train_config.json"}
CARD = {"README.md"}
HUB_OWN = {".gitattributes"}


@pytest.fixture
def repo_id(hub: LoopbackHub) -> str:
    return f"{hub.namespace}/trial-rgb"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def says_one_sentence(error: Exception) -> str:
    message = str(error)
    assert message.endswith(".") and "\n" not in message and "Traceback" not in message
    return message


def test_a_model_folder_is_one_commit_that_the_hf_command_reads(
    hub: LoopbackHub, repo_id: str, model_folder: Path, tmp_path: Path
) -> None:
    (model_folder / "optimizer.bin").write_bytes(b"no part of the model")
    (model_folder / "train_config.json").write_text("{}")
    (model_folder / "int8.safetensors").write_bytes(b"ranges")
    url = publish_model(model_folder, repo_id, token=hub.token)
    commits = hub.api().list_repo_commits(repo_id)
    assert [commit.title for commit in commits] == [
        "Publish unet-mobilenet_v2-rgb",
        "initial commit",
    ]
    assert url.endswith(commits[0].commit_id)
    target = tmp_path / "downloaded"
    command = ["hf", "download", repo_id, "--local-dir", str(target)]
    subprocess.run(command, env=hub.env(), check=True, capture_output=True, timeout=60)
    assert {path.name for path in target.iterdir() if path.is_file()} == FILES | CARD | HUB_OWN
    for name in FILES:
        assert (target / name).read_bytes() == (model_folder / name).read_bytes()


def test_the_card_is_that_of_the_repo_and_carries_its_results(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    (model_folder / "README.md").write_text("---\nmodel-index:\n- results: []\n---\n")
    publish_model(model_folder, repo_id, token=hub.token)
    card = ModelCard.load(repo_id)
    assert card.data.model_name == "trial-rgb"
    assert f'from_pretrained("{repo_id}")' in card.text
    assert f"--model {repo_id}" in card.text
    results = {one.metric_type: one for one in card.data.eval_results}
    assert results["f1"].metric_value == 0.6
    assert results["f1"].dataset_split == "test"
    info = hub.api().model_info(repo_id)
    assert info.card_data.license == "apache-2.0"
    assert info.library_name == "landslide-zoo"


def test_pushing_a_loaded_model_writes_the_same_repo(
    hub: LoopbackHub, repo_id: str, model_folder: Path, tmp_path: Path
) -> None:
    (model_folder / "int8.safetensors").write_bytes(b"ranges")
    publish_model(model_folder, repo_id, token=hub.token)
    model = LandslideModel.from_pretrained(repo_id)
    model.push_to_hub(f"{hub.namespace}/pushed", token=hub.token)
    saved = f"{hub.namespace}/saved"
    model.save_pretrained(tmp_path / "saved", push_to_hub=True, repo_id=saved, token=hub.token)

    def blobs(name: str) -> dict[str, str]:
        info = hub.api().model_info(f"{hub.namespace}/{name}", files_metadata=True)
        return {
            file.rfilename: file.blob_id for file in info.siblings if file.rfilename not in CARD
        }

    assert blobs("pushed") == blobs("saved") == blobs("trial-rgb")


def test_what_a_new_state_has_not_goes_from_the_repo(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    publish_model(model_folder, repo_id, token=hub.token)
    hub.api().upload_file(path_or_fileobj=b"mine", path_in_repo="notes.txt", repo_id=repo_id)
    (model_folder / "examples.png").unlink()
    publish_model(model_folder, repo_id, token=hub.token)
    files = set(hub.api().list_repo_files(repo_id))
    assert "examples.png" not in files and "notes.txt" in files


def test_results_on_a_dataset_of_the_hub_are_where_its_leaderboard_looks(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    model = LandslideModel.from_pretrained(model_folder)
    assert model.record is not None
    (result,) = model.record.results
    public = result.model_copy(update={"dataset": "someone/l4s", "f1": 0.61234})
    model.record = model.record.model_copy(update={"results": [result, public]})
    model.push_to_hub(repo_id, token=hub.token)
    folder = Path(hub.api().snapshot_download(repo_id))
    (file,) = (folder / ".eval_results").iterdir()
    (entry,) = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert entry["dataset"]["id"] == "someone/l4s" and entry["value"] == 0.6123
    assert ModelCard.load(repo_id).data.datasets is None  # trained on a folder of this machine


def test_a_tag_keeps_a_state_and_is_given_once(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    publish_model(model_folder, repo_id, token=hub.token, tag="v1.0")
    model = LandslideModel.from_pretrained(model_folder).update_config(threshold=0.7)
    model.save_pretrained(model_folder)
    with pytest.raises(HubError, match=r"v1\.0"):
        publish_model(model_folder, repo_id, token=hub.token, tag="v1.0")
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.4
    publish_model(model_folder, repo_id, token=hub.token, tag="v1.1")
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.7
    pinned = LandslideModel.from_pretrained(repo_id, revision="v1.0")
    assert pinned.config.threshold == 0.4


def test_a_private_model_stays_private(hub: LoopbackHub, repo_id: str, model_folder: Path) -> None:
    publish_model(model_folder, repo_id, token=hub.token, private=True)
    for token in (False, hub.stranger_token):
        with pytest.raises(HubError, match="set HF_TOKEN"):
            LandslideModel.from_pretrained(repo_id, token=token)
    assert LandslideModel.from_pretrained(repo_id, token=hub.read_token).config.threshold == 0.4


def test_a_public_repo_takes_nothing_private(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    hub.api().create_repo(repo_id)
    with pytest.raises(HubError, match="is public") as refused:
        publish_model(model_folder, repo_id, token=hub.token, private=True)
    says_one_sentence(refused.value)
    assert set(hub.api().list_repo_files(repo_id)) == HUB_OWN


def other_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def change_record(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        record = json.loads((folder / "record.json").read_text())
        (folder / "record.json").write_text(json.dumps({**record, key: value}))

    return change


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other_weights, "SHA-256"),
        (change_record("weights_sha256", None), "SHA-256"),
        (change_record("seed", "forty-two"), "seed"),
        (change_record("surprise", 1), "surprise"),
        (lambda folder: (folder / "record.json").unlink(), r"record\.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"model\.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "cut short"),
        (lambda folder: (folder / "config.json").write_text("{}"), r"config\.json"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_not_sent(
    hub: LoopbackHub,
    repo_id: str,
    model_folder: Path,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    spoil(model_folder)
    with pytest.raises(ModelError, match=reason) as refused:
        publish_model(model_folder, repo_id, token=hub.token)
    says_one_sentence(refused.value)
    assert hub.requests == []


@pytest.mark.parametrize("who", ["read_token", "stranger_token", "nobody", "wrong", "stray"])
def test_a_token_that_may_not_write(
    hub: LoopbackHub, repo_id: str, model_folder: Path, who: str
) -> None:
    token = {"wrong": "hf_wrong", "stray": "hf_stray\n", "nobody": None}.get(
        who, getattr(hub, who, None)
    )
    for _ in range(2):  # first where the repo is missing, then where it is there
        with pytest.raises(HubError, match="HF_TOKEN") as refused:
            publish_model(model_folder, repo_id, token=token)
        assert "hf_" not in says_one_sentence(refused.value)
        hub.api().create_repo(repo_id, exist_ok=True)
    assert set(hub.api().list_repo_files(repo_id)) == HUB_OWN


def test_a_first_publishing_that_fails_leaves_no_empty_repo(
    hub: LoopbackHub, model_folder: Path, space: Path
) -> None:
    hub.faults = {"/commit/": Refuse(400)}
    with pytest.raises(HubError):
        publish_model(model_folder, f"{hub.namespace}/new", token=hub.token)
    with pytest.raises(HubError):
        publish_space(f"{hub.namespace}/new", token=hub.token, root=space)
    assert hub.requests.count("POST /api/repos/create") == 2
    assert not hub.repos


def test_no_name_of_a_repo(hub: LoopbackHub, model_folder: Path) -> None:
    with pytest.raises(HubError, match="NAMESPACE/NAME") as refused:
        publish_model(model_folder, "not a repo", token=hub.token)
    says_one_sentence(refused.value)


@pytest.mark.parametrize("after_bytes", [1_000_000, 14_000_000])
def test_a_hub_that_dies_leaves_the_repo_and_the_folder_as_they_were(
    hub: LoopbackHub,
    repo_id: str,
    model_folder: Path,
    impatient_client: None,
    after_bytes: int,
) -> None:
    publish_model(model_folder, repo_id, token=hub.token)
    head = hub.api().model_info(repo_id).sha
    model = LandslideModel.from_pretrained(model_folder)
    model.extra_files = {"examples.png": b"\x89PNG\0" + bytes(range(256)) * 4000}
    for parameter in model.network.parameters():
        parameter.data += 0.25
    model.save_pretrained(model_folder)
    before = contents(model_folder)
    hub.die_during_upload(after_bytes)
    with pytest.raises(HubError, match=r"broke off|cannot be reached") as failed:
        publish_model(model_folder, repo_id, token=hub.token)
    says_one_sentence(failed.value)
    assert contents(model_folder) == before
    hub.revive()
    assert hub.api().model_info(repo_id).sha == head
    publish_model(model_folder, repo_id, token=hub.token)
    assert hub.api().model_info(repo_id).sha != head


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """The files of a Space beside the package."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "space_app.py").write_text("from landslide_zoo.web import app\n")
    (root / "requirements.txt").write_text("torch==2.14.1\n")
    (root / "README.md").write_text(
        '---\nsdk: gradio\nsdk_version: "6.31.0"\napp_file: space_app.py\n---\n# App\n'
    )
    return root


def test_the_space_is_the_app_and_the_package(hub: LoopbackHub, space: Path) -> None:
    repo_id, api = f"{hub.namespace}/app", hub.api()
    publish_space(repo_id, token=hub.token, root=space)
    files = set(api.list_repo_files(repo_id, repo_type="space"))
    assert {"space_app.py", "requirements.txt", "README.md"} <= files
    assert {"landslide_zoo/__init__.py", "landslide_zoo/models/card.md.jinja"} <= files
    assert not [name for name in files if "__pycache__" in name]
    assert api.space_info(repo_id).sdk == "gradio"
    assert len(api.list_repo_commits(repo_id, repo_type="space")) == 2
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(repo_id)


def test_a_new_version_of_the_space_drops_old_modules(hub: LoopbackHub, space: Path) -> None:
    repo_id, api = f"{hub.namespace}/app", hub.api()
    publish_space(repo_id, token=hub.token, root=space)
    for name in ("landslide_zoo/old.py", "notes.txt"):
        api.upload_file(path_or_fileobj=b"#", path_in_repo=name, repo_id=repo_id, repo_type="space")
    publish_space(repo_id, token=hub.token, root=space)
    files = set(api.list_repo_files(repo_id, repo_type="space"))
    assert "landslide_zoo/old.py" not in files and "notes.txt" in files


@pytest.mark.parametrize(
    ("name", "content"), [("space_app.py", None), ("README.md", "# No front matter\n")]
)
def test_an_incomplete_space_is_not_sent(
    hub: LoopbackHub, space: Path, name: str, content: str | None
) -> None:
    (space / name).unlink()
    if content is not None:
        (space / name).write_text(content)
    with pytest.raises(HubError, match=name) as refused:
        publish_space(f"{hub.namespace}/app", token=hub.token, root=space)
    says_one_sentence(refused.value)
    assert hub.requests == []
