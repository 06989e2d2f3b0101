"""The bundled models on real patches: what their records say is what they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landslide_zoo import LandslideModel
from landslide_zoo.evaluation import LabelledPatches, evaluate
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.web.samples import Sample, samples
from landslide_zoo.zoo import ModelZoo

MODEL = "unet-mobilenet_v2-rgb"


@pytest.fixture(scope="module")
def model() -> LandslideModel:
    return LandslideModel.from_pretrained(MODEL, device="cpu")


def test_bundled_weights_are_small_enough_to_ship() -> None:
    weights = [path for one in bundled_folders().values() for path in one.glob("*.safetensors")]
    assert sum(path.stat().st_size for path in weights) <= 90_000_000


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.title)
def test_captions_say_what_the_default_model_does(model: LandslideModel, sample: Sample) -> None:
    assert ModelZoo().default == MODEL
    prediction = model.predict(sample.path)
    scores = prediction.scores()
    said = re.search(r"F1 (\d\.\d\d)|(\d+\.\d\d) ha", sample.caption)
    assert said
    done = f"{scores.f1:.2f}" if scores else f"{prediction.hectares:.2f}"
    assert done == (said[1] if scores else said[2])


def test_the_test_block_scores_what_the_record_says(model: LandslideModel, real_data: Path) -> None:
    assert model.record is not None
    (recorded,) = (result for result in model.record.results if result.subset == "test")
    result = evaluate(model, LabelledPatches.find(real_data / "l4s-rgb"), postprocess=False)
    assert result.fingerprint == recorded.fingerprint
    assert result.scores.f1 == pytest.approx(recorded.f1, abs=1e-3)
    assert result.scores.f1 == pytest.approx(0.617, abs=1e-3)
