"""Graphs without weights: one for each network of the catalog, and what it was made from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landslide_zoo import LandslideModel
from landslide_zoo.data.bands import BAND_NAMES
from landslide_zoo.inference.backends.conversion import make_graph
from landslide_zoo.inference.backends.graphs import Graph
from landslide_zoo.inference.backends.openvino import OpenVinoPredictor
from landslide_zoo.inference.backends.processor import compile_network
from landslide_zoo.models import ModelConfig, catalog, catalog_config

NAMES = [f"{name}{suffix}" for name in catalog.names() for suffix in ("", catalog.RGB_SUFFIX)]
FAST = "unet-mobilenet_v2-rgb"


@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_the_catalog_has_a_graph(name: str) -> None:
    graph = Graph.of(catalog_config(name))
    assert graph is not None
    assert "temperature" in graph.weights and "scaling.mean" in graph.weights


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(catalog.RGB_SUFFIX)])
def test_a_graph_with_weights_is_the_network(name: str) -> None:
    torch.manual_seed(0)  # those of all bands have their test among all networks' tests
    model = LandslideModel.from_catalog(name).update_config(temperature=1.3)
    graph = Graph.of(model.config)
    assert graph is not None
    tensors = {key: tensor.numpy() for key, tensor in model.network.state_dict().items()}
    filled = graph.fill(model.config, tensors)
    assert filled is not None
    compiled = compile_network(filled, "f32")
    values = 1000 * np.random.default_rng(0).random((2, len(model.config.bands), 40, 56))
    values = values.astype(np.float32)
    found = OpenVinoPredictor(model.config, None, compiled, "f32", 0).probabilities(values)
    np.testing.assert_allclose(found, model.probabilities(values), atol=1e-4)


def test_a_graph_is_made_again_the_same_whatever_the_weights() -> None:
    config = catalog_config(FAST)
    graph, shipped = make_graph(config, seed=5), Graph.of(config)
    assert shipped is not None
    assert (graph.constants, graph.shapes) == (shipped.constants, shipped.shapes)
    assert graph.weights == shipped.weights and graph.size == shipped.size


def test_a_network_that_sees_something_else_has_no_graph() -> None:
    fields = catalog_config("unet-mobilenet_v2").model_dump()
    other = [*BAND_NAMES[1:], BAND_NAMES[0]]
    assert Graph.of(ModelConfig.model_validate({**fields, "channels": other})) is None
    for statistics in ("patch", "both"):
        scaling = {**fields["scaling"], "statistics": statistics}
        assert Graph.of(ModelConfig.model_validate({**fields, "scaling": scaling})) is None
