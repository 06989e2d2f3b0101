"""The networks that benchmarks run, each as every way of running it needs it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from competitors import Study
from torch import nn

from landslide_zoo import LandslideModel, read_patch
from landslide_zoo.data import write_patch_h5
from landslide_zoo.inference.backends.openvino import OpenVinoPredictor
from landslide_zoo.inference.backends.torch import TorchPredictor
from landslide_zoo.models.catalog import RGB_SUFFIX, names
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.web.samples import samples

FIFTEEN = tuple(f"{name}{RGB_SUFFIX}" for name in names())
"""In true colour, as they are trained so far; more bands change the first layer alone."""


@dataclass(frozen=True)
class Contender:
    """A network, with the same weights in every way of running it.

    Attributes:
        name: Its name in the catalog.
        folder: Its model folder.
        weights: ``bundled``, ``trained`` or ``untrained``.
        pickled: The same weights for the study's way.
    """

    name: str
    folder: Path
    weights: str
    pickled: Path

    @cached_property
    def study(self) -> Study:
        """The study's way."""
        return Study(self.name, self.pickled)

    @cached_property
    def smp(self) -> nn.Module:
        """The network by plain smp, kept in memory."""
        return self.study.network()

    @cached_property
    def ours(self) -> OpenVinoPredictor:
        """What the package runs on a processor."""
        return OpenVinoPredictor.from_folder(self.folder)

    @cached_property
    def openvino_f32(self) -> OpenVinoPredictor:
        """The same in float32, whatever the processor has."""
        return OpenVinoPredictor.from_model(LandslideModel.from_folder(self.folder, "cpu"), "f32")

    @cached_property
    def torch(self) -> TorchPredictor:
        """What the package runs where OpenVINO is not installed."""
        return TorchPredictor.from_folder(self.folder, "cpu")


@contextmanager
def contenders(wanted: list[str], kept: Path | None, zoo: Path | None) -> Iterator[list[Contender]]:
    """The networks of these names, in a folder of their own.

    Args:
        wanted: Their names.
        kept: Where networks and what is compiled of them stay for the next time.
        zoo: A folder of trained models. What is neither there nor bundled is untrained.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = kept or Path(temporary)
        os.environ["LANDSLIDE_ZOO_CACHE"] = str(root / "cache")
        yield [_contender(name, root, zoo) for name in wanted]


def _contender(name: str, root: Path, zoo: Path | None) -> Contender:
    pickled = root / f"{name}.pth"
    folder, weights = root / name, "untrained"
    if name in bundled_folders():
        folder, weights = bundled_folders()[name], "bundled"
    elif zoo and (zoo / name).is_dir():
        folder, weights = zoo / name, "trained"
    elif not folder.exists():
        _save_untrained(name, folder)
    if not pickled.exists():
        model = LandslideModel.from_folder(folder, device="cpu")
        torch.save(model.network.state_dict(), pickled)
    return Contender(name, folder, weights, pickled)


def _save_untrained(name: str, folder: Path) -> None:
    """A network with random weights that sees no landslide anywhere.

    One that is undecided would be run in float32, because fewer bits change its mask.
    """
    torch.manual_seed(0)
    model = LandslideModel.from_catalog(name)
    *_, head = (one for one in model.modules() if isinstance(one, nn.Conv2d))
    with torch.no_grad():
        head.weight.mul_(1e-3)
        nn.init.constant_(head.bias, -4)  # type: ignore[arg-type]
    model.save_pretrained(folder)


def write_patches(folder: Path, number: int = 1) -> list[Path]:
    """Files as the dataset has them, of the package's samples over and over."""
    folder.mkdir(exist_ok=True)
    real = [read_patch(one.path) for one in samples()]
    paths: list[Path] = []
    for index in range(number):
        path = folder / f"image_{index}.h5"
        if index < len(real):
            write_patch_h5(path, real[index])
        else:
            path.symlink_to(paths[index % len(real)])
        paths.append(path)
    return paths
