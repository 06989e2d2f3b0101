"""Hooks of MkDocs: pages that lie outside ``docs/``, and links to files that are no pages."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    ROOT / "CHANGELOG.md": "changelog.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
    ROOT / "SECURITY.md": "security.md",
    ROOT / "experiments" / "README.md": "experiments.md",
}
"""Where the site shows documents of the repository."""

_LINK = re.compile(r"\[([^]]*)\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside ``docs/``."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at the site's pages; a link to any other file becomes plain text."""
    docs, here = Path(config.docs_dir), Path(page.file.src_uri).parent
    folder = Path(page.file.abs_src_path or docs / here).parent

    def repointed(link: re.Match[str]) -> str:
        text, path, anchor = link[1], link[2], link[3] or ""
        target = (folder / path).resolve()
        if target in PAGES:
            uri = PAGES[target]
        elif target.is_relative_to(docs):
            uri = target.relative_to(docs).as_posix()
        else:
            return text
        return f"[{text}]({os.path.relpath(uri, here)}{anchor})"

    return _LINK.sub(repointed, markdown)
