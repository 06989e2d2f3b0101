"""Gradio's sessions: programs' requests leave none, and visitors' results stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import gradio as gr
import pytest
from rest_client import Rest

from landslide_zoo.web import sessions
from landslide_zoo.web.sessions import drop_empty_sessions


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[gr.Blocks]:
    """A running app that doubles a number, or remembers it, or offers others."""
    monkeypatch.setattr(sessions, "_IDLE", timedelta(0))
    with gr.Blocks() as app:
        number, kept, choice = gr.Number(), gr.State(), gr.Dropdown(["1", "2"])
        gr.Button().click(lambda value: 2 * value, number, number, api_name="double")
        gr.Button().click(lambda value: value, number, kept, api_name="remember")
        gr.Button().click(lambda: gr.Dropdown(choices=["3"]), None, choice, api_name="offer")
    app.launch(prevent_thread_lock=True, quiet=True)
    yield app
    app.close(verbose=False)


def ask(app: gr.Blocks, name: str, session: str, *values: object) -> None:
    rest = Rest(app.local_url.rstrip("/"), session=session)
    assert rest.call(name, list(values))[0] == "complete"


def test_sessions_that_hold_nothing_are_dropped(app: gr.Blocks) -> None:
    for session in ("one", "two"):
        ask(app, "double", session, 2)
    ask(app, "remember", "visitor", 7)
    ask(app, "offer", "reader")
    assert set(app.state_holder.session_data) == {"one", "two", "visitor", "reader"}
    drop_empty_sessions(app)
    assert set(app.state_holder.session_data) == {"visitor", "reader"}
    assert 7 in app.state_holder["visitor"].state_data.values()
    ask(app, "double", "one", 3)  # one that was dropped goes on as a new one
