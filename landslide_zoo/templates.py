"""Text from templates: every value is escaped, and one that is missing is an error."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates_of(package: str, *filters: Callable[..., object]) -> Environment:
    """The templates in the folder ``templates`` of a package.

    Args:
        package: Its full name.
        filters: Functions that templates call by their names.
    """
    found = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {one.__name__: one for one in filters}
    return found
