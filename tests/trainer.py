"""Starting the trainer as a user does, watching what it says, and killing it.

``launch_two`` starts it by ``accelerate launch``. ``start`` forks it from a process
that has imported everything already: a process of its own, with its own exit
status, that may be killed like any other, a few hundred milliseconds later
instead of ten seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "train_accelerate.py"

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["train_accelerate"])
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))


class Trainer:
    """A trainer that runs, or ran.

    Attributes:
        said: What it has written so far, progress bars included.
    """

    def __init__(self, pid: int, wait: Callable[[], int | None], output: int) -> None:
        self.said = ""
        self._pid, self._wait, self._output = pid, wait, output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and all that it started, as a power cut would."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._pid)
            for member in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    member.send_signal(signal.SIGKILL)
        self.end()
        os.close(self._output)

    def read_until(self, pattern: str) -> Self:
        """Wait until it has said something."""
        while not re.search(pattern, self.said):
            assert self._read(), f"it never said {pattern!r}:\n{self.said}"
        return self

    def end(self) -> int | None:
        """Wait for its end; its exit status."""
        while self._read():
            pass
        return self._wait()

    def _read(self) -> bool:
        piece = os.read(self._output, 1 << 16)
        self.said += piece.decode(errors="replace")
        return bool(piece)

    @property
    def sentence(self) -> str:
        """The one sentence that it ended with; there is no traceback anywhere."""
        assert "Traceback" not in self.said, self.said
        return re.split(r"[\r\n]", self.said.rstrip("\n"))[-1]


def launch_two(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> Trainer:
    """Start it by ``accelerate launch`` in two processes on this machine's CPU."""
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", 0),
        *("--config_file", ROOT / "configs" / "cpu_2_processes.yaml", SCRIPT, *arguments),
    ]
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env={**(env or os.environ), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    return Trainer(process.pid, process.wait, os.dup(process.stdout.fileno()))


def start(*arguments: object, cwd: Path) -> Trainer:
    """Start it in one process on this machine's CPU, forked from one that is warm."""
    reader, writer = _processes.Pipe(duplex=False)
    words = [str(word) for word in arguments]
    process = _processes.Process(target=_run, args=(words, str(cwd), writer))
    process.start()
    writer.close()

    def wait() -> int | None:
        process.join()
        return process.exitcode

    assert process.pid is not None
    trainer = Trainer(process.pid, wait, os.dup(reader.fileno()))
    reader.close()
    return trainer


def _run(words: list[str], cwd: str, output: multiprocessing.connection.Connection) -> None:
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    os.chdir(cwd)
    os.environ["ACCELERATE_USE_CPU"] = "1"
    sys.argv = [str(SCRIPT), *words]
    import torch

    import train_accelerate

    torch.set_num_threads(1)
    train_accelerate.main()
