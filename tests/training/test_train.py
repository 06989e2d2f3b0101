"""Training as a user does it: started, killed, resumed, published; and refused with a sentence."""

from __future__ import annotations

import csv
import json
import random
import re
import time
from pathlib import Path

import pytest
import trainer
from loopback_hub import LoopbackHub
from synthetic_patches import write_dataset

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.io import file_sha256

# Its encoder drops connections at random, so that a resumed run needs its generators back.
NETWORK = "unet-efficientnet-b0"
SMALLEST = "unet-mobilenet_v2"


def options(data: Path | str, *more: object, model: str = NETWORK, epochs: int = 3) -> list[object]:
    return [
        *("--model", model, "--data", data, "--encoder-weights", "none"),
        *("--epochs", epochs, "--batch-size", 4, "--tracker", "none", *more),
    ]


@pytest.fixture(scope="module")
def uninterrupted(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with trainer.start(*options(dataset), cwd=folder) as process:
        assert process.end() == 0, process.said
    return folder / "runs" / NETWORK


def metrics(run: Path) -> list[dict[str, str]]:
    """The figures of each epoch, but for how long it took."""
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same_model(run: Path, other: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        assert file_sha256(run / "model" / name) == file_sha256(other / "model" / name)
    assert metrics(run) == metrics(other)


def test_a_finished_run_holds_all_it_should(uninterrupted: Path, dataset: Path) -> None:
    names = {path.name for path in uninterrupted.iterdir()}
    files = {"run.json", "run.lock", "train.log", "metrics.csv", "curves.png"}
    assert names == files | {"checkpoints", "model"}
    model = LandslideModel.from_pretrained(uninterrupted / "model")
    record = model.record
    assert record is not None
    assert record.data.patches == {"train": 13, "validation": 5, "test": 3}
    assert [(result.subset, result.patches) for result in record.results] == [
        ("validation", 5),
        ("test", 3),
    ]
    assert [access.subset for access in record.test_accesses] == ["test"]
    assert record.epochs == 3 == len(metrics(uninterrupted))
    best = max(record.history, key=lambda row: row["f1"])
    assert record.best_epoch == best["epoch"]
    assert record.recipe["batch_size"] == 4 and record.recipe["processes"] == 1
    validation = record.results[0]
    assert model.config.threshold == validation.threshold
    landslides = validation.true_positives + validation.false_negatives
    others = validation.false_positives + validation.true_negatives
    assert landslides + others == 5 * 32 * 32 - 3 * 32  # what is missing counts nowhere
    settings = json.loads((uninterrupted / "model" / "train_config.json").read_text())
    assert settings["epochs"] == 3 and settings["data"] == record.data.name == dataset.name
    for file in ("record.json", "train_config.json", "README.md"):
        assert str(dataset.parent) not in (uninterrupted / "model" / file).read_text()


def test_killed_and_resumed_gives_the_weights_of_a_run_undisturbed(
    dataset: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / NETWORK
    with trainer.start(*options(dataset), cwd=tmp_path) as process:
        process.read_until(r"epoch 3: [^\r\n]*\| 1/")
        with trainer.start(*options(dataset, "--resume"), cwd=tmp_path) as second:
            assert second.end() == 1
            assert "Another process trains in runs/" in second.sentence
    assert len(metrics(run)) == 2 and not (run / "model").exists()
    with trainer.start(*options(dataset, "--resume"), cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    assert "resuming after epoch 2" in process.said
    assert_same_model(run, uninterrupted)
    log = (run / "train.log").read_text()
    assert all(f"epoch {epoch}: loss" in log for epoch in (1, 2, 3))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_any_moment_change_nothing(dataset: Path, tmp_path: Path) -> None:
    with trainer.start(*options(dataset, epochs=12), "--output", "whole", cwd=tmp_path) as process:
        begun = time.monotonic()
        assert process.end() == 0, process.said
        seconds = time.monotonic() - begun
    resume = options(dataset, "--output", "killed", "--resume", epochs=12)
    moments = random.Random(seed := random.randrange(10_000))
    print(f"\nseed {seed}")
    for _ in range(8):
        with trainer.start(*resume, cwd=tmp_path):
            time.sleep(moments.uniform(0, seconds / 3))
    with trainer.start(*resume, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    assert_same_model(tmp_path / "killed" / NETWORK, tmp_path / "whole" / NETWORK)


def test_what_is_finished_is_skipped_and_what_is_not_learns_from_it(
    uninterrupted: Path, dataset: Path, tmp_path: Path
) -> None:
    weights = uninterrupted / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    with trainer.start(*options(dataset), cwd=uninterrupted.parents[1]) as process:
        assert process.end() == 0
    assert f"{NETWORK} is finished" in process.said and weights.stat().st_mtime_ns == written
    teacher = ("--teacher", uninterrupted / "model", "--distillation", 0.7)
    with trainer.start(*options(dataset, *teacher, model=SMALLEST, epochs=1), cwd=tmp_path) as p:
        assert p.end() == 0, p.said
    record = LandslideModel.from_pretrained(tmp_path / "runs" / SMALLEST / "model").record
    assert record is not None
    assert record.recipe["teachers"] == f"{NETWORK} sha256:{file_sha256(weights)}"


def test_true_colour_is_trained_on_pictures(dataset: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "pictures", {"train": 4, "validation": 2}, kind="png", size=32)
    arguments = options("pictures", "--bands", "rgb", model=SMALLEST, epochs=1)
    with trainer.start(*arguments, "--dtype", "float16", cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    model = LandslideModel.from_pretrained(tmp_path / "runs" / f"{SMALLEST}-rgb" / "model")
    assert model.config.unit == "display" and model.config.dtype == "float16"
    # Its own patches and the other kind of file alike.
    model.predict(read_patch(tmp_path / "pictures" / "images" / "train" / "image_1.png"))
    model.predict(read_patch(dataset / "images" / "test" / "image_1.h5"))


def test_two_processes_validate_as_one_and_publish(
    dataset: Path, hub: LoopbackHub, tmp_path: Path
) -> None:
    name = f"{hub.namespace}/patches"
    hub.api().create_repo(name, repo_type="dataset")
    hub.api().upload_folder(repo_id=name, repo_type="dataset", folder_path=dataset)
    # Weights that stay as they were after the first batch, which is the same in both.
    still = ["--learning-rate", 1e-30, "--ema-decay", 1 - 1e-16]
    arguments = options(name, *still, "--push-to", hub.namespace, model=SMALLEST, epochs=1)
    with trainer.launch_two(
        *arguments, "--tracker", "tensorboard", cwd=tmp_path, env=hub.env(hub.token)
    ) as process:
        assert process.end() == 0, process.said
    assert "2 process(es)" in process.said and "Traceback" not in process.said
    # Thirteen patches in batches of four, dealt to two: a bar of one step, shown once.
    assert len(re.findall(r"epoch 1: [^\r\n]*\| 0/1", process.said)) == 1
    run = tmp_path / "runs" / SMALLEST
    record = json.loads((run / "model" / "record.json").read_text())
    assert record["recipe"]["processes"] == 2 and record["data"]["name"] == name
    assert list((run / "landslide-zoo").glob("**/events.*"))
    pushed = Path(hub.api().hf_hub_download(f"{hub.namespace}/{SMALLEST}", "model.safetensors"))
    assert file_sha256(pushed) == file_sha256(run / "model" / "model.safetensors")

    alone = options(dataset, *still, "--output", "alone", model=SMALLEST, epochs=1)
    with trainer.start(*alone, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    one, two = (
        [[row[score] for score in ("precision", "recall", "f1", "iou")] for row in metrics(folder)]
        for folder in (tmp_path / "alone" / SMALLEST, run)
    )
    assert one == two and float(one[0][2]) > 0


def test_training_that_diverges_ends_with_one_sentence(dataset: Path, tmp_path: Path) -> None:
    diverging = ("--learning-rate", "1e30", "--max-grad-norm", "0", "--schedule", "constant")
    with trainer.start(*options(dataset, *diverging), cwd=tmp_path) as process:
        assert process.end() == 1
        assert "is not finite" in process.sentence
    assert not (tmp_path / "runs" / NETWORK / "model").exists()
