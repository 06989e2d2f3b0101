"""The code in a Markdown document: its fenced blocks, and the commands of a shell's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks in a language, in the document's order."""
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return fenced.findall(document.read_text())


def commands(block: str) -> list[list[str]]:
    """The commands of a shell's block as words: comments dropped, continued lines joined."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
