"""Recipes: how a network is trained, as data beside its catalog entry."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from landslide_zoo.errors import TrainingError
from landslide_zoo.models.catalog import RGB_SUFFIX

Loss = Literal["bce", "weighted-bce-dice", "focal-tversky", "lovasz"]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Recipe:
    """The settings of a training that belong to a network, not to a run.

    Attributes:
        epochs: Passes over the train patches.
        batch_size: Patches a step in each process.
        learning_rate: Highest learning rate.
        encoder_rate: The encoder's learning rate as a share of it.
        weight_decay: Of AdamW.
        schedule: ``one-cycle`` (up, then down to nearly 0) or ``constant``.
        loss: See :mod:`landslide_zoo.training.losses`.
        dice_share: Share a of Dice in (1 - a) BCE + a Dice.
        landslide_weight: Weight of landslide pixels in BCE.
        distillation: Share of the teachers' mean probability in what is learned, the rest
            being the mask's; of no effect without teachers.
        averaging: Decay of the weights' moving average at each update; 0 for none.
        clip: Largest norm of the gradient; 0 for no limit.
        scaling: Channels are scaled by the statistics of the ``train`` patches, by
            each ``patch``'s own, by ``both``, or not at all (``none``).
        upsample: Factor by which patches are enlarged before the network.
        tune_threshold: Whether the threshold is chosen on validation, not 0.5.
        flips: Whether patches are flipped and rotated by quarter turns.
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
        colour: Largest relative change of each optical band by itself.
        haze: Largest share of a veil laid over the optical bands.
        clouds: Probability that clouds and their shadows are laid over a patch.
        copy_paste: Probability that another patch's landslides are pasted in.
        cutmix: Probability that a rectangle is cut out of another patch and pasted in.
        patience: Epochs without a better F1 after which training stops; 0 for never.
    """

    epochs: Annotated[int, Field(ge=1)] = 24
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: Positive = 1e-3
    encoder_rate: NotNegative = 1.0
    weight_decay: NotNegative = 1e-2
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    loss: Loss = "weighted-bce-dice"
    dice_share: Share = 0.5
    landslide_weight: Positive = 1.0
    distillation: Share = 0.5
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.99
    clip: NotNegative = 1.0
    scaling: Literal["train", "patch", "both", "none"] = "train"
    upsample: Literal[1, 2, 4] = 1
    tune_threshold: bool = True
    flips: bool = True
    brightness: Share = 0.2
    contrast: Share = 0.0
    colour: Share = 0.0
    haze: Share = 0.0
    clouds: Share = 0.0
    copy_paste: Share = 0.0
    cutmix: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0

    def as_dict(self) -> dict[str, float | int | str | bool | None]:
        """The settings by name."""
        return asdict(self)


STANDARD = Recipe()

PAPER = Recipe(
    schedule="constant",
    landslide_weight=5.0,
    averaging=0.0,
    clip=0.0,
    weight_decay=0.0,
    scaling="none",
    tune_threshold=False,
    flips=False,
    brightness=0.0,
)
"""The paper's: its loss as written (alpha 0.5, weight 5), no scaling, no augmentation, 0.5."""

RECIPES = {"standard": STANDARD, "paper": PAPER}

_OWN: dict[str, dict[str, object]] = {
    "unet-mit_b1": {"learning_rate": 5e-4},
    "segformer-mit_b2": {"learning_rate": 5e-4},
}
"""Where a network departs from the standard recipe, by catalog name."""

_TRUE_COLOUR: dict[str, object] = {"scaling": "both"}
"""Where true-colour models depart from it. How bright a picture is, its brightest pixel
decides; by the train pictures' statistics alone, a model can be lost in a scene of other light
(docs/ablations.md). Physical values keep them: a slope in degrees means something."""


def recipe_for(name: str, recipe: str = "standard") -> Recipe:
    """The recipe of a model.

    Args:
        name: As in ``unet-resnet34``, or ``unet-resnet34-rgb`` for true colour.
        recipe: ``standard`` or ``paper``.

    Raises:
        TrainingError: If there is no such recipe.
    """
    if recipe not in RECIPES:
        raise TrainingError(f"There is no recipe {recipe!r}; there are {', '.join(RECIPES)}.")
    network = name.removesuffix(RGB_SUFFIX)
    if recipe == "paper":
        # The paper trains its plain U-Net with plain cross-entropy.
        return replace(PAPER, loss="bce") if network == "unet" else PAPER
    own = _OWN.get(network, {}) | (_TRUE_COLOUR if network != name else {})
    return replace(STANDARD, **own)  # type: ignore[arg-type]
