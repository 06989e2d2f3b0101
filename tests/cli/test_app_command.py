"""``app``: the page answers, and Control-C ends it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import urllib.request

import pytest
from command_line import MAIN, Command

pytest.importorskip("gradio")


def test_the_page_answers_at_the_port_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    running = subprocess.Popen(
        [*MAIN, "app", "--port", str(port)],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        address = next(
            found[0] for line in running.stdout if (found := re.search(r"http\S+", line))
        )
        assert address.rstrip("/") == f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.status == 200
            assert "Landslide Zoo" in page.read().decode()
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=60)
        assert "Traceback" not in errors
    finally:
        running.kill()


def test_a_port_that_is_taken_is_one_sentence(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = command("app", "--port", port)
    assert (answer.status, len(answer.errors)) == (1, 1)
    assert str(port) in answer.errors[0]
