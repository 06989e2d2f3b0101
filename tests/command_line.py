"""A pytest plugin: the command, run in this process as a shell would run it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from landslide_zoo.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The sentences that say what was wrong."""
        assert "Traceback" not in self.err
        return [line for line in self.err.splitlines() if line.startswith("Error: ")]


Command = Callable[..., Answer]

MAIN = (sys.executable, "-c", "from landslide_zoo.cli import main; main()")
"""The command in a process of its own."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``landslide-zoo`` with arguments."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["landslide-zoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Answer(ended.value.code or 0, out, err)

    return run
