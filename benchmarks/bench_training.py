"""How many patches a second are trained on and read: ``make bench``.

Run it alone, for it uses every core::

    python benchmarks/bench_training.py

Training is measured on the trainer's own pieces, one step after another at batch
16 with 14 bands of 128 x 128 pixels: in full precision, in bf16, and in bf16
with channels last, which is the trainer's way; then by ``train_accelerate.py``
itself, which reads and augments its patches besides. Reading is measured on
patches that the operating system holds in memory already.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from measuring import in_turn, significant, write_results

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

from synthetic_patches import write_dataset  # noqa: E402

from landslide_zoo.data.landslide4sense import find_samples, labelled  # noqa: E402
from landslide_zoo.data.readers import read_patch  # noqa: E402
from landslide_zoo.inference.model import LandslideModel  # noqa: E402
from landslide_zoo.training import TrainConfig  # noqa: E402
from landslide_zoo.training.optimisation import (  # noqa: E402
    build_ema,
    build_loss,
    build_optimizer,
)

MODELS = ("unet-resnet34", "unet-mobilenet_v2")
BATCH = 16
SCRIPT = ROOT / "train_accelerate.py"
WAYS = {
    "fp32": (False, False),
    "bf16": (True, False),
    "bf16, channels last": (True, True),
}
"""Ways of training: whether in bf16, and whether with channels last in memory."""


def training_step(name: str, bf16: bool, channels_last: bool) -> Callable[[], None]:
    """One step of the trainer: forward, backward, clip, update, average."""
    torch.manual_seed(0)
    model = LandslideModel.from_catalog(name).train()
    if channels_last:
        model.to(memory_format=torch.channels_last)
    config = TrainConfig(model=[name], data="patches").for_model(name)
    optimizer, ema = build_optimizer(model, config), build_ema(model, config)
    criterion = build_loss(config)
    values = 1000 * torch.rand(BATCH, len(model.config.bands), 128, 128)
    mask = (torch.rand(BATCH, 1, 128, 128) < 0.1).float()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(values)
        criterion(logits.float(), mask).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        ema.update_parameters(model)

    return step


def patches_a_second(
    ways: dict[str, Callable[[], None]], patches: int, rounds: int
) -> dict[str, float]:
    """The median over the rounds of ways that have their turn, by name."""
    found = in_turn(ways, rounds, warm=False)
    return {name: significant(1000 * patches / spread["median"]) for name, spread in found.items()}


def trainer_speed(name: str, data: Path, output: Path) -> float:
    """Patches a second by the log of ``train_accelerate.py``, of its second epoch."""
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"),
        *("--num_machines", "1", "--dynamo_backend", "no", "--mixed_precision", "bf16"),
        *("--num_cpu_threads_per_process", str(torch.get_num_threads()), str(SCRIPT)),
        *("--model", name, "--data", str(data), "--encoder-weights", "none", "--epochs", "2"),
        *("--batch-size", str(BATCH), "--tracker", "none", "--output", str(output)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    log = (output / name / "train.log").read_text()
    return float(re.findall(r"([\d.]+) patches/s", log)[1])


def training_speeds(data: Path, output: Path, steps: int) -> dict[str, dict[str, float]]:
    """Patches a second of each network in each way."""
    found = {}
    for name in MODELS:
        steps_of = {way: training_step(name, *how) for way, how in WAYS.items()}
        found[name] = patches_a_second(steps_of, BATCH, steps)
        *_, trainers_way = WAYS
        found[name]["times over fp32"] = significant(
            found[name][trainers_way] / found[name]["fp32"]
        )
        found[name][SCRIPT.name] = trainer_speed(name, data, output)
        print(name, found[name], file=sys.stderr)
    return found


def reading_speeds(data: Path, repeats: int) -> dict[str, float]:
    """Patches a second from files, masks included."""
    samples = labelled(find_samples(data))

    def from_files() -> None:
        for sample in samples:
            read_patch(sample.image, sample.mask)

    return patches_a_second({"files": from_files}, len(samples), repeats)


def main(
    steps: Annotated[int, typer.Option(min=1, help="Steps or passes measured.")] = 10,
    patches: Annotated[int, typer.Option(min=32, help="Synthetic train patches.")] = 96,
) -> None:
    """Measure training and reading, in patches a second."""
    with tempfile.TemporaryDirectory() as temporary:
        data, runs = Path(temporary) / "patches", Path(temporary) / "runs"
        write_dataset(data, {"train": patches, "validation": 4}, size=128)
        figures = {
            "batch": BATCH,
            "steps": steps,
            "training_patches_per_s": training_speeds(data, runs, steps),
            "reading_patches_per_s": reading_speeds(data, runs, steps),
        }
    write_results("training", figures)


if __name__ == "__main__":
    typer.run(main)
