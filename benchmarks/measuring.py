"""What every benchmark needs: ways timed in turn, the machine described, figures kept as JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from landslide_zoo.web.samples import samples

RESULTS = Path(__file__).resolve().parent / "results"
"""Where figures are kept, a file a benchmark."""

_EXTENSIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
_PACKAGES = ("torch", "segmentation-models-pytorch", "openvino", "matplotlib", "gradio")

Way = Callable[[], object]


def in_turn(
    ways: Mapping[str, Way], rounds: int, warm: bool = True, calls: int = 1
) -> dict[str, dict[str, float]]:
    """Time ways of doing one thing, one after another, round after round.

    What else the machine does then falls on all of them alike.

    Args:
        ways: The ways, by name.
        rounds: How often each has its turn.
        warm: Whether each turn begins with a call that is not timed.
        calls: Timed calls of a turn.

    Returns:
        For each way the median, the fastest and the slowest call, in milliseconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            if warm:
                way()
            for _ in range(calls):
                begun = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - begun)
    return {name: spread([1000 * each for each in found]) for name, found in seconds.items()}


def spread(values: list[float]) -> dict[str, float]:
    """The median, the least and the most of values."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: significant(value) for name, value in found.items()}


def write_patches(folder: Path, number: int) -> list[Path]:
    """Files as the dataset has them, of the package's samples over and over."""
    folder.mkdir(exist_ok=True)
    real = [sample.path for sample in samples()]
    paths = [folder / f"image_{index}.h5" for index in range(number)]
    for index, path in enumerate(paths):
        path.symlink_to(real[index % len(real)])
    return paths


def significant(value: float) -> float:
    """A value to three significant digits, which is as many as any timing has."""
    return float(f"{value:.3g}")


def times(faster: Mapping[str, float], slower: Mapping[str, float]) -> float:
    """How many times faster one way is than another, by their medians."""
    return significant(slower["median"] / faster["median"])


def machine() -> dict[str, Any]:
    """The machine and the versions that figures are of."""
    figures: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "instructions": [one for one in _EXTENSIONS if one in _cpuinfo("flags").split()],
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "load_average": round(os.getloadavg()[0], 1),
    }
    return figures


def processor() -> str:
    """The processor's name, with the family and model that tell which it is."""
    name = _cpuinfo("model name")
    if not name:
        return platform.processor() or platform.machine()
    return f"{name} (family {_cpuinfo('cpu family')}, model {_cpuinfo('model')})"


def _cpuinfo(key: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else ""


def write_results(name: str, figures: Mapping[str, Any]) -> None:
    """Keep the figures of a benchmark, with the machine they are of."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"command": " ".join(["python", *_shown(sys.argv)]), "machine": machine(), **figures}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"{path} written", file=sys.stderr)


def _shown(arguments: list[str]) -> list[str]:
    """The command's words, without the folders of this machine."""
    program, *others = arguments
    return [f"benchmarks/{Path(program).name}"] + [
        Path(word).name if os.path.isabs(word) else word for word in others
    ]
