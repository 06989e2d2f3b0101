"""What several commands share: options, loading a model, printing a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from landslide_zoo import settings
from landslide_zoo.settings import Backend, Level

if TYPE_CHECKING:
    from landslide_zoo.inference.predict import LoadedPredictor

Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda, cuda:1.")]
BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        help="What computes the network: torch (float32, the reference), openvino (faster on a "
        "processor, with the same masks), or auto: torch on a GPU, else openvino.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Probability from which a pixel is landslide; the model's own if unset."
    ),
]
Clouds = Annotated[
    settings.Clouds,
    typer.Option(help="mask: clouds are not observed, where the bands show them; or keep them."),
]
RulesOff = Annotated[
    list[str] | None,
    typer.Option(
        "--rule-off", metavar="NAME", help="Switch a rule on objects off, or all; repeatable."
    ),
]
ProductLevel = Annotated[
    Level | None,
    typer.Option("--level", help="Product level of the bands; auto-detected if unset."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def load_model(name: str, device: str, backend: Backend = "auto") -> LoadedPredictor:
    """Load a model: a folder, a name of the zoo, or a repo id on the Hub.

    An untrained one is loaded with a warning.

    Args:
        name: What the user calls it.
        device: As in :data:`Device`.
        backend: As in :data:`BackendOption`.

    Raises:
        LandslideZooError: If there is no such model, or it cannot be loaded.
    """
    from landslide_zoo.inference.backends import load_predictor

    model = load_predictor(name, backend, device)
    if model.record is None:
        typer.echo(f"Warning: {name} is not trained: what it finds means nothing.", err=True)
    return model
