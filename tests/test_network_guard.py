"""The guard sees what would leave the machine, in this process and in others."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

OUTSIDE = "192.0.2.1"  # an address reserved for documentation (RFC 5737)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of this test's own, so that the session's stays empty."""
    monkeypatch.setenv("NETWORK_GUARD_LOG", str(tmp_path / "network.log"))
    return tmp_path / "network.log"


def test_this_process(log: Path) -> None:
    with pytest.raises(OSError, match="network guard"):
        socket.create_connection((OUTSIDE, 80), timeout=1)
    with pytest.raises(OSError, match="network guard"):
        socket.getaddrinfo("example.org", 443)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with datagrams, pytest.raises(OSError, match="network guard"):
        datagrams.sendto(b"", (OUTSIDE, 53))
    assert len(log.read_text().splitlines()) == 3


def test_a_subprocess(log: Path) -> None:
    code = f"import urllib.request as r; r.urlopen('http://{OUTSIDE}/', timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "network guard" in done.stderr
    assert OUTSIDE in log.read_text()


def test_loopback_is_free(log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port), timeout=5).close()
    assert not log.exists()


def test_the_environment_keeps_clients_on_loopback() -> None:
    assert constants.ENDPOINT.startswith("http://127.0.0.1:")
    assert constants.HF_HUB_DISABLE_TELEMETRY and constants.HF_HUB_DISABLE_XET
