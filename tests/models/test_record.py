"""record.json: strict, whole, and clear about which result stands for the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trained_model import make_record

from landslide_zoo import LandslideModel
from landslide_zoo.errors import ModelError
from landslide_zoo.io import file_sha256
from landslide_zoo.models.folder import RECORD, WEIGHTS
from landslide_zoo.models.record import Record


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": "42"}, "seed: "),
        ({"epochs": None}, "epochs: "),
        ({"author": "someone"}, "author: Extra inputs"),
        ({"weights_sha256": "abc"}, "weights_sha256: "),
        ({"format": 2}, "format: "),
    ],
)
def test_what_is_no_record_is_refused(changes: dict, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / RECORD
    path.write_text(json.dumps({**json.loads(make_record().to_json()), **changes}))
    with pytest.raises(ModelError, match=f"is not a record of this zoo: {sentence}") as refused:
        Record.read(path)
    assert str(path) in str(refused.value)


def test_the_test_result_stands_for_the_model_then_validation() -> None:
    record = make_record()
    test = record.results[0]
    validation = test.model_copy(update={"subset": "validation"})
    train = test.model_copy(update={"subset": "train"})

    def headline(*results: object) -> object:
        return record.model_copy(update={"results": list(results)}).headline

    assert headline(train, validation, test) is test
    assert headline(train, validation) is validation
    assert headline(train) is None


def test_a_saved_model_keeps_its_record_with_the_hash_of_its_weights(
    model_folder: Path, tmp_path: Path
) -> None:
    model = LandslideModel.from_pretrained(model_folder, device="cpu")
    assert model.record is not None
    model.save_pretrained(tmp_path / "again")
    record = Record.read(tmp_path / "again" / RECORD)
    assert record == model.record
    assert record.weights_sha256 == file_sha256(tmp_path / "again" / WEIGHTS)
    figures = {path.name: path.read_bytes() for path in model_folder.glob("*.png")}
    assert figures
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").glob("*.png")} == figures
