"""Gradio's sessions: programs' requests leave none, and visitors' results stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from rest_client import Rest

from landslide_zoo import ModelZoo
from landslide_zoo.settings import Settings
from landslide_zoo.web.app import App
from landslide_zoo.web.housekeeping import TemporaryFolder
from landslide_zoo.web.service import Service
from landslide_zoo.web.sessions import make_sessions_small


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., tuple[str, Any, set[str]]]]:
    """Asks a running app that doubles a number, or remembers it, or offers others."""
    make_sessions_small()
    service = Service(ModelZoo(), Settings())
    with App(TemporaryFolder(tmp_path, 60), service) as app:
        number, kept, choice = gr.Number(), gr.State(), gr.Dropdown(["1", "2"])
        gr.Button().click(lambda value: 2 * value, number, number, api_name="double")
        gr.Button().click(lambda value: value, number, kept, api_name="remember")
        gr.Button().click(lambda value: value, kept, number, api_name="recall")
        gr.Button().click(lambda: gr.Dropdown(choices=["3"]), None, choice, api_name="offer")
        gr.Button().click(lambda one: one, choice, gr.Textbox(), api_name="choose")
    app.launch(prevent_thread_lock=True, quiet=True)

    def ask(name: str, session: str, *values: object) -> tuple[str, Any, set[str]]:
        event, answer = Rest(app.local_url.rstrip("/"), session=session).call(name, list(values))
        return event, answer, set(app.state_holder.session_data)

    yield ask
    app.close(verbose=False)


def test_a_session_stays_where_it_holds_something(
    ask: Callable[..., tuple[str, Any, set[str]]],
) -> None:
    for session in ("one", "two"):
        assert ask("double", session, 2) == ("complete", [4], set())
    assert ask("remember", "visitor", 7)[2] == {"visitor"}
    assert ask("offer", "reader")[2] == {"visitor", "reader"}
    assert ask("double", "visitor", 3)[1:] == ([6], {"visitor", "reader"})
    assert ask("recall", "visitor") == ("complete", [7], {"visitor", "reader"})
    assert ask("choose", "reader", "3")[:2] == ("complete", ["3"])
    assert ask("choose", "visitor", "3")[0] == "error"  # it was offered to another
