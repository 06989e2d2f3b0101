"""Ranges for eight bits, from patches that a network was trained on.

``python -m landslide_zoo.inference.backends.calibration MODEL_FOLDER PATCHES`` writes them into
a model folder. It needs NNCF: ``pip install nncf``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov

from landslide_zoo.data import patch_files, read_patch
from landslide_zoo.errors import ModelError
from landslide_zoo.inference.backends.openvino import load_network
from landslide_zoo.inference.backends.precision import CONVOLUTIONS, first_layers
from landslide_zoo.inference.backends.quantization import Ranges
from landslide_zoo.inference.predict import values_of
from landslide_zoo.io import file_sha256
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.folder import CONFIG, weights_files

_NO_LAYERS = ("Constant", "Parameter", "Convert")
_PATCHES = 200
"""Patches that are looked at, evenly taken from those that are given."""


def calibrate(folder: Path, patches: Sequence[Path]) -> Ranges:
    """Find the ranges of a model folder.

    The first layers and the last one stay as they are, and so does what comes before
    them: see :func:`~landslide_zoo.inference.backends.precision.keep_start_exact`.

    Args:
        folder: The model folder.
        patches: Patches of one size that it was trained on, never those it is measured on.

    Raises:
        ModelError: If its files do not fit each other, or NNCF is not installed.
    """
    try:
        import nncf
    except ImportError as error:
        raise ModelError("Ranges for eight bits need NNCF: pip install nncf.") from error
    config = ModelConfig.read(folder / CONFIG)
    (weights,) = weights_files(folder)
    network = load_network(folder)
    values = [values_of([read_patch(path)], config) for path in patches]
    rounded = nncf.quantize(
        network.clone(),
        nncf.Dataset(values),
        subset_size=len(values),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=_exact_layers(network), validate=False),
    )
    return Ranges.of(rounded, network, file_sha256(weights))


def _exact_layers(network: ov.Model) -> list[str]:
    """Names of the layers that are not rounded."""
    layers = [op for op in network.get_ordered_ops() if op.get_type_name() not in _NO_LAYERS]
    places = [i for i, op in enumerate(layers) if op.get_type_name() in CONVOLUTIONS]
    start = first_layers(network)
    names = [op.get_friendly_name() for op in layers]
    exact = [names[i] for i in places if names[i] in start or i == places[-1]]
    return [*names[: places[0]], *exact]


def main() -> None:
    """Write the ranges of a model folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="model folder")
    parser.add_argument("patches", type=Path, help="folder of patches it was trained on")
    arguments = parser.parse_args()
    files = list(patch_files(arguments.patches).files)
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, _PATCHES).round().astype(int)]
    print(calibrate(arguments.folder, list(dict.fromkeys(chosen))).write(arguments.folder))


if __name__ == "__main__":
    main()
