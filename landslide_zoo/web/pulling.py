"""A progress bar on the page while a model is pulled from the Hub."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context

import gradio as gr
from tqdm.auto import tqdm


def pull_bar(name: str, progress: gr.Progress) -> type[tqdm]:
    """A bar for ``huggingface_hub`` that shows on the page how much of a model has come.

    Args:
        name: The model's name.
        progress: Of the event that waits for the model; called within it.
    """
    # The Hub's client downloads in threads of its own, which know nothing of the event.
    context = copy_context()

    def report(done: float, total: float) -> None:
        text = f"Fetching {name} from the Hub: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
        context.copy().run(progress, done / total, desc=text)

    return _bar(report)


def _bar(report: Callable[[float, float], None]) -> type[tqdm]:
    class Bar(tqdm):
        """Draws nothing itself and reports bytes."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            self._counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            """Count what has come."""
            self.n += n or 0
            if self._counts_bytes and self.total:
                report(min(self.n, self.total), self.total)

    return Bar
