"""Models to the Hub and back: over Xet and LFS, from every kind of cache, damaged or refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from loopback_hub import LoopbackHub
from patch_files import random_patch
from trained_model import NAME, make_record

from landslide_zoo import LandslideModel
from landslide_zoo.errors import HubError, ModelError
from landslide_zoo.inference import Ensemble, load_predictor
from landslide_zoo.models.card import replace_record
from landslide_zoo.models.config import EnsembleConfig
from landslide_zoo.models.folder import find_folder, weights_sha256
from landslide_zoo.zoo import publish_model, publish_space

PATCH = random_patch(64, 64)


def flip_last_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def test_what_is_pushed_is_pulled(
    hub: LoopbackHub, transport: str, repo_id: str, model_folder: Path, tmp_path: Path
) -> None:
    pulled = LandslideModel.from_pretrained(repo_id, device="cpu")
    expected = LandslideModel.from_pretrained(model_folder, device="cpu").predict(PATCH)
    assert np.array_equal(pulled.predict(PATCH).mask, expected.mask)
    pulled.push_to_hub(f"{hub.namespace}/pushed", token=hub.token)
    command = ["hf", "download", f"{hub.namespace}/pushed", "--local-dir", str(tmp_path / "pushed")]
    subprocess.run(command, env=hub.env(), check=True, capture_output=True, timeout=60)
    for path in set(model_folder.iterdir()) - {model_folder / "README.md"}:
        assert (tmp_path / "pushed" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "switched_off", ["", "_DISABLE_XET", "_DISABLE_SHARED_BLOBS", "_DISABLE_SYMLINKS", "earlier"]
)
def test_a_model_in_the_cache(
    request: pytest.FixtureRequest,
    hub: LoopbackHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    switched_off: str,
) -> None:
    """It loads with the Hub away, and is downloaded again where it is damaged."""
    constants = "huggingface_hub.constants.HF_HUB"
    old = switched_off == "earlier"  # a cache that an earlier huggingface_hub made
    if switched_off:
        monkeypatch.setattr(f"{constants}{'_DISABLE_SHARED_BLOBS' if old else switched_off}", True)
    repo_id = request.getfixturevalue("repo_id")
    folder = find_folder(repo_id, cache_dir=tmp_path)
    digest = weights_sha256(folder)
    if old:
        shutil.rmtree(folder.parents[1] / "trees")
    with hub.stopped():
        assert find_folder(repo_id, cache_dir=tmp_path) == folder
    with monkeypatch.context() as patched:
        patched.setattr(f"{constants}_OFFLINE", True)
        assert find_folder(repo_id, cache_dir=tmp_path) == folder
        flip_last_bit((folder / "model.safetensors").resolve())
        with pytest.raises(ModelError, match="SHA-256"):
            find_folder(repo_id, cache_dir=tmp_path)
    assert find_folder(repo_id, cache_dir=tmp_path) == folder
    assert weights_sha256(folder) == digest


def test_weights_that_are_damaged_in_the_repo(
    hub: LoopbackHub, transport: str, repo_id: str, model_folder: Path, tmp_path: Path
) -> None:
    flip_last_bit(weights := model_folder / "model.safetensors")
    hub.api().upload_file(path_or_fileobj=weights, path_in_repo=weights.name, repo_id=repo_id)
    with pytest.raises(ModelError, match="SHA-256") as refused:
        find_folder(repo_id, cache_dir=tmp_path)
    assert "\n" not in str(refused.value)


def test_of_another_librarys_repo_no_weights_are_downloaded(hub: LoopbackHub) -> None:
    repo_id = f"{hub.namespace}/bert"
    hub.api().create_repo(repo_id)
    for name, content in (("model.safetensors", b"\0" * 1000), ("config.json", b"{}")):
        hub.api().upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repo_id)
    hub.requests.clear()
    with pytest.raises(ModelError, match=r"config\.json"):
        find_folder(repo_id)
    assert not [request for request in hub.requests if "safetensors" in request]


def test_who_may_read_and_write(hub: LoopbackHub, model_folder: Path) -> None:
    repo_id = f"{hub.namespace}/secret"
    publish_model(model_folder, repo_id, token=hub.token, private=True)
    for token in (False, hub.stranger_token, "hf_no_token_at_all"):
        with pytest.raises(HubError, match="HF_TOKEN"):
            find_folder(repo_id, token=token)
    assert find_folder(repo_id, token=hub.read_token).is_dir()
    for token in (hub.read_token, hub.stranger_token):
        with pytest.raises(HubError, match="HF_TOKEN"):
            publish_model(model_folder, repo_id, token=token)
    public = f"{hub.namespace}/public"
    hub.api().create_repo(public)
    with pytest.raises(HubError, match="is public"):
        publish_model(model_folder, public, token=hub.token, private=True)
    assert hub.api().list_repo_files(public) == [".gitattributes"]


def test_names_that_mean_nothing(hub: LoopbackHub, repo_id: str) -> None:
    for name, revision in ((f"{hub.namespace}/no", None), ("a/b/c", None), (repo_id, "v9")):
        with pytest.raises(HubError) as refused:
            find_folder(name, revision=revision)
        assert "\n" not in str(refused.value)
    with hub.stopped(), pytest.raises(HubError, match="cannot be reached"):
        find_folder(f"{hub.namespace}/not-in-the-cache")


def test_a_tag_keeps_a_state(hub: LoopbackHub, repo_id: str, model_folder: Path) -> None:
    hub.api().create_tag(repo_id, tag="v1.0")
    hub.api().upload_file(path_or_fileobj=b"mine", path_in_repo="notes.txt", repo_id=repo_id)
    model = LandslideModel.from_pretrained(model_folder, device="cpu")
    model.extra_files = {}
    model.update_config(threshold=0.7).push_to_hub(repo_id, token=hub.token)
    assert LandslideModel.from_pretrained(repo_id).config.threshold == 0.7
    assert LandslideModel.from_pretrained(repo_id, revision="v1.0").config.threshold == 0.4
    files = hub.api().list_repo_files(repo_id)
    assert "examples.png" not in files and "notes.txt" in files


def test_the_card_is_that_of_the_repo_and_carries_its_results(
    hub: LoopbackHub, repo_id: str, model_folder: Path
) -> None:
    model = LandslideModel.from_pretrained(model_folder, device="cpu")
    model.push_to_hub(repo_id, token=hub.token)
    card = ModelCard.load(repo_id)
    assert f'from_pretrained("{repo_id}")' in card.text and f"--model {repo_id}" in card.text
    scores = {
        (one.dataset_name, one.metric_type): one.metric_value for one in card.data.eval_results
    }
    assert scores["l4s-rgb, folder split", "f1"] == 0.6
    info = hub.api().model_info(repo_id)
    assert (info.card_data.license, info.library_name) == ("apache-2.0", "landslide-zoo")


def test_an_ensemble_is_a_model_too(hub: LoopbackHub, model_folder: Path) -> None:
    other = LandslideModel.from_pretrained(model_folder, device="cpu")
    other.update_config(temperature=3.0).save_pretrained(model_folder.with_name("other"))
    folder = model_folder.with_name("mean-rgb")
    folder.mkdir()
    config = EnsembleConfig(
        name="mean-rgb", bands=["B4", "B3", "B2"], unit="display", members=[NAME, "other"]
    )
    (folder / "config.json").write_text(config.to_json())
    digest = weights_sha256(folder)
    replace_record(folder, make_record().model_copy(update={"weights_sha256": digest}))
    expected = load_predictor(folder, "torch", "cpu").predict(PATCH).probability
    published = f"{hub.namespace}/mean-rgb"
    publish_model(folder, published, token=hub.token)
    ensemble = LandslideModel.from_pretrained(published, device="cpu")
    assert isinstance(ensemble, Ensemble) and ensemble.record is not None
    pulled = load_predictor(published, "torch", "cpu")
    assert np.array_equal(pulled.predict(PATCH).probability, expected)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: flip_last_bit(folder / "model.safetensors"), "SHA-256"),
        (lambda folder: (folder / "record.json").unlink(), r"record\.json"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "cut short"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_not_sent(
    hub: LoopbackHub, model_folder: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(model_folder)
    with pytest.raises(ModelError, match=reason):
        publish_model(model_folder, f"{hub.namespace}/unfit", token=hub.token)
    assert hub.requests == []


def test_the_space_is_the_app_and_the_package(hub: LoopbackHub) -> None:
    repo_id, api = f"{hub.namespace}/app", hub.api()
    publish_space(repo_id, token=hub.token)
    for name in ("landslide_zoo/old.py", "notes.txt"):
        api.upload_file(path_or_fileobj=b"#", path_in_repo=name, repo_id=repo_id, repo_type="space")
    publish_space(repo_id, token=hub.token)
    files = set(api.list_repo_files(repo_id, repo_type="space"))
    assert {"space_app.py", "requirements.txt", "landslide_zoo/models/card.md.jinja"} <= files
    assert "landslide_zoo/old.py" not in files and "notes.txt" in files
    assert not [name for name in files if "__pycache__" in name]
    assert api.space_info(repo_id).sdk == "gradio"
