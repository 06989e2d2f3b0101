"""model.safetensors: read strictly, stored in half the size without changing a bit of the model."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from patch_files import physical_values, random_patch
from safetensors.torch import load_file, save_file
from trained_model import untrained

from landslide_zoo import LandslideModel
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.predict import values_of
from landslide_zoo.models.folder import CONFIG, WEIGHTS

NAME = "unet-mobilenet_v2"
HEAD = "segmentation_head.0.weight"


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    model = untrained(NAME)
    with torch.no_grad():
        for _ in range(2):  # statistics of batch normalisation of its own
            model.train()(
                torch.from_numpy(physical_values(64, 64)).float()[None].repeat(2, 1, 1, 1)
            )
    return model.eval()


@pytest.fixture
def folder(model: LandslideModel, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_half_precision_is_half_the_size_and_predicts_the_same(
    model: LandslideModel, folder: Path, tmp_path: Path
) -> None:
    small = LandslideModel.from_pretrained(folder, device="cpu").update_config(dtype="float16")
    small.round_weights().save_pretrained(tmp_path / "small")
    sizes = [(place / WEIGHTS).stat().st_size for place in (tmp_path / "small", folder)]
    assert sizes[0] < 0.51 * sizes[1]
    stored = load_file(tmp_path / "small" / WEIGHTS)
    parameters = {name for name, _ in small.network.named_parameters()}
    assert {stored[name].dtype for name in parameters} == {torch.float16}
    assert {stored[name].dtype for name in stored if "running" in name} == {torch.float32}
    again = LandslideModel.from_pretrained(tmp_path / "small", device="cpu")
    values = values_of([random_patch(64, 64)], model.config)
    found, same, whole = (torch.sigmoid(one.logits(values)) for one in (again, small, model))
    assert torch.allclose(found, same, atol=1e-6) and torch.allclose(found, whole, atol=0.01)


FAULTS: dict[str, torch.Tensor | None] = {
    f"has values in {HEAD} that are not finite": torch.full((1, 16, 3, 3), float("nan")),
    f"lacks {HEAD}": None,
    rf"has {HEAD} with shape \(2, 16, 3, 3\), not \(1, 16, 3, 3\)": torch.zeros(2, 16, 3, 3),
    f"has {HEAD} as torch.int32, not torch.float32": torch.zeros(1, 16, 3, 3, dtype=torch.int32),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_weights_that_do_not_fit_are_named(sentence: str, folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS) | {HEAD: FAULTS[sentence]}
    whole = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(whole, folder / WEIGHTS)
    with pytest.raises(ModelError, match=f"does not fit its config.json: it {sentence}"):
        LandslideModel.from_pretrained(folder)


class _Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(__file__).with_name("unpickled"),)


@pytest.mark.parametrize("content", ["truncated", "header alone", "pickle", "torch", "empty"])
def test_only_whole_safetensors_files_are_read(
    content: str, model: LandslideModel, folder: Path
) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    if content == "torch":
        torch.save(model.network.state_dict(), folder / WEIGHTS)
    else:
        made = {
            "truncated": whole[: len(whole) // 2],
            "header alone": whole[:8],
            "pickle": pickle.dumps(_Harmful()),
            "empty": b"",
        }
        (folder / WEIGHTS).write_bytes(made[content])
    with pytest.raises(ModelError, match="is not a safetensors file or is cut short"):
        LandslideModel.from_pretrained(folder)
    assert not Path(__file__).with_name("unpickled").exists()


def test_missing_weights_are_named_whatever_is_there_in_their_place(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({HEAD: _Harmful()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no model.safetensors in"):
        LandslideModel.from_pretrained(folder)
    assert not Path(__file__).with_name("unpickled").exists()


def test_a_folder_is_overwritten_whole_or_not_at_all(model: LandslideModel, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = LandslideModel(model.config).update_config(threshold=0.9)
    changed.extra_files = {"figures/no-such-place/a.png": b"cannot be written"}
    with pytest.raises(OSError, match="No such file"):
        changed.save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert CONFIG in before
