"""Starting the trainer as a user does, watching what it says, and killing it.

``launch`` starts it by ``accelerate launch``. ``start`` forks it from a process
that has imported everything already: a process of its own, with its own exit
status, that may be killed like any other, a few hundred milliseconds later
instead of ten seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, Self

import psutil

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "train_accelerate.py"

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["train_accelerate"])
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))


class _Process(Protocol):
    pid: int

    def wait(self) -> int: ...


class Trainer:
    """A trainer that runs, or ran.

    Attributes:
        said: What it has written so far, progress bars included.
    """

    def __init__(self, process: _Process, output: int) -> None:
        self.process = process
        self.said = ""
        self._output = output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._output)

    def read_until(self, pattern: str) -> Self:
        """Wait until it has said something."""
        while not re.search(pattern, self.said):
            assert self._read(), f"it never said {pattern!r}:\n{self.said}"
        return self

    def end(self) -> int:
        """Wait for its end; its exit status."""
        while self._read():
            pass
        return self.process.wait()

    def ends_within(self, pieces: int, seconds: float) -> bool:
        """Whether it ends by itself while it says so many more pieces, and a time after."""
        for _ in range(pieces):
            if not self._read():
                return True
        last = time.monotonic() + seconds
        while (left := last - time.monotonic()) > 0:
            ready, _, _ = select.select([self._output], [], [], left)
            if ready and not self._read():
                return True
        return False

    def kill(self) -> None:
        """Kill it and all that it started, as a power cut would."""
        try:
            process = psutil.Process(self.process.pid)
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            family = []
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        self.end()

    def _read(self) -> bool:
        piece = os.read(self._output, 1 << 16)
        self.said += piece.decode(errors="replace")
        return bool(piece)

    @property
    def sentence(self) -> str:
        """The one sentence that it ended with; there is no traceback anywhere."""
        assert "Traceback" not in self.said, self.said
        last = self.said.rstrip("\n").rpartition("\n")[2].rpartition("\r")[2]
        assert last.endswith("."), self.said
        return last


def launch(
    config: str,
    *arguments: object,
    cwd: Path,
    options: Sequence[object] = (),
    env: Mapping[str, str] | None = None,
) -> Trainer:
    """Start it by ``accelerate launch`` on this machine's CPU, in full precision.

    Args:
        config: Name of one of the project's configurations.
        arguments: Its command line.
        cwd: Where it runs.
        options: Further options of ``accelerate launch``, in place of the configuration's.
        env: Its environment.
    """
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch"),
        *("--config_file", ROOT / "configs" / f"{config}.yaml", "--mixed_precision", "no"),
        *(*options, SCRIPT, *arguments),
    ]
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env={**(env or os.environ), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    return Trainer(process, os.dup(process.stdout.fileno()))


def launch_two(*arguments: object, **given: Any) -> Trainer:
    """Start it in two processes of this machine."""
    return launch("cpu_2_processes", *arguments, options=["--main_process_port", 0], **given)


def start(
    *arguments: object, cwd: Path, token: str | None = None, largest_file: int | None = None
) -> Trainer:
    """Start it in one process on this machine's CPU, forked from one that is warm.

    Args:
        arguments: Its command line.
        cwd: Where it runs.
        token: Its token for the Hub.
        largest_file: Bytes beyond which no file can be written, as on a full disk.
    """
    reader, writer = _processes.Pipe(duplex=False)
    words = [str(word) for word in arguments]
    process = _processes.Process(target=_run, args=(words, str(cwd), token, largest_file, writer))
    process.start()
    writer.close()
    output = os.dup(reader.fileno())
    reader.close()
    return Trainer(_Forked(process), output)


class _Forked:
    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self._process = process

    def wait(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


def _run(
    words: list[str], cwd: str, token: str | None, largest_file: int | None, output: Connection
) -> None:
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    os.chdir(cwd)
    os.environ |= {"ACCELERATE_USE_CPU": "1"} | ({"HF_TOKEN": token} if token else {})
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = [str(SCRIPT), *words]
    import torch

    import train_accelerate

    torch.set_num_threads(1)
    train_accelerate.main()
