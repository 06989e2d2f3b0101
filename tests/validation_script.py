"""Validate a trained run's model by all processes of ``accelerate launch``; write the counts.

Run as ``validation_script.py RUN_FOLDER DATA TARGET.npy``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from accelerate import Accelerator

from landslide_zoo.models.model import LandslideModel
from landslide_zoo.training.prepare import prepare_data
from landslide_zoo.training.settings import Settings
from landslide_zoo.training.validate import validate

run, data, target = sys.argv[1:]
accelerator = Accelerator()
packed, split = prepare_data(Settings((), data, output=Path(run).parent))
model = LandslideModel.from_pretrained(Path(run) / "model", device="cpu")
counts = validate(model, packed, split["train"] + split["validation"], accelerator)
if accelerator.is_main_process:
    print(f"{accelerator.num_processes} processes")
    np.save(target, counts.histogram)
accelerator.end_training()
