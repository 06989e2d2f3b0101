"""Gradio's sessions: small, and kept only where they hold something."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
from gradio import state_holder
from gradio.state_holder import SessionState


def make_sessions_small() -> None:
    """Make sessions without a copy of the whole page's configuration.

    Gradio fills one in for every request of a program, in 6 ms and 0.2 MB; only its
    deep links, of which the app has none, read it.
    """
    vars(state_holder)["SessionState"] = _small_session


def drop_if_empty(app: gr.Blocks, name: str | None, event_id: str | None) -> None:
    """Drop a session in which nothing differs from a new one, as a program's request leaves it.

    Args:
        app: The app, launched.
        name: The session's; nothing is done where None.
        event_id: The event that ends now; while others of the session are at work, it stays.
    """
    events = [*app._queue.event_ids_to_events.values()]
    if name is None or any(one.session_hash == name and one._id != event_id for one in events):
        return
    holder = app.state_holder
    with holder.lock:
        session = holder.session_data.get(name)
        if session is None or session.state_data:
            return
        if session.blocks_config.blocks == app.default_config.blocks:
            holder.session_data.pop(name)
            holder.time_last_used.pop(name, None)


def _small_session(app: gr.Blocks) -> SessionState:
    page = SimpleNamespace(default_config=app.default_config, blocks={})
    return SessionState(cast("Any", page))
