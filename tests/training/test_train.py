"""Training as a user does it: started, killed, resumed, published; and refused with a sentence."""

from __future__ import annotations

import csv
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import trainer
from huggingface_hub.errors import RepositoryNotFoundError
from loopback_hub import LoopbackHub
from synthetic_patches import write_dataset

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.io import file_sha256

# Its encoder drops connections at random, so that a resumed run needs its generators back.
NETWORK = "unet-efficientnet-b0"
SMALLEST = "unet-mobilenet_v2"

PREDICT = """
import sys, numpy
from landslide_zoo import LandslideModel, read_patch
model = LandslideModel.from_pretrained(sys.argv[1], device="cpu")
prediction = model.predict(read_patch(sys.argv[2]))
numpy.savez(sys.argv[3], probability=prediction.probability, mask=prediction.mask)
"""


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


def test_a_finished_run_holds_all_it_should(uninterrupted: Path, dataset: Path) -> None:
    names = {path.name for path in uninterrupted.iterdir()}
    kept = {"run.json", "run.lock", "train.log", "metrics.csv", "curves.png"}
    assert names == kept | {"checkpoints", "model"}
    model = LandslideModel.from_pretrained(uninterrupted / "model")
    record = model.record
    assert record is not None
    assert record.data.patches == {"train": 13, "validation": 5, "test": 3}
    assert [(one.protocol, one.subset, one.patches) for one in record.results] == [
        ("folder", "validation", 5),
        ("folder", "test", 3),
    ]
    assert [access.subset for access in record.test_accesses] == ["test"]
    assert record.epochs == 3 and len(metrics(uninterrupted)) == 3
    best = max(record.history, key=lambda row: row["f1"])
    assert record.best_epoch == best["epoch"]
    assert record.recipe["batch_size"] == 4 and record.recipe["processes"] == 1
    assert record.command.startswith("accelerate launch train_accelerate.py --model ")
    assert record.command.endswith("--tracker none --mixed-precision no")
    validation = record.results[0]
    assert model.config.threshold == validation.threshold
    landslides = validation.true_positives + validation.false_negatives
    others = validation.false_positives + validation.true_negatives
    assert landslides + others == 5 * 32 * 32 - 3 * 32  # what is missing counts nowhere
    settings = json.loads((uninterrupted / "model" / "train_config.json").read_text())
    assert settings["epochs"] == 3 and settings["mixed_precision"] == "no"
    assert settings["data"] == record.data.name == dataset.name
    for file in ("record.json", "train_config.json", "README.md"):
        assert str(dataset.parent) not in (uninterrupted / "model" / file).read_text()


def test_killed_damaged_and_resumed_gives_the_weights_of_a_run_undisturbed(
    dataset: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / NETWORK
    resume = options(dataset, "--resume")
    # Two reading processes, where the undisturbed run has none.
    with trainer.start(*options(dataset, "--workers", 2), cwd=tmp_path) as process:
        process.read_until(r"epoch 3: [^\r\n]*\| 1/")
        with trainer.start(*resume, cwd=tmp_path) as second:
            assert second.end() == 1
            assert "Another process trains in runs/" in second.sentence
    assert len(metrics(run)) == 2 and not (run / "model").exists()

    # On a disk without room for a checkpoint, of 25 MB and more.
    with trainer.start(*resume, cwd=tmp_path, largest_file=5_000_000) as process:
        assert process.end() == 1
        assert re.search(r"A checkpoint cannot be written to .* --resume", process.sentence)
    weights = run / "checkpoints" / "epoch-0002" / "custom_checkpoint_1.pkl"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with trainer.start(*resume, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    assert "checkpoint epoch-0002 is damaged" in process.said
    assert "resuming after epoch 1" in process.said
    for name in ("model.safetensors", "config.json"):
        one, other = (folder / "model" / name for folder in (run, uninterrupted))
        assert file_sha256(one) == file_sha256(other)
    assert metrics(run) == metrics(uninterrupted)
    log = (run / "train.log").read_text()
    assert all(f"epoch {epoch}: loss" in log for epoch in (1, 2, 3))


def test_what_is_finished_is_skipped_and_what_is_not_learns_from_it(
    uninterrupted: Path, dataset: Path
) -> None:
    weights = uninterrupted / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    folder = uninterrupted.parents[1]
    with trainer.start(*options(dataset, "--model", SMALLEST), cwd=folder) as process:
        process.read_until(f"{SMALLEST}: ")
    assert f"{NETWORK} is finished" in process.said
    assert weights.stat().st_mtime_ns == written

    taught = options(dataset, "--output", "taught", "--distillation", 0.7, model=SMALLEST, epochs=1)
    with trainer.start(*taught, "--teacher", uninterrupted / "model", cwd=folder) as process:
        assert process.end() == 0, process.said
    record = LandslideModel.from_pretrained(folder / "taught" / SMALLEST / "model").record
    assert record is not None
    assert record.recipe["teachers"] == f"{NETWORK} sha256:{file_sha256(weights)}"
    assert record.recipe["distillation"] == 0.7
    with trainer.start(*taught, cwd=folder) as process:
        assert process.end() == 1
        assert "started with other settings (teacher)" in process.sentence


def test_what_the_hub_refused_is_published_on_another_try(
    uninterrupted: Path, dataset: Path, hub: LoopbackHub
) -> None:
    push = options(dataset, "--push-to", hub.namespace)
    weights = uninterrupted / "model" / "model.safetensors"
    repo = f"{hub.namespace}/{NETWORK}"
    with trainer.start(*push, cwd=uninterrupted.parents[1], token=hub.read_token) as process:
        assert process.end() == 1
        assert f"The Hub refuses this for {repo}" in process.sentence
    with pytest.raises(RepositoryNotFoundError):
        hub.api().model_info(repo)
    with trainer.start(*push, cwd=uninterrupted.parents[1], token=hub.token) as process:
        assert process.end() == 0, process.said
    assert f"{NETWORK} is published: http" in process.said
    for name in ("model.safetensors", "train_config.json"):
        pushed = Path(hub.api().hf_hub_download(repo, name))
        assert file_sha256(pushed) == file_sha256(weights.with_name(name))


def test_early_stopping_outlasts_a_kill(dataset: Path, tmp_path: Path) -> None:
    # Nothing can be found where there is nothing: after the first epoch two more, then the end.
    data = Path(shutil.copytree(dataset, tmp_path / "patches"))
    for mask in (data / "annotations" / "validation").iterdir():
        with h5py.File(mask, "r+") as file:
            file["mask"][:] = 0
    patient = options(data, "--patience", 2, model=SMALLEST, epochs=9)
    with trainer.start(*patient, cwd=tmp_path) as process:
        process.read_until("no better F1 for 2 epochs")
    run = tmp_path / "runs" / SMALLEST
    assert len(metrics(run)) == 3
    with trainer.start(*patient, "--resume", cwd=tmp_path) as process:
        process.read_until("no better F1 for 2 epochs")
    assert len(metrics(run)) == 3


def test_accumulated_steps_are_one_larger_step(dataset: Path, tmp_path: Path) -> None:
    # Four times one patch: batch normalisation sees the same in two as in four.
    same = tmp_path / "same"
    for subset in ("train", "validation"):
        for number in range(1, 5):
            for kind, name in (("images", "image"), ("annotations", "mask")):
                target = same / kind / subset / f"{name}_{number}.h5"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(dataset / kind / "train" / f"{name}_5.h5", target)
    losses = {}
    for name, batch, steps in (("whole", 4, 1), ("parts", 2, 2), ("apart", 2, 1)):
        arguments = options(
            *(same, "--recipe", "paper", "--scaling", "train", "--loss", "bce", "--output", name),
            *("--batch-size", batch, "--gradient-accumulation-steps", steps),
            model=SMALLEST,
        )
        with trainer.start(*arguments, cwd=tmp_path) as process:
            process.read_until("epoch 3: loss .*patches/s")
            process.end()
        losses[name] = [float(row["loss"]) for row in metrics(tmp_path / name / SMALLEST)]
    # Sums of two and of four differ in their last bits, and Adam enlarges the smallest gradients.
    np.testing.assert_allclose(losses["parts"], losses["whole"], rtol=0.05)
    assert losses["apart"][-1] < 0.9 * losses["whole"][-1]  # twice as many updates


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


def test_two_processes_validate_as_one_publish_and_pull(
    dataset: Path, hub: LoopbackHub, tmp_path: Path
) -> None:
    name = f"{hub.namespace}/patches"
    hub.api().create_repo(name, repo_type="dataset")
    hub.api().upload_folder(repo_id=name, repo_type="dataset", folder_path=dataset)
    # Weights that stay as they were after the first batch, which is the same in both.
    still = ["--learning-rate", 1e-30, "--ema-decay", 1 - 1e-16]
    arguments = options(name, *still, "--push-to", hub.namespace, model=SMALLEST, epochs=2)
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

    alone = options(dataset, *still, "--output", "alone", model=SMALLEST, epochs=2)
    with trainer.start(*alone, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    scores = ("precision", "recall", "f1", "iou")
    one, two = (
        [[row[score] for score in scores] for row in metrics(tmp_path / output / SMALLEST)]
        for output in ("alone", "runs")
    )
    assert one == two and float(one[0][2]) > 0

    patch = dataset / "images" / "test" / "image_1.h5"
    before = LandslideModel.from_pretrained(run / "model", device="cpu").predict(patch)
    pull = [sys.executable, "-c", PREDICT, f"{hub.namespace}/{SMALLEST}", patch, "pulled.npz"]
    subprocess.run([str(word) for word in pull], cwd=tmp_path, env=hub.env(), check=True)
    after = np.load(tmp_path / "pulled.npz")
    np.testing.assert_array_equal(after["mask"], before.mask)
    np.testing.assert_array_equal(after["probability"], before.probability)

    # Fewer processes would make it another training.
    with trainer.start(*arguments[:-4], cwd=tmp_path) as process:
        assert process.end() == 1
        assert "started with other settings" in process.sentence and "processes" in process.sentence


def _corrupt(data: Path) -> None:
    image = data / "images" / "train" / "image_3.h5"
    image.write_bytes(image.read_bytes()[:5000])


def test_two_machines_say_what_is_wrong_once(dataset: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(dataset, tmp_path / "patches"))
    _corrupt(data)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    here = ("--num_processes", 2, "--main_process_ip", "127.0.0.1", "--main_process_port", port)
    with (
        trainer.launch("2_nodes", *options(data), options=here, cwd=tmp_path) as first,
        trainer.launch(
            "2_nodes", *options(data), options=(*here, "--machine_rank", 1), cwd=tmp_path
        ) as second,
    ):
        assert first.end() == 1
        assert second.end() == 1
    assert first.said.count("image_3.h5 cannot be read") == 1
    assert "image_3.h5" not in second.said
    # What follows is the launcher's own; neither process has a traceback.
    assert "[rank" not in first.said + second.said and first.said.count("Traceback") <= 1


def _mask_of_other_size(data: Path) -> None:
    with h5py.File(data / "annotations" / "validation" / "mask_2.h5", "w") as file:
        file["mask"] = np.zeros((48, 48), np.uint8)


def _no_validation(data: Path) -> None:
    shutil.rmtree(data / "annotations" / "validation")


def _one_train_patch(data: Path) -> None:
    for number in range(2, 14):
        (data / "images" / "train" / f"image_{number}.h5").unlink()


BAD_DATA: dict[str, tuple[Callable[[Path], None], str]] = {
    "mask of another size": (_mask_of_other_size, "images/validation: .*mask_2.h5 .*48 x 48"),
    "empty split": (_no_validation, "split leaves no labelled patch for validation"),
    "one patch": (_one_train_patch, r"1 train patches are too few for 1 process\(es\)"),
    "no data": (shutil.rmtree, "There is no folder .*patches; give a folder or"),
}


@pytest.mark.parametrize("fault", BAD_DATA)
def test_bad_data_is_one_sentence_that_names_it(fault: str, dataset: Path, tmp_path: Path) -> None:
    spoil, sentence = BAD_DATA[fault]
    data = Path(shutil.copytree(dataset, tmp_path / "patches"))
    spoil(data)
    with trainer.start(*options(data), cwd=tmp_path) as process:
        assert process.end() == 1
        assert re.search(sentence, process.sentence)
    assert not (tmp_path / "runs" / NETWORK).exists()


BAD_SETTINGS: dict[str, tuple[list[str], str]] = {
    "network": (["--model", "resnet"], "There is no network 'resnet'; the zoo has unet"),
    "teacher": (["--teacher", "nobody"], "There is no model 'nobody'"),
    "bad weights": (["--encoder-weights", "junk.pth"], "junk.pth holds no weights that can be"),
}


@pytest.mark.parametrize("fault", BAD_SETTINGS)
def test_bad_settings_are_one_sentence_and_leave_no_run_folder(
    fault: str, dataset: Path, tmp_path: Path
) -> None:
    more, sentence = BAD_SETTINGS[fault]
    (tmp_path / "junk.pth").write_bytes(b"no weights at all")
    with trainer.start(*options(dataset, *more), cwd=tmp_path) as process:
        assert process.end() == 1, process.said
        assert re.search(sentence, process.sentence)
    assert not (tmp_path / "runs" / NETWORK).exists()


def test_a_loss_that_is_not_finite_ends_the_run(dataset: Path, tmp_path: Path) -> None:
    wild = ["--learning-rate", 1e30, "--max-grad-norm", 0, "--schedule", "constant"]
    with trainer.start(*options(dataset, *wild), cwd=tmp_path) as process:
        assert process.end() == 1
        assert f"The loss of {NETWORK} is not finite in epoch 1: lower" in process.sentence
    assert not (tmp_path / "runs" / NETWORK / "model").exists()
