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
from labelled_data import write_png_pair
from loopback_hub import LoopbackHub
from patch_files import write_bad_patch

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.data.synthetic import write_dataset
from landslide_zoo.models.record import file_sha256

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


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "patches"
    write_dataset(folder, train=12, validation=4, test=3, size=(64, 64))
    return folder


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


@pytest.fixture(scope="module")
def _interrupted(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    # Two reading processes, where the undisturbed run has none.
    with trainer.start(*options(dataset, "--workers", 2), cwd=folder) as process:
        process.read_until(r"epoch 2: [^\r\n]*\| 1/")
    return folder


@pytest.fixture
def interrupted(_interrupted: Path, tmp_path: Path) -> Path:
    """Where a run was killed in its second epoch; the test may change it."""
    return Path(shutil.copytree(_interrupted, tmp_path / "interrupted"))


def metrics(run: Path) -> list[dict[str, str]]:
    """The figures of each epoch, but for how long it took."""
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same_model(run: Path, other: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        assert file_sha256(run / "model" / name) == file_sha256(other / "model" / name)
    assert metrics(run) == metrics(other)


def test_a_finished_run_holds_all_it_should(uninterrupted: Path) -> None:
    names = {path.name for path in uninterrupted.iterdir()}
    assert names == {"run.json", "train.log", "metrics.csv", "curves.png", "checkpoints", "model"}
    model = LandslideModel.from_pretrained(uninterrupted / "model")
    record = model.record
    assert record is not None
    assert record.data.patches == {"train": 12, "validation": 4, "test": 3}
    assert record.data.synthetic and record.data.protocol == "folder"
    assert [(one.protocol, one.subset, one.patches) for one in record.results] == [
        ("folder", "validation", 4),
        ("folder", "test", 3),
    ]
    assert record.epochs == 3 and len(metrics(uninterrupted)) == 3
    best = max(record.history, key=lambda row: row["f1"])
    assert record.best_epoch == best["epoch"]
    assert record.recipe["batch_size"] == 4 and record.recipe["processes"] == 1
    assert "--mixed-precision no" in record.command
    assert model.config.threshold == record.results[0].threshold


def test_killed_and_resumed_gives_the_weights_of_a_run_undisturbed(
    interrupted: Path, dataset: Path, uninterrupted: Path
) -> None:
    run = interrupted / "runs" / NETWORK
    assert len(metrics(run)) == 1 and not (run / "model").exists()

    # First on a disk without room for a checkpoint, of 25 MB and more.
    resume = options(dataset, "--resume")
    with trainer.start(*resume, cwd=interrupted, largest_file=5_000_000) as process:
        assert process.end() == 1
        assert re.search(r"A checkpoint cannot be written to .* --resume", process.sentence)
    assert [path.name for path in (run / "checkpoints").glob("epoch-*")] == ["epoch-0001"]

    with trainer.start(*resume, cwd=interrupted) as process:
        assert process.end() == 0, process.said
        assert "resuming after epoch 1" in process.said
    assert_same_model(run, uninterrupted)
    log = (run / "train.log").read_text()
    assert all(f"epoch {epoch}: loss" in log for epoch in (1, 2, 3))


def test_an_unfinished_run_is_gone_on_with_only_as_it_was_begun(
    interrupted: Path, dataset: Path
) -> None:
    before = (interrupted / "runs" / NETWORK / "run.json").read_bytes()
    for arguments, sentence in [
        (options(dataset), "holds an unfinished run: add --resume to go on with it"),
        (options(dataset, "--resume", epochs=4), r"begun with other settings \(epochs\)"),
        (options(dataset, "--resume", "--seed", 1), r"begun with other settings \(seed\)"),
    ]:
        with trainer.start(*arguments, cwd=interrupted) as process:
            assert process.end() == 1
            assert re.search(sentence, process.sentence)
    assert (interrupted / "runs" / NETWORK / "run.json").read_bytes() == before


def test_what_is_finished_is_skipped_and_what_is_not_is_trained(
    uninterrupted: Path, dataset: Path
) -> None:
    weights = uninterrupted / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    both = options(dataset, "--model", "unet-mobilenet_v2")
    with trainer.start(*both, cwd=uninterrupted.parents[1]) as process:
        assert process.end() == 0, process.said
    assert f"{NETWORK} is finished" in process.said
    assert weights.stat().st_mtime_ns == written
    assert (uninterrupted.parent / "unet-mobilenet_v2" / "model" / "record.json").is_file()


def test_what_the_hub_refused_is_published_on_another_try(
    uninterrupted: Path, dataset: Path, hub: LoopbackHub
) -> None:
    push = options(dataset, "--push-to", hub.namespace)
    weights = uninterrupted / "model" / "model.safetensors"
    for token, status, sentence in [
        (hub.read_token, 1, f"The Hub refuses this for {hub.namespace}/{NETWORK}"),
        (hub.token, 0, f"{NETWORK} is published: http"),
    ]:
        with trainer.start(*push, cwd=uninterrupted.parents[1], token=token) as process:
            assert process.end() == status
        assert "Traceback" not in process.said and sentence in process.said
    pushed = hub.api().hf_hub_download(f"{hub.namespace}/{NETWORK}", "model.safetensors")
    assert file_sha256(Path(pushed)) == file_sha256(weights)


def test_early_stopping_outlasts_a_kill(dataset: Path, tmp_path: Path) -> None:
    # Nothing can be found where there is nothing: after the first epoch two more, then the end.
    data = Path(shutil.copytree(dataset, tmp_path / "patches"))
    for number in range(1, 5):
        with h5py.File(data / "annotations" / "validation" / f"mask_{number}.h5", "r+") as file:
            file["mask"][:] = 0
    patient = options(data, "--set", "patience=2", model=SMALLEST, epochs=9)
    with trainer.start(*patient, cwd=tmp_path) as process:
        process.read_until("no better F1 for 2 epochs")
    run = tmp_path / "runs" / SMALLEST
    assert len(metrics(run)) == 3
    with trainer.start(*patient, "--resume", cwd=tmp_path) as process:
        assert process.end() == 0, process.said
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
    for name, batch, accumulate in (("whole", 4, 1), ("parts", 2, 2), ("apart", 2, 1)):
        arguments = options(
            *(same, "--recipe", "paper", "--set", "scaling=train", "--set", "loss=bce"),
            *("--accumulate", accumulate, "--batch-size", batch, "--output", name),
            model=SMALLEST,
        )
        with trainer.start(*arguments, cwd=tmp_path) as process:
            assert process.end() == 0, process.said
        losses[name] = [float(row["loss"]) for row in metrics(tmp_path / name / SMALLEST)]
    # Sums of two and of four differ in their last bits, and Adam enlarges the smallest gradients.
    np.testing.assert_allclose(losses["parts"], losses["whole"], rtol=0.05)
    assert losses["apart"][-1] < 0.9 * losses["whole"][-1]  # twice as many updates


def test_true_colour_is_trained_on_pictures_and_on_patches(dataset: Path, tmp_path: Path) -> None:
    for subset, count in (("train", 6), ("validation", 2)):
        for number in range(count):
            write_png_pair(tmp_path / "pictures", number, subset)
    for data, output in ((tmp_path / "pictures", "one"), (dataset, "other")):
        arguments = options(data, "--bands", "rgb", "--output", output, model=SMALLEST, epochs=1)
        with trainer.start(*arguments, "--dtype", "float16", cwd=tmp_path) as process:
            assert process.end() == 0, process.said
        folder = tmp_path / output / f"{SMALLEST}-rgb" / "model"
        model = LandslideModel.from_pretrained(folder)
        assert model.config.unit == "display" and model.config.dtype == "float16"
        # Its own patches and the other kind of file alike.
        model.predict(read_patch(tmp_path / "pictures" / "images" / "train" / "image_0.png"))
        model.predict(read_patch(dataset / "images" / "test" / "image_1.h5"))


def test_two_processes_killed_resumed_published_and_pulled(
    dataset: Path, hub: LoopbackHub, tmp_path: Path
) -> None:
    name = f"{hub.namespace}/patches"
    hub.api().create_repo(name, repo_type="dataset")
    hub.api().upload_folder(repo_id=name, repo_type="dataset", folder_path=dataset)
    arguments = options(
        *(name, "--model", SMALLEST, "--push-to", hub.namespace, "--resume"),
        *("--tracker", "tensorboard"),
        epochs=2,
    )
    env = hub.env(hub.token)
    with trainer.launch_two(*arguments, cwd=tmp_path, env=env) as process:
        process.read_until(r"epoch 2: [^\r\n]*\| 1/")
    assert f"{NETWORK}: {{'train': 12, 'validation': 4, 'test': 3}} patches, 2 process(es)" in (
        process.said
    )
    # Twelve patches in batches of four, dealt to two: a bar of two steps, shown once.
    assert len(re.findall(r"epoch 1: [^\r\n]*\| 0/2", process.said)) == 1

    with trainer.launch_two(*arguments, cwd=tmp_path, env=env) as process:
        assert process.end() == 0, process.said
    assert "resuming after epoch 1" in process.said and "2 process(es)" in process.said
    assert "Traceback" not in process.said and "Warning" not in process.said
    for network in (NETWORK, SMALLEST):
        record = json.loads((tmp_path / "runs" / network / "model" / "record.json").read_text())
        assert record["recipe"]["processes"] == 2 and record["data"]["name"] == name
        assert list((tmp_path / "runs" / network / "landslide-zoo").glob("**/events.*"))

    patch = dataset / "images" / "test" / "image_1.h5"
    local = LandslideModel.from_pretrained(tmp_path / "runs" / NETWORK / "model", device="cpu")
    before = local.predict(read_patch(patch))
    pull = [sys.executable, "-c", PREDICT, f"{hub.namespace}/{NETWORK}", patch, "pulled.npz"]
    subprocess.run([str(word) for word in pull], cwd=tmp_path, env=hub.env(), check=True)
    after = np.load(tmp_path / "pulled.npz")
    np.testing.assert_array_equal(after["mask"], before.mask)
    np.testing.assert_array_equal(after["probability"], before.probability)

    # Fewer processes would make it another training.
    with trainer.start(*options(name, "--model", SMALLEST, epochs=2), cwd=tmp_path) as process:
        assert process.end() == 1
        assert "begun with other settings (processes)" in process.sentence


def test_counts_are_the_same_on_one_machine_and_on_two(
    uninterrupted: Path, dataset: Path, tmp_path: Path
) -> None:
    script = trainer.ROOT / "tests" / "validation_script.py"

    def launch(config: str, target: str, *options: object) -> trainer.Trainer:
        arguments = (uninterrupted, dataset, tmp_path / target)
        return trainer.launch(config, *arguments, options=options, cwd=tmp_path, script=script)

    with launch("cpu", "one.npy") as process:
        assert process.end() == 0, process.said
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    here = ("--num_processes", 2, "--main_process_ip", "127.0.0.1", "--main_process_port", port)
    with (
        launch("2_nodes", "two.npy", *here) as first,
        launch("2_nodes", "none.npy", *here, "--machine_rank", 1) as second,
    ):
        assert first.end() == 0, first.said
        assert second.end() == 0, second.said
    assert "2 processes" in first.said and "1 processes" in process.said
    counts = [np.load(tmp_path / name) for name in ("one.npy", "two.npy")]
    assert counts[0].sum() == 16 * 64 * 64
    np.testing.assert_array_equal(counts[0], counts[1])


def _corrupt(data: Path) -> None:
    image = data / "images" / "train" / "image_3.h5"
    write_bad_patch("truncated", data).replace(image)


def _mask_of_other_size(data: Path) -> None:
    with h5py.File(data / "annotations" / "validation" / "mask_2.h5", "w") as file:
        file["mask"] = np.zeros((32, 32), np.uint8)


def _no_validation(data: Path) -> None:
    shutil.rmtree(data / "annotations" / "validation")


def _three_patches(data: Path) -> None:
    for number in range(2, 13):
        (data / "images" / "train" / f"image_{number}.h5").unlink()


BAD_DATA: dict[str, tuple[Callable[[Path], None], str]] = {
    "corrupt patch": (_corrupt, "images/train: image_3.h5 cannot be read: it is cut short"),
    "mask of another size": (
        _mask_of_other_size,
        "images/validation: The mask mask_2.h5 is 32 x 32 and the patch image_2.h5 64 x 64",
    ),
    "empty split": (_no_validation, "split leaves no labelled patch for validation among 15"),
    "one patch": (_three_patches, r"1 train patches are too few for 1 process\(es\)"),
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
    assert not (tmp_path / "runs" / NETWORK / "model").exists()


def test_two_processes_say_what_is_wrong_once(dataset: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(dataset, tmp_path / "patches"))
    _corrupt(data)
    with trainer.launch_two(*options(data), cwd=tmp_path) as process:
        assert process.end() == 1
    assert process.said.count("image_3.h5 cannot be read") == 1
    # What follows is the launcher's own; neither process has a traceback.
    assert "[rank" not in process.said and process.said.count("Traceback") <= 1


BAD_SETTINGS: dict[str, tuple[list[str], str]] = {
    "split": (["--split", "weekly"], "There is no split 'weekly': use folder, random"),
    "official": (["--split", "official"], "The official split has {'train': 3799"),
    "setting": (["--set", "speed=2"], "A recipe has no setting 'speed'; it has epochs"),
    "value": (["--set", "loss=best"], "--set loss=best: Input should be 'bce', "),
    "recipe": (["--recipe", "best"], "There is no recipe 'best'; there are standard, paper"),
    "network": (["--model", "resnet"], "There is no network 'resnet'; the zoo has unet"),
    "true colour": (["--model", "unet-rgb"], "unet-rgb takes true colour alone: add --bands rgb"),
    "tracker": (["--tracker", "paper"], "There is no tracker 'paper'"),
    "half precision": (["--mixed-precision", "fp16"], "Mixed precision fp16 needs a GPU: use bf16"),
    "no weights": (["--encoder-weights", "none.pth"], "There is no file none.pth with encoder"),
    "bad weights": (["--encoder-weights", "junk.pth"], "junk.pth holds no weights that can be"),
    "bad tensors": (["--encoder-weights", "junk.safetensors"], "junk.safetensors holds no weights"),
    "no hub": (["--encoder-weights", "imagenet"], "The Hub has no repo smp-hub/efficientnet-b0"),
    "no number": (
        ["--set", "learning_rate=1e30", "--set", "clip=0", "--set", "schedule=constant"],
        f"The loss of {NETWORK} is no number in epoch 1: lower learning_rate",
    ),
}


@pytest.mark.parametrize("fault", BAD_SETTINGS)
def test_bad_settings_are_one_sentence_that_names_them(
    fault: str, dataset: Path, tmp_path: Path, hub: LoopbackHub
) -> None:
    more, sentence = BAD_SETTINGS[fault]
    for name in ("junk.pth", "junk.safetensors"):
        (tmp_path / name).write_bytes(b"no weights at all")
    with trainer.start(*options(dataset, *more), cwd=tmp_path) as process:
        assert process.end() == 1, process.said
        assert re.search(sentence, process.sentence)
    assert not list(tmp_path.glob("runs/*/model"))


def test_bad_usage_has_its_own_status(dataset: Path, tmp_path: Path) -> None:
    with trainer.start(*options(dataset, "--dtype", "int8"), cwd=tmp_path) as process:
        assert process.end() == 2
    assert "--dtype" in process.said and "Traceback" not in process.said
    assert list(tmp_path.iterdir()) == []
