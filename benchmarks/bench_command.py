"""How quick the command line is: ``make bench``.

Each command is a process of its own, as many rounds as are asked for, in turn: the start of
``--help`` and of one patch; then ``predict`` with
1, 4, 16 and 64 times as many patches: the time of each, and the most memory that it took::

    python benchmarks/bench_command.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from measuring import significant, spread, write_patches, write_results

MODEL = "unet-mobilenet_v2-rgb"
UNIT = 16
"""Patches of one unit of work."""
TIMES = (1, 4, 16, 64)
_PAUSE = 0.005
"""Seconds between looks at a process."""


@dataclass(frozen=True)
class Process:
    """What a process took.

    Attributes:
        seconds: From its start to its end.
        processor: Seconds of processor.
        megabytes: Its largest resident memory.
    """

    seconds: float
    processor: float
    megabytes: float

    @classmethod
    def run(cls, *command: object, **variables: str) -> Process:
        """Run a command to its end, with environment variables besides.

        Raises:
            subprocess.CalledProcessError: If it fails.
        """
        begun = time.perf_counter()
        started = subprocess.Popen(
            list(map(str, command)), env=os.environ | variables, stdout=subprocess.DEVNULL
        )
        most = 0
        # Not ru_maxrss: it begins with the memory of the process that starts it.
        while True:
            with suppress(psutil.Error):
                most = max(most, psutil.Process(started.pid).memory_info().rss)
            pid, status, usage = os.wait4(started.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(_PAUSE)
        seconds = time.perf_counter() - begun
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            raise subprocess.CalledProcessError(started.returncode, started.args)
        return cls(seconds, usage.ru_utime + usage.ru_stime, most / 2**20)


def start(folder: Path, rounds: int) -> dict[str, Any]:
    """Cold starts, in seconds, by what is started."""
    program = Path(sys.executable).with_name("landslide-zoo")
    (patch,) = write_patches(folder / "one", 1)
    predict = (program, "predict", patch, "--model", MODEL, "--output", folder / "out")
    Process.run(*predict)  # compiles the network
    found: dict[str, list[Process]] = {}
    for number in range(rounds):
        new = str(folder / f"cache {number}")
        for name, process in (
            ("--help", Process.run(program, "--help")),
            ("predict", Process.run(*predict)),
            ("predict, nothing compiled", Process.run(*predict, LANDSLIDE_ZOO_CACHE=new)),
        ):
            found.setdefault(name, []).append(process)
            print(name, process, file=sys.stderr)
    return {
        name: {
            "seconds": spread([one.seconds for one in processes]),
            "processor_s": spread([one.processor for one in processes]),
        }
        for name, processes in found.items()
    }


def work(folder: Path, rounds: int) -> dict[str, Any]:
    """What a patch takes and the most memory, by how many times the unit of work it is."""
    program = Path(sys.executable).with_name("landslide-zoo")
    found: dict[int, list[Process]] = {}
    for times in TIMES:
        write_patches(folder / str(times), UNIT * times)
    for _ in range(rounds):
        for times in (0, *TIMES):
            patches = folder / str(times) if times else folder / "one"
            out = folder / f"out of {times}"
            process = Process.run(program, "predict", patches, "--model", MODEL, "--output", out)
            found.setdefault(times, []).append(process)
            print(times, process, file=sys.stderr)
    single = found.pop(0)
    alone = statistics.median(one.seconds for one in single)
    alone_processor = statistics.median(one.processor for one in single)
    by_times: dict[str, Any] = {
        str(times): {
            "patches": UNIT * times,
            # One patch is that of the process without more to do.
            "patch_ms": spread(
                [1000 * (one.seconds - alone) / (UNIT * times - 1) for one in processes]
            ),
            "patch_processor_ms": spread(
                [1000 * (one.processor - alone_processor) / (UNIT * times - 1) for one in processes]
            ),
            "peak_mb": significant(max(one.megabytes for one in processes)),
        }
        for times, processes in found.items()
    }
    medians = [one["patch_processor_ms"]["median"] for one in by_times.values()]
    return {
        "times": by_times,
        "slowest_over_fastest": significant(max(medians) / min(medians)),
    }


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each start.")] = 7,
    work_rounds: Annotated[int, typer.Option(min=1, help="Turns of each amount of work.")] = 3,
) -> None:
    """Measure the command line."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        figures = {"model": MODEL, "start": start(folder, rounds)}
        figures["work"] = work(folder, work_rounds)
        write_results("command", {"rounds": rounds, "work_rounds": work_rounds, **figures})


if __name__ == "__main__":
    typer.run(main)
