"""The loopback Hub as a server in a thread, which a test can stop, silence and bring back."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from huggingface_hub import HfApi

from loopback_hub.app import build_app
from loopback_hub.store import Store


class LoopbackHub(Store):
    """A Hugging Face Hub on 127.0.0.1.

    Attributes:
        namespace: The user whose repositories a test may write; fresh after ``reset``.
        token: The user's token for reading and writing.
        read_token: The user's token for reading only.
        stranger_token: A token of somebody else.
        requests: Everything asked since ``reset``, as in ``GET /api/models``.

    Args:
        port: Where it listens; ``HF_ENDPOINT`` must name it before
            ``huggingface_hub`` is first imported.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self._app = build_app(self)
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread()

    @property
    def endpoint(self) -> str:
        """The address that ``HF_ENDPOINT`` names."""
        return f"http://127.0.0.1:{self.port}"

    def api(self, token: str | None = None) -> HfApi:
        """The genuine client; with the user's own token unless another one is given."""
        return HfApi(endpoint=self.endpoint, token=token or self.token)

    def env(self, token: str | None = None, **variables: str) -> dict[str, str]:
        """The environment for a subprocess: this Hub, a token (or none), the ``hf`` command."""
        env = {**os.environ, "HF_ENDPOINT": self.endpoint, **variables}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        env.pop("HF_TOKEN", None)
        return env | ({"HF_TOKEN": token} if token else {})

    def start(self) -> None:
        """Listen; returns once connections are taken."""
        config = uvicorn.Config(
            self._app, log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        listeners = [self._listener()]
        self._thread = threading.Thread(target=self._server.run, args=(listeners,), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While this lasts, connections are refused."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """While this lasts, connections are taken and nothing is answered."""
        with self.stopped(), self._listener() as listener:
            listener.listen()
            yield

    def _listener(self) -> socket.socket:
        # asyncio turns off Nagle's delay (40 ms an answer) only where the protocol is named.
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self.port))
        return listener
