"""A model's card as safe HTML. A card from the Hub is untrusted text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from PIL import Image

from landslide_zoo.errors import HubError
from landslide_zoo.models.folder import CARD
from landslide_zoo.web.rendering import png_uri
from landslide_zoo.zoo.zoo import ZooEntry, entry_file

_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.DOTALL)
_FIGURE = re.compile(r"[\w-][\w.-]*\.png", re.ASCII)
_DEEPEST = 6
_TEXT_BYTES = 64 * 2**10
"""Longest card that is rendered; those of the zoo have 7 KB."""
_PAGE_BYTES = 2**20
"""Longest HTML of a card, pictures left out."""
_PICTURES_BYTES = 2 * 2**20
"""Most bytes of all pictures of a card together, each counted as often as it is shown."""
_PICTURE_SIDE = 4096


def card_html(entry: ZooEntry) -> Markup:
    """Render a model's card: no HTML of its own, no scripts, nothing loaded from elsewhere.

    Raises:
        HubError: If the card is on a Hub that does not give it.
    """
    path = entry_file(entry, CARD, _TEXT_BYTES)
    if path is None:
        return Markup("<p>This model has no card, or one that is too long to be shown.</p>")
    text = _FRONT_MATTER.sub("", path.read_text(encoding="utf-8", errors="replace"))
    left = _PICTURES_BYTES

    def picture(name: str) -> str | None:
        nonlocal left
        try:
            content = _picture(entry, name, left)
        except HubError:  # nobody waits for its next picture either
            left = 0
            return None
        left -= len(content or b"")
        return png_uri(content) if content else None

    html = render_markdown(text, picture)
    if len(html) > _PAGE_BYTES + 2 * _PICTURES_BYTES:
        return Markup("<p>The card of this model is too long to be shown.</p>")
    return html


def render_markdown(text: str, picture: Callable[[str], str | None]) -> Markup:
    """Render Markdown that is not trusted.

    Args:
        text: HTML in it is shown as text; links are ``http`` or ``https`` alone.
        picture: From a picture's plain file name to a data URI, or None. Any
            other picture becomes its description.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            # The page has its own first and second levels.
            token.tag = f"h{min(int(token.tag[1:]) + 2, _DEEPEST)}"
        for child in token.children or []:
            if child.type == "link_open":
                _tame_link(child)
            if child.type == "image":
                _tame_image(child, picture)
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))


def _tame_link(link: Token) -> None:
    if not re.match(r"https?://", str(link.attrGet("href") or ""), re.IGNORECASE):
        link.attrs.pop("href", None)
    link.attrSet("rel", "noopener noreferrer nofollow")
    link.attrSet("target", "_blank")


def _tame_image(image: Token, picture: Callable[[str], str | None]) -> None:
    source = str(image.attrGet("src") or "")
    uri = picture(source) if _FIGURE.fullmatch(source) else None
    if uri:
        image.attrSet("src", uri)
    else:
        image.type = "text"  # its content is the description


def _picture(entry: ZooEntry, name: str, most: int) -> bytes | None:
    """A picture of the model folder, as it is; None if it is odd or larger than ``most`` bytes.

    Raises:
        HubError: If it is on a Hub that does not give it.
    """
    try:
        path = entry_file(entry, name, most) if most > 0 else None
        if path is None:
            return None
        content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if max(picture.size) > _PICTURE_SIDE:
                return None
            picture.verify()
    # Pillow raises all of these where a picture, or what is packed into it, is odd; the system
    # the first, where a name is too long.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return content
