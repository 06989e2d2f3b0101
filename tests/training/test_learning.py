"""Fourteen bands learn: networks trained from scratch by the documented command.

The dataset has the layout of the Hub's mirrors and is pulled from the loopback Hub.
The networks take some minutes each on two cores, so this has a make target of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from loopback_hub import LoopbackHub
from synthetic_patches import write_dataset

from landslide_zoo import LandslideModel

ROOT = Path(__file__).resolve().parents[2]
# Without instructions for it, bf16 is many times slower on a CPU.
PRECISION = "bf16" if torch.cpu.get_capabilities().get("avx512_bf16") else "no"


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    write_dataset(folder, {"train": 400, "validation": 80, "test": 80})
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "epochs"), [("unet", 8), ("unet-resnet34", 12), ("segformer-mit_b2", 20)]
)
def test_learns_from_synthetic_patches(
    name: str, epochs: int, synthetic: Path, hub: LoopbackHub, tmp_path: Path
) -> None:
    dataset = f"{hub.namespace}/synthetic"
    hub.api().create_repo(dataset, repo_type="dataset")
    hub.api().upload_folder(repo_id=dataset, repo_type="dataset", folder_path=synthetic)
    output = Path(os.environ.get("LEARNING_OUTPUT", tmp_path / "runs"))
    command = f"""
        {sys.executable} -m accelerate.commands.launch --config_file {ROOT / "configs/cpu.yaml"}
        --mixed_precision {PRECISION} {ROOT / "train_accelerate.py"}
        --model {name} --data {dataset} --encoder-weights none --epochs {epochs} --output {output}
    """
    env = hub.env(hub.read_token)
    subprocess.run(command.split(), env=env, check=True)

    model = LandslideModel.from_pretrained(output / name / "model")
    assert model.record is not None
    assert model.record.headline is not None and model.record.headline.subset == "test"
    print(f"{name}: held-out F1 {model.record.headline.f1:.4f}")
    assert model.record.headline.f1 >= 0.8
