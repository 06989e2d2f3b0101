"""Parts that the tabs share: templates, pictures, events, errors, tables, files, progress."""

from __future__ import annotations

import base64
import json
import logging
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property, wraps
from importlib import resources
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from tqdm.auto import tqdm

from landslide_zoo.errors import LandslideZooError
from landslide_zoo.figures import images
from landslide_zoo.io import csv_table, templates_of
from landslide_zoo.web.service import plain

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

Content = tuple[str, bytes | str]
"""A file's name and what it holds."""

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For events that answer at once: no part of the API, and no spinner."""

AT_ONCE: dict[str, Any] = {**QUIET, "queue": False, "trigger_mode": "always_last"}
"""For redrawing: it does not wait behind networks, and only the last call counts."""

WORK: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": "patches",
    "concurrency_limit": 8,
}
"""For events that run a network: a few at once, so that some read or draw while one computes."""

WIDEST = 1024
"""Pictures on the page are at most this wide and high; downloads are whole."""


_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Colours and type, light and dark: quiet neutrals, one accent, the system's own fonts."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=_FONTS,
        font_mono=_MONO,
    ).set(**json.loads(asset("theme.json")))


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a patch.

    Attributes:
        key: Short name for files and the page.
        title: What it is called.
        caption: How to read it.
        pixels: Shape (H, W, 3), uint8, or marks (H, W) to be laid over the true colour.
    """

    key: str
    title: str
    caption: str
    pixels: np.ndarray

    @cached_property
    def uri(self) -> str:
        """The picture as a data URI."""
        return data_uri(self.pixels)


def render(template: str, **values: object) -> str:
    """Fill a template of this package; every value is escaped."""
    return _TEMPLATES.get_template(f"{template}.html.jinja").render(**values)


def asset(name: str) -> str:
    """The text of a style sheet or script of this package."""
    return resources.files("landslide_zoo.web").joinpath(name).read_text(encoding="utf-8")


def data_uri(picture: np.ndarray, widest: int = WIDEST) -> str:
    """A picture as a data URI for the page, thinned out if it is large.

    Args:
        picture: Shape (H, W, 3), uint8; or marks, shape (H, W), which are drawn on nothing.
        widest: Most pixels along a side.
    """
    step = -(-max(picture.shape[:2]) // widest)
    return png_uri(
        images.png(picture[::step, ::step], images.MARK_COLOURS if picture.ndim == 2 else None)
    )


def png_uri(content: bytes) -> str:
    """A PNG file as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def outlines(mask: np.ndarray, side: int = 512) -> str:
    """The outline of a mask (H, W) on nothing, as a data URI, to be laid over a picture."""
    large = images.enlarge(mask > 0, max(1, side // max(mask.shape)))
    return data_uri(images.marks(large))


def gradient(colours: str) -> str:
    """A colour map of matplotlib as a CSS gradient from left to right."""
    stops = images.colour_table(colours)[np.linspace(0, 255, 9).astype(int)]
    return f"linear-gradient(to right, {', '.join('rgb({},{},{})'.format(*c) for c in stops)})"


def amount(number: float | None, digits: int = 2) -> str:
    """A number for people: few digits, and a dash where there is none."""
    return "\N{EN DASH}" if number is None else f"{number:,.{digits}f}"


def html(value: str = "", **options: Any) -> gr.HTML:  # noqa: ANN401
    """A piece of the page as a template made it, in our own style alone.

    Args:
        value: What it shows at first.
        options: Further arguments of ``gr.HTML``.
    """
    return gr.HTML(value, apply_default_css=False, **options)


def problem(error: LandslideZooError | str) -> str:
    """What is wrong, as the page shows it."""
    return render("problems", sentences=[plain(str(error))])


def plain_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Hand errors on as their sentence: nothing else of an error reaches a client."""

    @wraps(function)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except LandslideZooError as error:
            raise gr.Error(plain(str(error)), print_exception=False) from error
        except gr.Error:
            raise
        except Exception as error:
            logger.exception("%s failed", function.__name__)
            text = f"The app failed ({type(error).__name__}): the server's log says more."
            raise gr.Error(text, print_exception=False) from error

    return answered


def model_choice(names: Sequence[str], by_id: bool = False, **options: Any) -> gr.Dropdown:  # noqa: ANN401
    """A choice of one model, the first at first.

    Args:
        names: Those of the zoo.
        by_id: Whether the id of a repo on the Hub may be typed.
        options: Further arguments of ``gr.Dropdown``.
    """
    value = next(iter(names), None)
    info = "Or type the id of a model on the Hub: namespace/name" if by_id else None
    return gr.Dropdown(
        list(names), value=value, label="Model", allow_custom_value=by_id, info=info, **options
    )


def table(headers: Sequence[str], **options: Any) -> gr.Dataframe:  # noqa: ANN401
    """A table that sorts by any of its columns; the first column is text.

    Args:
        headers: Titles of the columns.
        options: Further arguments of ``gr.Dataframe``.
    """
    kinds: list[Any] = ["str", *["number"] * (len(headers) - 1)]
    return gr.Dataframe(
        headers=list(headers),
        datatype=kinds,
        type="array",
        interactive=False,
        buttons=[],
        wrap=True,
        **options,
    )


def filled(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> gr.Dataframe:
    """The update that fills a :func:`table`; without rows it is hidden."""
    value = {"headers": list(headers), "data": [list(row) for row in rows]}
    return gr.Dataframe(value=value, visible=bool(rows))


def number(value: float | None, digits: int = 2) -> float | None:
    """A number for a table."""
    return None if value is None else round(value, digits)


def on_click(
    button: gr.Button, make: Callable[..., str], inputs: Sequence[gr.components.Component]
) -> None:
    """Let a button make a file and download it: nothing is made that nobody asks for.

    Args:
        button: What is clicked.
        make: Makes the file from the values of the inputs; its path.
        inputs: What it is made from.
    """
    # Gradio's own button can only offer a file that is there before the click.
    made = gr.File(visible="hidden", elem_classes="lz-made")
    made_now = button.click(make, list(inputs), made, trigger_mode="multiple", **QUIET)
    made_now.success(None, made, None, js=_DOWNLOAD, **AT_ONCE)


_DOWNLOAD = """
(file) => {
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}
"""


def pull_bar(name: str, progress: gr.Progress) -> type[tqdm]:
    """A bar for ``huggingface_hub`` that shows on the page how much of a model has come.

    Args:
        name: The model's name.
        progress: Of the event that waits for the model; called within it.
    """
    # The Hub's client downloads in threads of its own, which know nothing of the event.
    context = copy_context()

    class Bar(tqdm):
        """Draws nothing itself and reports bytes."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            self._counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            """Count what has come."""
            self.n += n or 0
            if self._counts_bytes and self.total:
                done, total = min(self.n, self.total), self.total
                text = f"Fetching {name} from the Hub: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
                context.copy().run(progress, done / total, desc=text)

    return Bar


def new_folder() -> Path:
    """A new folder inside the one that Gradio serves from."""
    parent = Path(get_upload_folder())
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=parent))


def write_files(contents: Iterable[Content]) -> list[str]:
    """Write files to a new folder; their paths."""
    folder = new_folder()
    paths = []
    for name, content in contents:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(str(path))
    return paths


def write_zip(name: str, contents: Iterable[Content]) -> str:
    """Write files as one ZIP; its path."""
    path = new_folder() / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for inside, content in contents:
            archive.writestr(inside, content)
    return str(path)


def figures_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of figures, one row for each mapping; what is nested has columns of its own."""
    return csv_table([_flattened(row) for row in rows])


def _flattened(figures: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in figures.items():
        if name == "network_scores":
            flat |= {f"network_{score}": number for score, number in value.items()}
        elif isinstance(value, dict):
            flat |= value
        elif name == "dropped":
            flat[name] = len(value)
        else:
            flat[name] = " ".join(value) if isinstance(value, list) else value
    return flat


_TEMPLATES = templates_of(
    "landslide_zoo.web",
    *(data_uri, outlines, gradient, amount),
    *(images.agreement_picture, images.disagreement_picture, images.probability_picture),
)
