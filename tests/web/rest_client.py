"""A client over plain HTTP, as curl would be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Rest:
    """The app's endpoints.

    Attributes:
        url: Where the app answers.
        session: Name of the visit; none where None.
    """

    url: str
    session: str | None = None

    def upload(self, path: Path, name: str | None = None) -> dict[str, Any]:
        """Upload a file, without saying its type; what the endpoints take of it."""
        files = {"files": (name or path.name, path.read_bytes(), "application/octet-stream")}
        answer = httpx.post(f"{self.url}/gradio_api/upload", files=files, timeout=120)
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def begin(self, endpoint: str, data: list[Any] | dict[str, Any]) -> str:
        """Ask, with arguments in their order or by name; the address of the answer."""
        calls = f"{self.url}/gradio_api/call"
        if isinstance(data, dict):
            event = httpx.post(f"{calls}/v2/{endpoint}", json=data, timeout=120)
        else:
            body = {"data": data} | ({"session_hash": self.session} if self.session else {})
            event = httpx.post(f"{calls}/{endpoint}", json=body, timeout=120)
        event.raise_for_status()
        return f"{calls}/{endpoint}/{event.json()['event_id']}"

    def call(self, endpoint: str, data: list[Any] | dict[str, Any]) -> tuple[str, Any]:
        """Ask and wait; the last event's name and what it holds."""
        return self.answer(self.begin(endpoint, data))

    def answer(self, address: str) -> tuple[str, Any]:
        """Wait for what was asked; the last event's name and what it holds."""
        stream = httpx.get(address, timeout=120).text.strip()
        name, answer = stream.split("\n\n")[-1].split("\n", 1)
        return name.removeprefix("event: "), json.loads(answer.removeprefix("data: "))

    def detect(self, path: Path, **further: object) -> tuple[str, Any]:
        """Look for landslides in a file."""
        return self.call("detect", {"patch": self.upload(path), **further})
