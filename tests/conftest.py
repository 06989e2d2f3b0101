"""What all tests share: the loopback Hub, the network guard and the real data.

Nothing in the tests reaches outside the machine. ``network_guard/sitecustomize.py``
is the guard that shows it: an audit hook, in this process and in every Python
subprocess, that refuses and logs what would leave loopback; the session fails
if anything was logged. The Hub that ``huggingface_hub`` talks to is
``loopback_hub``, on 127.0.0.1.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
_TEMPORARY = tempfile.TemporaryDirectory(prefix="landslide-zoo-tests-")
_HOME = Path(_TEMPORARY.name)


# The Hub's port, held as long as the tests run: the Hub may stop and start, and others run beside.
_PORT = socket.socket()
_PORT.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
_PORT.bind(("127.0.0.1", 0))

# huggingface_hub and gradio read these once, when they are first imported, so
# they are set before anything else is.
_UNSET = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE")
for _name in (*_UNSET, "LANDSLIDE_ZOO"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)
os.environ |= {
    "HF_ENDPOINT": f"http://127.0.0.1:{_PORT.getsockname()[1]}",
    "HF_HOME": str(_HOME / "huggingface"),
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "NETWORK_GUARD_LOG": str(_HOME / "network.log"),
    "PYTHONPATH": os.pathsep.join(
        [str(TESTS / "network_guard"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ),
}
if "PYTEST_XDIST_WORKER" not in os.environ:  # one for all workers: a network is converted once
    os.environ["LANDSLIDE_ZOO_CACHE"] = str(_HOME / "cache")
sys.path.insert(0, str(TESTS))

from collections.abc import Iterator  # noqa: E402

import pytest  # noqa: E402
from loopback_hub import LoopbackHub  # noqa: E402
from network_guard import sitecustomize  # noqa: E402, F401 - installs the guard here

pytest_plugins = ["command_line", "trained_model"]


@pytest.fixture(scope="session", autouse=True)
def network_guard() -> Iterator[None]:
    """Fail the session if anything tried to reach outside the machine."""
    log = Path(os.environ["NETWORK_GUARD_LOG"])
    log.touch()
    yield
    assert log.read_text() == "", "something tried to reach outside the machine"


@pytest.fixture(scope="session")
def _running_hub() -> Iterator[LoopbackHub]:
    hub = LoopbackHub(_PORT.getsockname()[1])
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def hub(_running_hub: LoopbackHub) -> LoopbackHub:
    """The loopback Hub, running and empty, with a namespace and tokens of this test's own."""
    _running_hub.reset()
    return _running_hub


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the checkout."""
    folder = TESTS.parents[1] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data is not on this machine: there is no {folder}")
    return folder
