"""How many patches a second are trained on and read, on this machine.

Run it alone, for it uses every core::

    python benchmarks/bench_training.py --output benchmarks/training.md

Training is measured on the trainer's own pieces, one step after another at batch
16 with 14 bands of 128 x 128 pixels: in full precision, in bf16, and in bf16
with channels last, which is the trainer's way; then by ``train_accelerate.py``
itself, which reads and augments its patches besides. Reading is measured on
patches that the operating system holds in memory already.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

from synthetic_patches import write_dataset  # noqa: E402

from landslide_zoo.data import find_samples, labelled, pack, read_patch  # noqa: E402
from landslide_zoo.models import LandslideModel  # noqa: E402
from landslide_zoo.training import TrainConfig  # noqa: E402
from landslide_zoo.training.losses import build_loss  # noqa: E402
from landslide_zoo.training.optimisation import build_ema, build_optimizer  # noqa: E402

MODELS = ("unet-resnet34", "unet-mobilenet_v2")
BATCH = 16
SCRIPT = ROOT / "train_accelerate.py"


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


def patches_a_second(work: Callable[[], None], patches: int, repeats: int) -> float:
    """The median over the repeats, after one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return patches / statistics.median(seconds)


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


def training_table(data: Path, output: Path, steps: int) -> Iterator[str]:
    """Markdown rows: patches a second of each network in each way."""
    yield "| network | fp32 | bf16 | bf16, channels last | over fp32 | train_accelerate.py, bf16 |"
    yield "|---|---|---|---|---|---|"
    for name in MODELS:
        speeds = [
            patches_a_second(training_step(name, bf16, channels_last), BATCH, steps)
            for bf16, channels_last in ((False, False), (True, False), (True, True))
        ]
        cells = [f"{speed:.1f}" for speed in speeds]
        cells += [f"{speeds[2] / speeds[0]:.2f} x", f"{trainer_speed(name, data, output):.1f}"]
        yield f"| {name} | {' | '.join(cells)} |"


def reading_table(data: Path, output: Path, repeats: int) -> Iterator[str]:
    """Markdown rows: patches a second from files and from the packed copy, masks included."""
    samples = labelled(find_samples(data))
    packed = pack(samples, output / "packed")

    def from_files() -> None:
        for sample in samples:
            read_patch(sample.image, sample.mask)

    def from_packed() -> None:
        for index in range(len(packed)):
            packed.patch(index)

    files, copy = (
        patches_a_second(work, len(samples), repeats) for work in (from_files, from_packed)
    )
    yield "| opening .h5 files | packed copy | over files |"
    yield "|---|---|---|"
    yield f"| {files:.0f} | {copy:.0f} | {copy / files:.1f} x |"


def main(
    output: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps or passes measured.")] = 10,
    patches: Annotated[int, typer.Option(min=32, help="Synthetic train patches.")] = 96,
) -> None:
    """Measure training and reading, in patches a second."""
    with tempfile.TemporaryDirectory() as temporary:
        data, runs = Path(temporary) / "patches", Path(temporary) / "runs"
        write_dataset(data, {"train": patches, "validation": 4}, size=128)
        lines = [
            "# Training and reading, in patches a second",
            "",
            f"By `python benchmarks/{Path(__file__).name}`: {_processor()}, "
            f"{torch.get_num_threads()} threads, torch {torch.__version__}, batch {BATCH}, "
            f"14 bands of 128 x 128; the median of {steps}.",
            "",
            "## Training",
            "",
            *training_table(data, runs, steps),
            "",
            "## Reading",
            "",
            *reading_table(data, runs, steps),
        ]
    text = "\n".join(lines) + "\n"
    print(text)
    if output is not None:
        output.write_text(text)


def _processor() -> str:
    """The processor's name, as Linux tells it, and the number of its cores."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    typer.run(main)
