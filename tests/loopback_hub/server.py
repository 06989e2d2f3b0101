"""The loopback Hub as a server in a thread, which a test can hang, kill and bring back."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
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
        faults: What goes wrong from now on, by a pattern of the address; none after ``reset``.

    Args:
        port: Where it listens; ``HF_ENDPOINT`` must name it before
            ``huggingface_hub`` is first imported.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self._answering = threading.Event()
        self._answering.set()
        self._bytes_to_live: int | None = None
        self._server: _Server | None = None
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

    def reset(self) -> None:
        """Forget all repositories, and be there again if a test left the Hub stopped or dead."""
        self.forget()
        self.revive()

    def start(self) -> None:
        """Listen; returns once connections are taken."""
        # asyncio turns off Nagle's delay (40 ms an answer) only where the protocol is named.
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self.port))
        app = build_app(self, self._wait_until_answering, self._count)
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="loopback-hub", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None

    @contextmanager
    def hung(self) -> Iterator[None]:
        """While this lasts, connections are taken and nothing is answered."""
        self._answering.clear()
        try:
            yield
        finally:
            self._answering.set()

    def die_during_upload(self, after_bytes: int) -> None:
        """Die once so many bytes of files have come in: connections reset, then refused."""
        self._bytes_to_live = after_bytes

    def revive(self) -> None:
        """Come back after a death with what was committed before it."""
        self._bytes_to_live = None
        if self._server is None or self._server.dead:
            self.stop()
            self.start()

    async def _wait_until_answering(self) -> None:
        while not self._answering.is_set():
            await asyncio.sleep(0.02)

    def _count(self, size: int) -> None:
        """Count a piece of an upload, and die when it is one too many."""
        if self._bytes_to_live is None:
            return
        self._bytes_to_live -= size
        if self._bytes_to_live < 0 and self._server is not None:
            self._server.die()
            raise ConnectionAbortedError("the loopback Hub died")


class _Server(uvicorn.Server):
    """A server that says when it is ready and can be killed from inside."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.dead = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the listening socket."""
        await super().startup(sockets)
        self.ready.set()

    def die(self) -> None:
        """Close the listening socket and reset every connection, as a killed process would."""
        self.dead = self.should_exit = self.force_exit = True
        for listener in self.servers:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
