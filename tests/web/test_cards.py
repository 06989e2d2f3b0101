"""Cards from strangers become harmless HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from landslide_zoo.web.cards import render_markdown


class Elements(HTMLParser):
    """The elements of a piece of HTML, with their attributes, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))


def render(text: str) -> str:
    return str(render_markdown(text, {"examples.png": "data:image/png;base64,AA"}.get))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=alert(1)>b</b>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,AAAA)",
        "[x](vbscript:x)",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
        '[x](https://example.org/ "a\\" onmouseover=alert(1)")',
    ],
)
def test_no_markup_of_its_own_and_no_scripts(text: str) -> None:
    found = Elements()
    found.feed(render(text))
    assert {tag for tag, _ in found.elements} <= {"p", "a"}
    attributes = [one for _, held in found.elements for one in held]
    assert {name for name, _ in attributes} <= {"href", "title", "rel", "target"}
    assert all(value.startswith("https://") for name, value in attributes if name == "href")


@pytest.mark.parametrize(
    "source", ["https://example.org/a.png", "//example.org/a.png", "../a.png", "a/b.png", "a.svg"]
)
def test_pictures_from_elsewhere_become_their_description(source: str) -> None:
    assert render(f"![a plot]({source})") == "<p>a plot</p>\n"


def test_the_models_own_pictures_are_shown() -> None:
    assert '<img src="data:image/png;base64,AA" alt="a plot"' in render("![a plot](examples.png)")


def test_links_open_apart_and_give_nothing_away() -> None:
    html = render("[page](https://example.org/)")
    assert 'href="https://example.org/"' in html and 'rel="noopener noreferrer nofollow"' in html


def test_headings_stay_below_the_pages_own() -> None:
    assert render("# A\n## B\n##### C") == "<h3>A</h3>\n<h4>B</h4>\n<h6>C</h6>\n"
