"""A client over plain HTTP, as curl would be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Rest:
    """The app's endpoints."""

    url: str
    """Where the app answers."""

    def upload(self, path: Path) -> dict[str, Any]:
        """Upload a file, without saying its type; what the endpoints take of it."""
        files = {"files": (path.name, path.read_bytes(), "application/octet-stream")}
        answer = httpx.post(f"{self.url}/gradio_api/upload", files=files, timeout=120)
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def call(self, endpoint: str, data: dict[str, Any]) -> tuple[str, Any]:
        """Ask, with arguments by name, and wait; the last event's name and what it holds."""
        calls = f"{self.url}/gradio_api/call"
        event = httpx.post(f"{calls}/v2/{endpoint}", json=data, timeout=120).raise_for_status()
        stream = httpx.get(f"{calls}/{endpoint}/{event.json()['event_id']}", timeout=120)
        name, answer = stream.text.strip().split("\n\n")[-1].split("\n", 1)
        return name.removeprefix("event: "), json.loads(answer.removeprefix("data: "))

    def detect(self, path: Path, **further: object) -> tuple[str, Any]:
        """Look for landslides in a file."""
        return self.call("detect", {"patch": self.upload(path), **further})
