"""What tabs and endpoints share."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from landslide_zoo import ModelZoo, read_patch
from landslide_zoo.inference import Prediction
from landslide_zoo.settings import Settings
from landslide_zoo.web.components import figures_csv
from landslide_zoo.web.service import Service, Upload, plain


@pytest.fixture(scope="module")
def service(zoo_folder: Path) -> Service:
    return Service(ModelZoo(zoo_folder), Settings())


@pytest.fixture
def upload(patches: Path) -> Upload:
    return Upload(str(patches / "image_1.h5"), None, "image_1")


def test_many_at_once_each_get_their_own_answer(service: Service, patches: Path) -> None:
    uploads = [
        Upload(str(patches / f"image_{number}.h5"), None, f"image_{number} ({turn})")
        for turn in range(4)
        for number in (1, 2, 3)
    ]
    model = service.cache.get("trial-rgb")
    alone = [
        model.predict(read_patch(patches / f"image_{n}.h5"), clouds="keep").probability
        for n in (1, 2, 3)
    ]
    found = list(service.detect_all("trial-rgb", uploads, options={"clouds": "keep"}))
    for place, (one, upload) in enumerate(zip(found, uploads, strict=True)):
        assert isinstance(one, Prediction) and one.patch.name == upload.name
        np.testing.assert_allclose(one.probability, alone[place % 3], atol=1e-3)


def test_the_table_of_figures_tells_the_scores_from_those_of_the_network_alone(
    service: Service, patches: Path
) -> None:
    upload = Upload(str(patches / "image_1.h5"), str(patches / "mask_1.h5"), "image_1")
    found = service.detect("trial-rgb", upload)
    (row,) = csv.DictReader(figures_csv([found.to_dict()]).splitlines())
    for prefix, prediction in (("", found), ("network_", found.network)):
        scores = prediction.scores()
        assert float(row[f"{prefix}f1"]) == pytest.approx(scores.f1, abs=1e-4)
        assert int(row[f"{prefix}false_positives"]) == scores.false_positives
    assert row["false_positives"] != row["network_false_positives"]
    assert int(row["dropped"]) == len(found.dropped) > 0


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("/srv/zoo/unet/model.safetensors is cut short.", "model.safetensors is cut short."),
        ("There is no record in /srv/zoo/unet: copy it.", "There is no record in unet: copy it."),
        ("The Hub (http://127.0.0.1:1/a/b) fails.", "The Hub (http://127.0.0.1:1/a/b) fails."),
        ("NAMESPACE/NAME of 14/3 and and/or stay.", "NAMESPACE/NAME of 14/3 and and/or stay."),
    ],
)  # fmt: skip
def test_sentences_name_no_folder_of_the_server(said: str, shown: str) -> None:
    assert plain(said) == shown
