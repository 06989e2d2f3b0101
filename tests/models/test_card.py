"""The model card: what the Hub reads of it, and what it must not keep quiet about."""

from __future__ import annotations

import itertools

import pytest
from trained_model import make_record

from landslide_zoo.models import catalog
from landslide_zoo.models.card import render_card
from landslide_zoo.models.config import catalog_config
from landslide_zoo.models.record import EncoderWeights

RGB = "unet-mobilenet_v2-rgb"


def test_the_hub_reads_its_metadata() -> None:
    record = make_record()
    data = render_card(catalog_config(RGB), record, []).data
    assert (data.library_name, data.license) == ("landslide-zoo", "apache-2.0")
    assert data.pipeline_tag == "image-segmentation"
    assert {"landslide", "sentinel-2", "landslide-zoo", RGB} <= set(data.tags)
    assert data.datasets is None  # a folder of this machine is no dataset of the Hub
    public = record.data.model_copy(update={"name": "someone/l4s"})
    record = record.model_copy(update={"data": public})
    assert render_card(catalog_config(RGB), record, []).data.datasets == ["someone/l4s"]


def test_every_result_is_in_the_model_index_with_its_protocol() -> None:
    record = make_record()
    other = record.results[0].model_copy(update={"subset": "validation", "f1": 0.71239})
    record = record.model_copy(update={"results": [*record.results, other]})
    results = render_card(catalog_config(RGB), record, []).data.eval_results
    scores = {(r.dataset_name, r.dataset_split, r.metric_type): r.metric_value for r in results}
    assert len(scores) == 8
    assert scores["l4s-rgb, folder split", "test", "f1"] == 0.6
    assert scores["l4s-rgb, folder split", "validation", "f1"] == 0.7124


def test_a_reader_finds_what_was_done_and_how_to_repeat_it() -> None:
    record = make_record()
    text = str(render_card(catalog_config(RGB), record, ["curves.png", "examples.png"]))
    for words in (
        "B4, B3, B2 (display values",
        "445.17289745, 663.41636217, 824.63171476",
        f'from_pretrained("{RGB}")',
        f"--model {RGB}",
        "| l4s-rgb | folder | test | 2 | 0.4 | 0.6000 | 0.6000 | 0.6000 | 0.4286 |",
        record.command,
        record.results[0].command,
        "| Seed | 42 |",
        "torch ",
        "![curves.png](curves.png)",
        "![examples.png](examples.png)",
        "**not validated for emergency use**",
        "10.1109/TGRS.2022.3215209",
    ):
        assert words in text


def test_an_untrained_model_says_so() -> None:
    card = render_card(catalog_config("unet"), None, [])
    text = str(card)
    assert "**This model is not trained: its weights are random.**" in text
    assert "Nothing has been measured" in text
    assert card.data.eval_results is None


def test_a_model_of_synthetic_patches_says_so() -> None:
    record = make_record()
    record = record.model_copy(update={"data": record.data.model_copy(update={"synthetic": True})})
    text = str(render_card(catalog_config(RGB), record, []))
    assert "**Trained and measured on synthetic patches" in text


@pytest.mark.parametrize("name", list(catalog.names()))
def test_the_licence_is_that_of_the_weights_it_started_from(name: str) -> None:
    entry = catalog.lookup(name)
    scratch = make_record().model_copy(update={"model": name})
    started = scratch.model_copy(update={"encoder_weights": EncoderWeights(source="imagenet")})
    config = catalog_config(name)
    assert render_card(config, scratch, []).data.license == "apache-2.0"
    data = render_card(config, started, []).data
    if "research use only" in (entry.encoder_origin or ""):
        assert (data.license, data.license_name) == (
            "other",
            "nvidia-source-code-license-for-segformer",
        )
    else:
        assert data.license == "apache-2.0"


def test_the_scaling_that_is_not_in_the_table_is_said() -> None:
    config = catalog_config(RGB)
    plain = str(render_card(config, None, []))
    for statistics, words in (
        ("patch", "Each patch's own mean and deviation"),
        ("both", "Each patch is scaled twice"),
    ):
        scaling = config.scaling.model_copy(update={"statistics": statistics})
        text = str(render_card(config.model_copy(update={"scaling": scaling}), None, []))
        assert words in text and words not in plain


def test_it_is_the_card_of_the_model_that_it_names() -> None:
    card = render_card(catalog_config(RGB), make_record(), [], name="someone/my-unet")
    assert card.data.model_name == "my-unet" and "\n# my-unet\n" in str(card)
    assert 'from_pretrained("someone/my-unet")' in str(card)
    assert "--model someone/my-unet " in str(card)
    assert f'"{RGB}"' not in card.text


def test_tables_are_whole() -> None:
    card = render_card(catalog_config("unet-resnet34"), make_record(), ["curves.png"])
    lines = str(card).splitlines()
    for above, line in itertools.pairwise(lines):
        if line.startswith("|"):
            assert above == "" or above.count("|") == line.count("|"), line
