"""One declaration of all options: the command line, the recipes, the file in a model folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from accelerate.commands.config import load_config_from_file
from trainer import ROOT

from landslide_zoo.errors import ModelError, TrainingError
from landslide_zoo.models import catalog
from landslide_zoo.training.config import CALLERS, TrainConfig, check_machine, parse_arguments

MINIMAL = ["--model", "unet", "--data", "patches"]


def test_the_command_line_sets_every_kind_of_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHS", "7")  # the environment sets nothing
    monkeypatch.setenv("seed", "7")
    words = """--model unet --model unet-resnet34 --data someone/patches --bands rgb --no-flips
        --split region:S3 --encoder-weights none --learning-rate 1e-4 --resume
        --tracker wandb --tracker none --push-to someone --output elsewhere"""
    config = parse_arguments(words.split())
    assert config.model == ["unet", "unet-resnet34"] and config.bands == "rgb"
    assert (config.epochs, config.seed, config.learning_rate, config.flips) == (24, 0, 1e-4, False)
    assert (config.resume, config.push_to, config.output) == (True, "someone", Path("elsewhere"))
    assert config.trackers == ["wandb"] and config.mixed_precision is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--model: field required"),
        ([*MINIMAL, "--epoch", "2"], "unrecognized arguments: --epoch 2"),
        ([*MINIMAL, "--batch-size", "1"], "--batch-size: input should be greater than or equal"),
        ([*MINIMAL, "--push-to", "some/one"], "--push-to: string should match"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(words)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_a_recipe_fills_in_what_is_not_given() -> None:
    def recipe(name: str, *words: str) -> TrainConfig:
        return parse_arguments([*MINIMAL, "--bands", "rgb", *words]).for_model(name)

    assert recipe("segformer-mit_b2").learning_rate == 5e-4
    assert recipe("segformer-mit_b2", "--learning-rate", "1e-3").learning_rate == 1e-3
    # A picture's light depends on its brightest pixel; a slope in degrees means something.
    assert recipe("unet-resnet34-rgb").scaling == "both"
    assert recipe("unet-resnet34").scaling == "train"
    assert recipe("unet").encoder_weights == "none"  # the plain U-Net has no pretrained encoder
    paper = recipe("unet-resnet34-rgb", "--recipe", "paper", "--epochs", "3")
    assert (paper.loss, paper.dice_share, paper.landslide_weight) == ("weighted-bce-dice", 0.5, 5)
    assert (paper.scaling, paper.flips, paper.brightness, paper.epochs) == ("none", False, 0, 3)
    assert (paper.ema_decay, paper.schedule, paper.tune_threshold) == (0, "constant", False)
    assert recipe("unet", "--recipe", "paper").loss == "bce"


def test_all_means_the_fifteen_and_names_may_end_in_rgb() -> None:
    names = TrainConfig(model=["all"], data="patches").names
    assert names == list(catalog.names()) and len(names) >= 15
    both = TrainConfig(model=["unet-rgb", "unet"], data="patches", bands="rgb")
    assert both.names == ["unet-rgb"]
    with pytest.raises(TrainingError, match="add --bands rgb"):
        _ = TrainConfig(model=["unet-rgb"], data="patches").names
    with pytest.raises(ModelError, match="resnet"):
        _ = TrainConfig(model=["resnet"], data="patches").names


def test_the_file_says_how_to_train_and_a_command_line_goes_over_it(tmp_path: Path) -> None:
    given = parse_arguments([*MINIMAL, "--recipe", "paper", "--output", "mine", "--resume"])
    file = tmp_path / "train_config.json"
    file.write_text(given.for_model("unet").to_json())
    assert not CALLERS & json.loads(file.read_text()).keys()
    again = parse_arguments(["--config", str(file), "--data", "moved", "--output", "other"])
    assert (again.data, again.output, again.resume) == ("moved", Path("other"), False)
    same = again.model_copy(update={"data": "patches"})
    assert same.for_model("unet").settings() == given.for_model("unet").settings()


@pytest.mark.parametrize(
    "content",
    [
        '{"model": ["unet"], "data": "d", "output": "/etc"}',
        '{"model": ["unet"], "data": "d", "push_to": "me"}',
        '{"model": ["unet"], "data": "d", "hook": "rm"}',
        "[]",
    ],
)
def test_a_file_cannot_write_publish_or_do_anything_else(content: str, tmp_path: Path) -> None:
    file = tmp_path / "train_config.json"
    file.write_text(content)
    with pytest.raises(TrainingError, match=file.name):
        parse_arguments(["--config", str(file)])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tracker", "wandb"], "wandb is not installed"),
        (["--push-to", "someone"], "needs a token"),
    ],
)
def test_what_this_machine_cannot_do_is_refused_at_once(words: list[str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        check_machine(parse_arguments([*MINIMAL, *words]))


@pytest.mark.parametrize(
    ("name", "processes"),
    [("cpu", 1), ("cpu_2_processes", 2), ("1_gpu", 1), ("8_gpus", 8), ("2_nodes", 16)],
)
def test_accelerate_reads_what_a_configuration_means(name: str, processes: int) -> None:
    config = load_config_from_file(str(ROOT / "configs" / f"{name}.yaml"))
    # MULTI_GPU is accelerate's name for distributed data parallel.
    assert config.distributed_type == ("NO" if processes == 1 else "MULTI_GPU")
    assert config.num_processes == processes
    assert config.mixed_precision == ("no" if name.startswith("cpu") else "bf16")
