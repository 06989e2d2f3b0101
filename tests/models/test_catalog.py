"""The catalog: fifteen names that other programs rely on, with where their encoders come from."""

from __future__ import annotations

import pytest

from landslide_zoo.data.bands import TRUE_COLOUR
from landslide_zoo.errors import ModelError
from landslide_zoo.models import catalog
from landslide_zoo.models.config import catalog_config

NAMES = [
    "unet",
    "unet-resnet34",
    "unet-vgg16",
    "unet-efficientnet-b0",
    "unet-resnext50_32x4d",
    "unet-se_resnet50",
    "unet-densenet121",
    "unet-se_resnext50_32x4d",
    "unet-inceptionv4",
    "unet-inceptionresnetv2",
    "unet-mobilenet_v2",
    "unet-mit_b1",
    "deeplabv3plus-resnet50",
    "segformer-mit_b2",
    "upernet-resnet34",
]


def test_the_fifteen_names() -> None:
    assert sorted(catalog.names()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_can_see_true_colour_alone(name: str) -> None:
    assert catalog.channels_of(f"{name}-rgb") == TRUE_COLOUR
    assert catalog.lookup(f"{name}-rgb") is catalog.lookup(name)
    config = catalog_config(f"{name}-rgb")
    assert config.unit == "display"
    assert config.divisors == pytest.approx([445.17289745, 663.41636217, 824.63171476])


def test_an_unknown_network_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ModelError, match="no network 'unet-resnet99'; the zoo has unet, "):
        catalog.lookup("unet-resnet99")
