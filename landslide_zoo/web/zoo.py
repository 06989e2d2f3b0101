"""The tab Zoo: every model with its results, its card, and code to use it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures.charts import curves_figure
from landslide_zoo.models.folder import CARD
from landslide_zoo.web import components as ui
from landslide_zoo.web.service import Service, plain
from landslide_zoo.zoo import ZooEntry, entry_file

_EPOCHS = 1000
_CARD_BYTES = 64 * 2**10
"""Longest card that is shown; those of the zoo have 7 KB."""
_FIGURE_BYTES = 2 * 2**20
_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.DOTALL)
_PAPER = "Paper's F1 (its own weights, random split, mean of batches)"


def build_zoo(tab: gr.Tab, service: Service) -> tuple[gr.Dropdown, list[gr.components.Component]]:
    """Lay out the tab and wire its events.

    Args:
        tab: Whose opening fills it.
        service: Holds the zoo.

    Returns:
        The choice of a model, and what :func:`draw_board` fills, for the app to redraw when
        the zoo grows.
    """
    status = ui.html(elem_id="lz-zoo-status")
    board = ui.table(["Model"], label="Models of this zoo", elem_id="lz-board", max_height=700)
    model = ui.model_choice(service.zoo.names())
    page = ui.html(elem_id="lz-card")
    card = gr.Markdown(sanitize_html=True, elem_id="lz-card-text")

    def describe(name: str | None, request: gr.Request) -> tuple[str, str]:
        if name is None:
            return "", ""
        try:
            entry = service.entry(name)
            return _page(entry, _origin(request)), card_text(entry)
        except LandslideZooError as error:
            return ui.problem(error), ""

    gr.on(
        [tab.select, model.change],
        describe,
        model,
        [page, card],
        trigger_mode="always_last",
        **ui.QUIET,
    )
    board.select(_chosen, None, model, **ui.QUIET)
    return model, [status, board]


def _page(entry: ZooEntry, origin: str) -> str:
    loads = entry.repo_id or entry.name
    if entry.folder and entry.source != "bundled" and not entry.repo_id:
        loads = f"models/{entry.folder.name}"  # a folder of the reader's own: not the server's
    paths = [entry_file(entry, name, _FIGURE_BYTES) for name in ("curves.png", "examples.png")]
    figures = [ui.png_uri(path.read_bytes()) for path in paths if path]
    if not figures and entry.record and entry.record.history:
        figures = [ui.png_uri(curves_figure(entry.record.history[-_EPOCHS:]))]
    return ui.render("model", entry=entry, loads=loads, figures=figures, origin=origin)


def card_text(entry: ZooEntry) -> str:
    """A model's card as Markdown that loads nothing and holds no HTML: it may be anybody's.

    Raises:
        HubError: If the card is on a Hub that does not give it.
    """
    path = entry_file(entry, CARD, _CARD_BYTES)
    if path is None:
        return "This model has no card, or one that is too long to be shown."
    text = _FRONT_MATTER.sub("", path.read_text(encoding="utf-8", errors="replace"))
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text).replace("![", "[")
    return re.sub(r"<(?=[!/?a-zA-Z])", "&lt;", text)


def draw_board(service: Service) -> list[Any]:
    """The zoo's state and its leaderboard, as they are now."""
    headers, rows = leaderboard(service.zoo.entries())
    pending = service.zoo.pending
    status = ui.render(
        "zoo", status=[plain(one) for one in service.zoo.status()], pending=pending, empty=not rows
    )
    return [status, ui.filled(rows, headers)]


def leaderboard(entries: Sequence[ZooEntry]) -> tuple[list[str], list[list[object]]]:
    """Arrange the results that the models' records hold, a column for each protocol.

    Two scores share a column only if dataset, protocol, subset and the very
    files (by fingerprint) are the same: other scores cannot be compared.

    Returns:
        The columns' titles, and a row for each model in the zoo's order.
    """
    found = [entry.record.results if entry.record else [] for entry in entries]
    columns = {
        one.key: f"F1 on {one.dataset}, {one.protocol} split, {one.subset} ({one.patches} patches)"
        for results in found
        for one in results
    }
    rows: list[list[object]] = []
    for entry, results in zip(entries, found, strict=True):
        scores = {result.key: result.f1 for result in results}
        measured = [ui.number(scores.get(key), 3) for key in columns]
        display = entry.config.unit == "display"
        reads = "true colour" if display else f"{len(entry.config.bands)} bands"
        place = f"{Path(entry.source).name} {(entry.revision or '')[:7]}".strip()
        size = ui.number(entry.size / 1e6, 1)
        rows.append([entry.name, *measured, entry.paper_f1, reads, size, place])
    return ["Model", *columns.values(), _PAPER, "Reads", "Size (MB)", "From"], rows


def _origin(request: gr.Request) -> str:
    """Where the visitor sees the app, also behind a Space's proxy."""
    scheme = request.headers.get("x-forwarded-proto", "http").split(",")[0]
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "127.0.0.1:7860")
    return f"{scheme}://{host}"


def _chosen(event: gr.SelectData) -> str:
    return event.row_value[0]
