"""ZeroGPU: the app asks for a GPU where its package and its scheduler are, and goes on without.

The scheduler is one on loopback. There is no GPU here: what it lends cannot be
used, and the processor answers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from app_server import serving
from rest_client import Rest

pytestmark = pytest.mark.skipif(not find_spec("spaces"), reason="the package spaces is not there")


@dataclass
class Scheduler:
    """What lends GPUs to a Space.

    Attributes:
        url: Where it answers.
        asked: What it was asked, in order: path and arguments.
    """

    url: str = ""
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        """The paths that it was asked for."""
        return [path for path, _ in self.asked]


@contextmanager
def scheduling() -> Iterator[Scheduler]:
    """A scheduler that lends one GPU to whoever asks."""
    scheduler = Scheduler()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            scheduler.asked.append((parts.path, parse_qs(parts.query)))
            lent = b'{"idle": false, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "ours"}'
            content = lent if parts.path == "/schedule" else b"{}"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheduler.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield scheduler
    server.shutdown()
    thread.join()


def test_a_gpu_is_asked_for_and_the_processor_answers_where_it_cannot_be_used(
    tmp_path: Path, patches: Path
) -> None:
    with (
        scheduling() as scheduler,
        serving(
            tmp_path,
            SPACES_ZERO_GPU="true",
            SPACES_ZERO_DEVICE_API_URL=scheduler.url,
            ZEROGPU_OFFLOAD_DIR=str(tmp_path / "tensors"),
        ) as server,
    ):
        assert scheduler.paths()[0] == "/startup-report"  # else such a Space does not start
        rest = Rest(server.url)
        asked = httpx.post(
            f"{server.url}/gradio_api/call/detect",
            json={"data": [rest.upload(patches / "image_1.h5")]},
            headers={"X-IP-Token": "the visitor's"},
        )
        event, answer = rest.answer(f"{asked.url}/{asked.json()['event_id']}")
        assert event == "complete"
        figures = answer[0]
        assert figures["backend"] and "ZeroGPU" not in figures["backend"]
        assert {"/schedule", "/allow", "/release"} <= set(scheduler.paths())
        assert ["the visitor's"] in [arguments.get("token") for _, arguments in scheduler.asked]
        assert "runs on the processor" in server.log.read_text()


def test_without_it_nothing_changes() -> None:
    code = (
        "import sys; from landslide_zoo.web import on_gpu; "
        "assert 'torch' not in sys.modules and 'gradio' not in sys.modules; "
        "work = lambda: 3; assert on_gpu(work) is work"
    )
    for line in ("", "sys.modules['spaces'] = None; "):
        subprocess.run([sys.executable, "-c", f"import sys; {line}{code}"], check=True, timeout=60)
