"""The app as a person starts it, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
_START_SECONDS = 120


@dataclass
class Server:
    """A running app.

    Attributes:
        url: Where it answers.
        process: Its process.
        log: What it printed.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Server]:
    """Run ``space_app.py`` on a free port, its log and temporary files in a folder."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    variables = {
        **os.environ,
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        **environment,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "space_app.py")],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        _await_answer(server)
        yield server
    finally:
        process.kill()  # an orderly end takes seconds, and has a test of its own
        process.wait(timeout=30)


def _await_answer(server: Server) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        assert server.process.poll() is None, server.log.read_text()
        try:
            httpx.get(server.url, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)  # nothing tells of a port that opens
    raise AssertionError(f"the app did not answer: {server.log.read_text()}")
