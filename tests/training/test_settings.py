"""Recipes and settings: what may be asked for, and what is refused with a sentence."""

from __future__ import annotations

import pytest

from landslide_zoo.errors import ModelError, TrainingError
from landslide_zoo.models import catalog
from landslide_zoo.training.recipes import PAPER, RECIPES, STANDARD, recipe_for
from landslide_zoo.training.settings import Settings, check_machine, parse_changes


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("network", list(catalog.names()))
def test_every_network_has_every_recipe(network: str, recipe: str) -> None:
    assert recipe_for(network, recipe).epochs == STANDARD.epochs


def test_the_papers_recipe_has_none_of_what_the_paper_lacks() -> None:
    assert (PAPER.scaling, PAPER.tune_threshold, PAPER.flips) == ("none", False, False)
    assert (PAPER.brightness, PAPER.contrast, PAPER.colour, PAPER.haze) == (0, 0, 0, 0)
    assert (PAPER.copy_paste, PAPER.cutmix) == (0, 0)
    assert (PAPER.averaging, PAPER.schedule) == (0, "constant")


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(TrainingError, match="There is no recipe 'best'; there are standard, paper"):
        recipe_for("unet", "best")


def test_changes_take_the_types_of_the_recipe() -> None:
    given = ["epochs=3", "learning_rate=1e-4", "flips=no", "loss=lovasz", "upsample=2"]
    assert parse_changes(given) == {
        "epochs": 3,
        "learning_rate": 1e-4,
        "flips": False,
        "loss": "lovasz",
        "upsample": 2,
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("speed=2", "A recipe has no setting 'speed'; it has epochs, batch_size"),
        ("epochs", "--set epochs: Input should be a valid integer"),
        ("epochs=many", "--set epochs=many: Input should be a valid integer"),
        ("epochs=0", "--set epochs=0: Input should be greater than or equal to 1"),
        ("batch_size=1", "--set batch_size=1: Input should be greater than or equal to 2"),
        ("learning_rate=-1", "--set learning_rate=-1: Input should be greater than 0"),
        ("learning_rate=nan", "--set learning_rate=nan: Input should be"),
        ("averaging=1", "--set averaging=1: Input should be less than 1"),
        ("haze=1.5", "--set haze=1.5: Input should be less than or equal to 1"),
        ("loss=best", "--set loss=best: Input should be 'bce', 'weighted-bce-dice'"),
        ("upsample=3", "--set upsample=3: Input should be 1, 2 or 4"),
        ("patience=-1", "--set patience=-1: Input should be greater than or equal to 0"),
    ],
)
def test_a_change_that_no_recipe_takes_is_one_sentence(change: str, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence) as refused:
        parse_changes([change])
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_changes_apply_to_the_networks_own_recipe() -> None:
    settings = Settings(("segformer-mit_b2",), "data", changes={"epochs": 2})
    recipe = settings.recipe_for("segformer-mit_b2-rgb")
    assert recipe.epochs == 2
    assert recipe.learning_rate == recipe_for("segformer-mit_b2").learning_rate


def test_true_colour_is_scaled_by_the_patch_and_terrain_by_the_train_patches() -> None:
    assert recipe_for("unet-resnet34-rgb").scaling == "both"
    assert recipe_for("unet-resnet34").scaling == "train"
    assert recipe_for("unet-resnet34-rgb", "paper").scaling == "none"


def test_all_means_the_fifteen() -> None:
    assert Settings(("all",), "data").model_names() == list(catalog.names())
    rgb = Settings(("all",), "data", bands="rgb").model_names()
    assert rgb == [f"{name}-rgb" for name in catalog.names()]
    assert len(rgb) == 15


def test_names_may_end_in_rgb_where_true_colour_is_asked_for() -> None:
    assert Settings(("unet-rgb",), "data", bands="rgb").model_names() == ["unet-rgb"]
    with pytest.raises(TrainingError, match="unet-rgb takes true colour alone: add --bands rgb"):
        Settings(("unet-rgb",), "data").model_names()
    with pytest.raises(ModelError, match="There is no network 'resnet'; the zoo has unet"):
        Settings(("resnet",), "data").model_names()


def test_what_may_change_on_resuming_is_not_among_the_fixed() -> None:
    first = Settings(("unet",), "data", workers=0, trackers=(), push_to=None)
    again = Settings(("all",), "data", workers=4, trackers=("wandb",), push_to="x", resume=True)
    assert first.fixed() == again.fixed()
    assert first.fixed() != Settings(("unet",), "data", seed=1).fixed()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"trackers": ("paper",)}, "There is no tracker 'paper'; there are tensorboard, trackio"),
        ({"trackers": ("wandb",)}, "The tracker wandb is not installed: pip install wandb"),
    ],
)
def test_a_tracker_that_is_not_there_is_refused_at_once(
    settings: dict[str, tuple[str, ...]], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        check_machine(Settings(("unet",), "data", **settings))
