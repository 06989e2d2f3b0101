"""Gradio's sessions: those that hold nothing are dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

import gradio as gr

_IDLE = timedelta(seconds=20)


def drop_empty_sessions(app: gr.Blocks) -> None:
    """Drop the sessions that are idle and in which nothing differs from a new one.

    Gradio makes a session for every request of a program, with a copy of the whole page's
    configuration (0.2 MB), and keeps it as long as a visitor's.

    Args:
        app: The app, launched.
    """
    holder, now = app.state_holder, datetime.now()
    at_work = {event.session_hash for event in [*app._queue.event_ids_to_events.values()]}
    for name, used in [*holder.time_last_used.items()]:
        if now - used < _IDLE or name in at_work:
            continue
        with holder.lock:
            session = holder.session_data.get(name)
            if session is None or session.state_data:
                continue
            if session.blocks_config.blocks == app.default_config.blocks:
                holder.session_data.pop(name)
                holder.time_last_used.pop(name, None)
