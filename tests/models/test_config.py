"""config.json: what is no model of the zoo is refused before a weight is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from landslide_zoo import LandslideModel
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.errors import ModelError
from landslide_zoo.models.config import ModelConfig, catalog_config
from landslide_zoo.models.folder import CONFIG, WEIGHTS

# What is changed in the configuration of unet-resnet34, and a pattern of the sentence.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown architecture": ({"architecture": "linknet"}, "not linknet"),
    "unknown encoder": ({"encoder": "resnet99"}, "not unet with encoder 'resnet99'"),
    "no name of the zoo": ({"name": "<script>"}, "no network '<script>'"),
    "unknown band": ({"bands": ["B8A", *BAND_NAMES[1:]]}, "unknown band 'B8A'"),
    "band twice": ({"bands": ["B1", "B1", *BAND_NAMES[2:]]}, "one twice"),
    "channel without its band": ({"bands": list(BAND_NAMES[:13])}, "channel DEM needs bands DEM"),
    "display values of all bands": ({"unit": "display"}, "display values exist for B4, B3, B2"),
    "divisors of physical values": ({"divisors": [1.0]}, "divisors belong to display values"),
    "threshold above 1": ({"threshold": 1.5}, "threshold: .*less than or equal to 1"),
    "threshold not a number": ({"threshold": float("nan")}, "threshold: "),
    "extra key": ({"pickle": "os.system"}, "pickle: Extra inputs are not permitted"),
    "a name of pages": ({"name": "n" * 100_000}, "no network 'nnn"),
    "a rule without a reason": ({"rules": [{"attribute": "area"}]}, r"rules.0.reason: "),
}


def config_with(**changes: object) -> dict[str, Any]:
    return {**json.loads(catalog_config("unet-resnet34").to_json()), **changes}


@pytest.mark.parametrize("case", REFUSED)
def test_a_config_that_is_no_model_of_the_zoo(case: str, tmp_path: Path) -> None:
    changes, sentence = REFUSED[case]
    (tmp_path / CONFIG).write_text(json.dumps(config_with(**changes)))
    (tmp_path / WEIGHTS).write_bytes(b"never read")
    with pytest.raises(ModelError, match=sentence) as refused:
        LandslideModel.from_pretrained(tmp_path)
    message = str(refused.value)
    assert str(tmp_path / CONFIG) in message
    assert message.endswith(".") and "\n" not in message
    assert len(message) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("bad", [[0.5] * 13, [float("inf")] * 14, ["1"] * 14])
def test_scaling_needs_a_number_for_each_channel(bad: list, tmp_path: Path) -> None:
    config = config_with()
    config["scaling"]["std"] = bad
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"scaling\.std"):
        ModelConfig.read(tmp_path / CONFIG)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "unet"}', "\xff\xfe"])
def test_no_json_of_a_model_at_all(text: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match="describes no model of the zoo"):
        ModelConfig.read(tmp_path / CONFIG)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / CONFIG).open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ModelError, match="is too large"):
        ModelConfig.read(tmp_path / CONFIG)
