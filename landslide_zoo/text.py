"""Text: tables for a terminal, Markdown and CSV, and templates whose values are escaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text under a header, with aligned columns."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def csv_table(rows: Sequence[Mapping[str, object]]) -> str:
    """One line for each row, under the names of all columns in the order they first appear."""
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    table = csv.DictWriter(text, list(names), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def templates_of(package: str, *filters: Callable[..., object]) -> Environment:
    """The templates in the folder ``templates`` of a package; a missing value is an error.

    Args:
        package: Its full name.
        filters: Functions that templates call by their names.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # tables need none

    templates = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {function.__name__: function for function in filters}
    return templates
