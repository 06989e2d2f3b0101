"""The card: what was done, what was measured, and under which licence."""

from __future__ import annotations

import pytest
from trained_model import make_record

from landslide_zoo.models.card import render_card
from landslide_zoo.models.config import catalog_config
from landslide_zoo.models.record import EncoderWeights

RGB = "unet-mobilenet_v2-rgb"


def test_every_result_is_in_the_model_index_with_its_protocol() -> None:
    record = make_record()
    validation = record.results[0].model_copy(update={"subset": "validation", "f1": 0.71239})
    other = record.results[0].model_copy(update={"dataset": "someone/l4s", "f1": 0.5})
    data = record.data.model_copy(update={"name": "someone/l4s"})
    results = [*record.results, validation, other]
    card = render_card(
        catalog_config(RGB), record.model_copy(update={"results": results, "data": data}), []
    )
    scores = {
        (result.dataset_config, result.dataset_split): result.metric_value
        for result in card.data.eval_results
        if result.metric_type == "f1"
    }
    assert scores == {
        ("l4s-rgb, folder", "test"): 0.6,
        ("l4s-rgb, folder", "validation"): 0.7124,
        ("someone/l4s, folder", "test"): 0.5,
    }
    assert card.data.datasets == ["someone/l4s"]
    assert render_card(catalog_config(RGB), record, []).data.datasets is None  # of this machine


def test_random_weights_and_synthetic_patches_are_said() -> None:
    untrained = render_card(catalog_config("unet"), None, [])
    assert "**This model is not trained: its weights are random.**" in str(untrained)
    assert untrained.data.eval_results is None
    record = make_record()
    record = record.model_copy(update={"data": record.data.model_copy(update={"synthetic": True})})
    text = str(render_card(catalog_config(RGB), record, []))
    assert "**Trained and measured on synthetic patches" in text


@pytest.mark.parametrize("name", ["segformer-mit_b2", "unet-resnet34"])
def test_the_licence_is_that_of_the_weights_it_started_from(name: str) -> None:
    scratch = make_record()
    started = scratch.model_copy(update={"encoder_weights": EncoderWeights(source="imagenet")})
    config = catalog_config(name)
    assert render_card(config, scratch, []).data.license == "apache-2.0"
    research = render_card(config, started, []).data.license == "other"
    assert research is name.startswith("segformer")
