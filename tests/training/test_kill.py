"""Killed at random moments, or with several processes: nothing is lost, nothing is different.

These tests take some minutes, so they have a make target of their own.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import trainer
from synthetic_patches import write_dataset

from landslide_zoo.io import file_sha256

# Its encoder drops connections at random, so that a resumed run needs its generators back.
NETWORK = "unet-efficientnet-b0"
EPOCHS = 40
KILLS = 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    arguments = begin(tmp_path, EPOCHS)
    with trainer.start(*arguments, "--output", "whole", cwd=tmp_path) as process:
        process.read_until("epoch 1: loss")
        begun = time.monotonic()
        assert process.end() == 0, process.said
        epoch = (time.monotonic() - begun) / EPOCHS

    seed = random.randrange(10_000)
    print(f"\nseed {seed}; an epoch takes {epoch:.2f} s")
    moments = random.Random(seed)
    run = tmp_path / "killed" / NETWORK
    for kill in range(1, KILLS + 1):
        resumed = trainer.start(*arguments, "--output", "killed", "--resume", cwd=tmp_path)
        with resumed as process:
            # What it says of an epoch comes in some seven pieces.
            ended = process.ends_within(moments.randrange(12), moments.uniform(0, epoch))
            assert not ended, f"it ended before it was killed {KILLS} times:\n{process.said}"
            saving = (run / "checkpoints" / ".new").exists()
        done = [path.name for path in run.glob("checkpoints/epoch-*")]
        print(f"kill {kill}: {done or 'before the first epoch'}{', while saving' * saving}")

    with trainer.start(*arguments, "--output", "killed", "--resume", cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    assert_same_model(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_processes_resume_to_the_same_weights(tmp_path: Path) -> None:
    arguments = begin(tmp_path, epochs=4)
    with trainer.launch_two(*arguments, "--output", "whole", cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    killed = [*arguments, "--output", "killed", "--resume"]
    with trainer.launch_two(*killed, cwd=tmp_path) as process:
        process.read_until(r"epoch 3: [^\r\n]*\| 1/")
    with trainer.launch_two(*killed, cwd=tmp_path) as process:
        assert process.end() == 0, process.said
    assert "2 process(es)" in process.said and "resuming after epoch 2" in process.said
    assert_same_model(tmp_path)


def begin(folder: Path, epochs: int) -> list[object]:
    """Write a small dataset; arguments of the trainer but for its output."""
    write_dataset(folder / "patches", {"train": 8, "validation": 2, "test": 2})
    return [
        *("--model", NETWORK, "--data", folder / "patches", "--encoder-weights", "none"),
        *("--epochs", epochs, "--batch-size", 2, "--tracker", "none"),
    ]


def assert_same_model(folder: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        whole, killed = (
            folder / output / NETWORK / "model" / name for output in ("whole", "killed")
        )
        assert file_sha256(whole) == file_sha256(killed)
