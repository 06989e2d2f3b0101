"""``landslide-zoo evaluate --zoo``: the leaderboard, filled from a zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from landslide_zoo.cli.evaluator import Evaluator
from landslide_zoo.errors import LandslideZooError, ModelError
from landslide_zoo.inference.backends import Backend
from landslide_zoo.zoo import ModelZoo
from landslide_zoo.zoo.leaderboard import CARDS, Results


def fill_leaderboard(
    sources: Sequence[str],
    cards: Path | None,
    evaluator: Evaluator | None,
    device: str,
    backend: Backend,
) -> None:
    """Put every model of a zoo on the leaderboard; one that fails is named, the others go on.

    Args:
        sources: Folders or namespaces; the zoo's own where there is none.
        cards: Folder of the leaderboard; that of this project where None.
        evaluator: Evaluates each first; where None, what their records hold is taken.
        device: Where they are evaluated.
        backend: By what.

    Raises:
        ModelError: If there is no model.
        Exit: With status 1, if one failed.
    """
    cards = cards or CARDS
    zoo = ModelZoo(",".join(sources) if sources else None)
    entries, failed = zoo.entries(), 0
    if not entries:
        raise ModelError(" ".join(["The zoo holds no model.", *zoo.status()]))
    for entry in entries:
        try:
            record = entry.record
            if evaluator is not None:
                model = zoo.load(entry.name, device=device, backend=backend)
                folder = None if entry.repo_id else entry.folder
                evaluator.evaluate_model(entry.name, model, folder, keep=True)
                record = model.record
            if record is None:
                raise ModelError(f"{entry.name} is not trained.")
            results = Results.read(cards)
            if better := results.better_than(entry.config, record):
                typer.echo(f"{entry.name}: another {better.name} is better on validation.")
            else:
                results.with_model(entry.config, record).write(cards)
        except LandslideZooError as error:
            failed += 1
            typer.echo(f"Error: {entry.name}: {error}", err=True)
    typer.echo(f"{len(entries) - failed} of {len(entries)} models are on the leaderboard: {cards}.")
    if failed:
        raise typer.Exit(1)
