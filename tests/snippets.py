"""The code in a Markdown document: its fenced blocks, and the commands of a shell's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blocks(document: Path) -> list[tuple[str, str]]:
    """The fenced blocks in their order: language, and code."""
    fenced = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return fenced.findall(document.read_text())


def commands(block: str) -> list[list[str]]:
    """The commands of a shell's block as words: comments dropped, continued lines joined."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
