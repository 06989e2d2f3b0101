"""What the documentation of training says, against accelerate and the script themselves."""

from __future__ import annotations

import re

import pytest
import typer
from accelerate.commands.config import load_config_from_file
from trainer import ROOT, SCRIPT

CONFIGS = {path.stem: path for path in (ROOT / "configs").glob("*.yaml")}


def test_there_is_one_for_each_way_to_train() -> None:
    assert set(CONFIGS) == {"cpu", "cpu_2_processes", "1_gpu", "8_gpus", "2_nodes"}


@pytest.mark.parametrize(
    ("name", "kind", "machines", "processes"),
    [
        ("cpu", "NO", 1, 1),
        ("cpu_2_processes", "MULTI_GPU", 1, 2),
        ("1_gpu", "NO", 1, 1),
        ("8_gpus", "MULTI_GPU", 1, 8),
        ("2_nodes", "MULTI_GPU", 2, 16),
    ],
)
def test_accelerate_reads_what_is_meant(
    name: str, kind: str, machines: int, processes: int
) -> None:
    config = load_config_from_file(str(CONFIGS[name]))
    # MULTI_GPU is accelerate's name for distributed data parallel.
    assert config.distributed_type == kind
    assert (config.num_machines, config.num_processes) == (machines, processes)
    assert config.use_cpu == (name == "cpu")
    assert config.mixed_precision == ("no" if name.startswith("cpu") else "bf16")
    assert not config.fsdp_config and not config.deepspeed_config


def test_documented_commands_name_options_and_configurations_that_there_are() -> None:
    import train_accelerate

    options = {
        name
        for option in typer.main.get_command(train_accelerate.app).params
        for name in option.opts
    }
    commands = [
        line.replace("\\\n", " ")
        for path in (ROOT / "README.md", ROOT / "docs" / "training.md", SCRIPT)
        for line in re.findall(
            r"(?:[^\n]*\\\n)*[^\n]*train_accelerate\.py(?:[^\n]*\\\n)*[^\n]*", path.read_text()
        )
        if "accelerate launch" in line
    ]
    assert len(commands) >= 10
    used, configs = set(), set()
    for command in commands:
        launch, _, arguments = command.partition("train_accelerate.py")
        used |= set(re.findall(r"(?<!\S)--[a-z-]+", arguments.partition("#")[0]))
        configs |= set(re.findall(r"configs/(\w+)\.yaml", launch))
    assert {"--model", "--data", "--push-to", "--workers"} <= used <= options
    assert configs == set(CONFIGS)
