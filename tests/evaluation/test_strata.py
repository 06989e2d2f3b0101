"""Strata of one's own, and the classes that pixels fall into."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from landslide_zoo import LandslideModel
from landslide_zoo.errors import DataError
from landslide_zoo.evaluation import LabelledPatches, Stratum, evaluate, raster_stratum
from landslide_zoo.inference.predict import Prediction


@pytest.fixture
def stems(dataset: LabelledPatches) -> list[str]:
    return [sample.image.stem for sample in dataset.samples]


@pytest.fixture
def rain(tmp_path: Path, stems: list[str]) -> Path:
    """Rainfall of each patch: 0 to 47 mm from west to east, unknown in the first row."""
    for stem in stems:
        values = np.tile(np.arange(48.0), (40, 1))
        values[0] = np.nan
        np.save(tmp_path / f"{stem}.npy", values)
    return tmp_path


def test_an_edge_belongs_to_the_class_above_it(dataset: LabelledPatches) -> None:
    patch = dataset[0]
    values = np.full(patch.size, np.nan)
    values[0, :5] = (-5.0, 9.99, 10.0, 20.0, 99.0)
    stratum = Stratum("x", "", (10, 20), lambda patch: values)
    everything = np.ones(patch.size, np.float32)
    counted = stratum.count(patch, Prediction(everything, patch.observed, 0.5, "all", patch))
    assert counted.sum(axis=1).tolist() == [2, 1, 2]


def test_pixels_are_counted_by_a_raster_of_ones_own(
    model: LandslideModel, dataset: LabelledPatches, rain: Path, stems: list[str]
) -> None:
    stratum = raster_stratum("rainfall (mm)", rain, stems, edges=(12, 24))
    groups = evaluate(model, dataset, strata=[stratum]).by_stratum()["rainfall (mm)"]
    assert [group.name for group in groups] == ["below 12", "12 to 24", "24 and more"]
    patches = list(dataset)
    hits = sum(
        int(np.sum(found.mask[1:, 12:24] & patch.mask[1:, 12:24]))
        for found, patch in zip(model.predict(patches), patches, strict=True)
    )
    assert groups[1].scores.true_positives == hits
    # The row where the rainfall is not known is left out.
    pixels = [sum(astuple(group.scores)) for group in groups]
    assert pixels == [8 * 39 * 12, 8 * 39 * 12, 8 * 39 * 24]


def test_without_edges_the_quartiles_divide_it(rain: Path, stems: list[str]) -> None:
    assert raster_stratum("rainfall", rain, stems).edges == pytest.approx((11.75, 23.5, 35.25))


@pytest.mark.parametrize("edges", [(), (20.0, 10.0), (10.0, 10.0), (10.0, float("nan"))])
def test_edges_must_ascend(rain: Path, stems: list[str], edges: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="edges of the stratum 'rain' must be numbers that ascend"):
        raster_stratum("rain", rain, stems, edges)


def test_every_patch_needs_its_array(rain: Path, stems: list[str]) -> None:
    (rain / "image_9.npy").unlink()
    with pytest.raises(DataError, match=r"There is no .*image_9\.npy for the stratum 'rain'"):
        raster_stratum("rain", rain, stems)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not an array", "cannot be read as an array"),
        (np.zeros(3), "is not a two-dimensional array of numbers"),
        (np.array([["a"]]), "is not a two-dimensional array of numbers"),
        (np.array([[{}]], dtype=object), "cannot be read as an array"),
    ],
    ids=["text", "one dimension", "strings", "pickled objects"],
)
def test_what_is_not_an_array_of_numbers_is_refused(
    rain: Path, stems: list[str], content: bytes | np.ndarray, sentence: str
) -> None:
    path = rain / "image_2.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(DataError, match=f"image_2.npy {sentence}"):
        raster_stratum("rain", rain, stems)


def test_an_array_of_another_size_is_refused(
    model: LandslideModel, dataset: LabelledPatches, rain: Path, stems: list[str]
) -> None:
    np.save(rain / "image_3.npy", np.zeros((40, 40)))
    stratum = raster_stratum("rain", rain, stems, edges=(1.0,))
    with pytest.raises(
        DataError, match=r"image_3.npy has shape \(40, 40\) and its patch \(40, 48\)"
    ):
        evaluate(model, dataset, strata=[stratum])
