"""What every network of the zoo does, on every backend: one tester for them all."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from patch_files import random_patch
from torch.nn import functional
from trained_model import untrained

from landslide_zoo import LandslideModel
from landslide_zoo.inference.model import TorchPredictor
from landslide_zoo.inference.predict import run_network, values_of
from landslide_zoo.models import catalog

SIZES = [(100, 140), (33, 47), (32, 32)]


FAST = ("unet", "unet-mit_b1", "unet-mobilenet_v2", "deeplabv3plus-resnet50", "upernet-resnet34")
"""One of each kind; ``make test-export`` tries all."""

every = pytest.mark.parametrize("model", list(catalog.names()), indirect=True)
fast = pytest.mark.parametrize(
    "model",
    [
        pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
        for name in catalog.names()
    ],
    indirect=True,
)


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest) -> LandslideModel:
    """A network of the catalog, one after the other; its tests share it."""
    return untrained(request.param)


@every
def test_a_step_of_training_moves_its_weights(model: LandslideModel) -> None:
    model = copy.deepcopy(model).train()  # a step this long leaves some networks unsteady
    values = torch.from_numpy(
        values_of([random_patch(64, 64, 1), random_patch(64, 64, 2)], model.config)
    )
    truth = (values[:, -1:] > values[:, -1:].median()).float()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    logits = model(values)
    assert logits.shape == (2, 1, 64, 64)
    loss = functional.binary_cross_entropy_with_logits(logits, truth)
    loss.backward()
    # Several processes wait for the gradient of each weight that is trained.
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in trained)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert loss.isfinite() and all(one.isfinite().all() for one in model.parameters())
    moved = [not torch.equal(one, two) for one, two in zip(before, model.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)


@fast
def test_a_patch_of_any_size_is_predicted_whole_as_pytorch_does(model: LandslideModel) -> None:
    for size in SIZES:
        patch = random_patch(*size)
        fast, exact = (run_network(each, [patch])[0] for each in (model, TorchPredictor(model)))
        assert fast.shape == exact.shape == size and fast.dtype == np.float32
        assert 0 <= fast.min() < fast.max() <= 1
        np.testing.assert_allclose(fast, exact, atol=2e-4)


@fast
def test_saved_and_loaded_it_is_the_same(model: LandslideModel) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest would keep 2 GB of weights
        model.save_pretrained(folder)
        again = LandslideModel.from_pretrained(Path(folder), device="cpu")
    assert again.config == model.config and not again.training
    values = values_of([random_patch(40, 56)], model.config)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert torch.allclose(again.logits(values), model.logits(values), rtol=1e-4, atol=1e-4)
