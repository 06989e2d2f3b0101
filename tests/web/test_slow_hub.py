"""A Hub that stalls or refuses: only who asks for its models is told, and in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app_server import serving
from loopback_hub import LoopbackHub
from loopback_hub.faults import Refuse, Trickle
from rest_client import Rest

from landslide_zoo import LandslideModel

SECONDS = 8


def test_a_slow_hub_holds_up_nobody_else(
    hub: LoopbackHub,
    model_folder: Path,
    patches: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    LandslideModel.from_folder(model_folder).push_to_hub(f"{hub.namespace}/far", token=hub.token)
    patch = patches / "image_1.h5"
    environment = {"LANDSLIDE_ZOO": hub.namespace, "LANDSLIDE_ZOO_TIMEOUT": str(SECONDS)}
    with serving(tmp_path, **environment) as server, ThreadPoolExecutor(4) as pool:
        rest = Rest(server.url)
        end = time.monotonic() + 60
        while "far" not in [one["name"] for one in rest.call("models", [])[1][0]]:
            assert time.monotonic() < end
        rest.detect(patch)
        usual = timed(lambda: rest.detect(patch))[0]

        hub.faults = {r"lfs|\.safetensors": Trickle(60)}
        far = [pool.submit(timed, lambda: rest.detect(patch, "far")) for _ in range(3)]
        bundled, (event, _) = timed(lambda: rest.detect(patch))
        assert event == "complete" and bundled < usual + 2
        for waited, (event, answer) in [one.result() for one in far]:
            assert event == "error" and f"was not fetched within {SECONDS} s" in answer["error"]
            assert waited < SECONDS + 5

        hub.faults = {"resolve": Refuse(429, {"Retry-After": "600"})}
        refused, (event, answer) = timed(lambda: rest.detect(patch, "far"))
        assert event == "error" and "takes no more requests" in answer["error"]
        assert refused < 5

        hub.faults = {}
        event, answer = rest.detect(patch, "far")
        assert event == "complete" and answer[0]["model"] == "far"
        assert "Traceback" not in server.log.read_text()
    record_property("fault", "a Hub that stalls while another visitor uses a bundled model")
    record_property("seconds", round(bundled, 1))


def timed(work: Callable[[], tuple[str, object]]) -> tuple[float, tuple[str, object]]:
    start = time.monotonic()
    answer = work()
    return time.monotonic() - start, answer
