"""The genuine client against the loopback Hub: what every other test of the Hub stands on."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from loopback_hub import LoopbackHub

WEIGHTS = bytes(range(256)) * 4096
CARD = "---\nlicense: apache-2.0\nlibrary_name: landslide-zoo\ntags: [landslide]\n---\n# A card\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "figures").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "config.json").write_text('{"threshold": 0.5}')
    (folder / "README.md").write_text(CARD)
    (folder / "figures" / "f1.png").write_bytes(b"\x89PNG\0")
    return folder


@pytest.fixture
def repo_id(hub: LoopbackHub, folder: Path) -> str:
    repo_id = f"{hub.namespace}/unet"
    hub.api().create_repo(repo_id)
    hub.api().upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Publish")
    return repo_id


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_every_kind_of_repository(hub: LoopbackHub, kind: str) -> None:
    api, repo_id = hub.api(), f"{hub.namespace}/thing"
    sdk = "gradio" if kind == "space" else None
    api.create_repo(repo_id, repo_type=kind, space_sdk=sdk)
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(repo_id, repo_type=kind, space_sdk=sdk)
    api.create_repo(repo_id, repo_type=kind, space_sdk=sdk, exist_ok=True)
    for path, content in (("data/a.txt", b"text"), ("data/b.h5", WEIGHTS)):
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo_id, repo_type=kind)
        assert Path(hf_hub_download(repo_id, path, repo_type=kind)).read_bytes() == content
    info = api.repo_info(repo_id, repo_type=kind, files_metadata=True)
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings or []}
    assert sizes["data/b.h5"] == len(WEIGHTS)
    if kind == "space":
        assert info.sdk == "gradio"
    api.delete_repo(repo_id, repo_type=kind)
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info(repo_id, repo_type=kind)


def test_a_revision_is_pinned_by_tag_and_commit(hub: LoopbackHub, repo_id: str) -> None:
    api = hub.api()
    first = api.model_info(repo_id).sha
    api.create_tag(repo_id, tag="v1.0")
    api.upload_file(
        path_or_fileobj=b'{"threshold": 0.7}', path_in_repo="config.json", repo_id=repo_id
    )
    for revision in ("v1.0", first):
        path = hf_hub_download(repo_id, "config.json", revision=revision)
        assert Path(path).read_text() == '{"threshold": 0.5}'
        assert api.model_info(repo_id, revision=revision).sha == first
    assert Path(hf_hub_download(repo_id, "config.json")).read_text() == '{"threshold": 0.7}'
    assert [tag.target_commit for tag in api.list_repo_refs(repo_id).tags] == [first]


def test_a_commit_is_refused_on_an_old_parent(hub: LoopbackHub, repo_id: str) -> None:
    api = hub.api()
    old = api.list_repo_commits(repo_id)[-1].commit_id
    change = CommitOperationAdd("config.json", b"{}")
    with pytest.raises(HfHubHTTPError, match="412"):
        api.create_commit(repo_id, [change], commit_message="Late", parent_commit=old)
    assert api.list_repo_commits(repo_id)[0].title == "Publish"


def test_unchanged_files_make_no_commit_and_deleted_ones_go(
    hub: LoopbackHub, repo_id: str, folder: Path
) -> None:
    api = hub.api()
    api.upload_folder(repo_id=repo_id, folder_path=folder)
    assert len(api.list_repo_commits(repo_id)) == 2
    deletions = [CommitOperationDelete("config.json"), CommitOperationDelete("figures/")]
    api.create_commit(repo_id, deletions, commit_message="Less")
    left = {".gitattributes", "README.md", "model.safetensors"}
    assert set(api.list_repo_files(repo_id)) == left
    with pytest.raises(EntryNotFoundError):
        api.create_commit(repo_id, [CommitOperationDelete("config.json")], commit_message="Again")


def test_listing_models(hub: LoopbackHub, repo_id: str) -> None:
    other = f"{hub.namespace}/segformer"
    hub.api().create_repo(other, private=True)
    mine = hub.api().list_models(author=hub.namespace)
    assert {model.id for model in mine} == {repo_id, other}
    by_tag = hub.api().list_models(author=hub.namespace, filter="landslide-zoo")
    assert [model.id for model in by_tag] == [repo_id]
    strangers = hub.api(hub.stranger_token).list_models(author=hub.namespace)
    assert [model.id for model in strangers] == [repo_id]


def test_what_is_missing_is_named(hub: LoopbackHub, repo_id: str) -> None:
    missing = f"{hub.namespace}/nothing"
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download(missing, "config.json")
    with pytest.raises(RepositoryNotFoundError):
        hub.api().model_info(missing)
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download(repo_id, "config.json", revision="v9")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(repo_id, "missing.json")


def test_a_bad_card_is_refused(hub: LoopbackHub, repo_id: str) -> None:
    card = b"---\nmodel-index:\n- name: x\n  results:\n  - task: {}\n---\n"
    with pytest.raises(ValueError, match=r"task\.type"):
        hub.api().upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo_id)


def test_an_interrupted_download_goes_on(hub: LoopbackHub, repo_id: str) -> None:
    answer = httpx2.get(
        f"{hub.endpoint}/{repo_id}/resolve/main/model.safetensors",
        headers={"Range": "bytes=1000-"},
        follow_redirects=True,
    )
    assert answer.status_code == 206 and answer.content == WEIGHTS[1000:]
