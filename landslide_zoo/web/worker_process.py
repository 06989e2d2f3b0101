"""A process of its own for what is not trusted: lost over a file, it takes nothing else with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path


class WorkerProcess(ABC):
    """A process that does one job after another; it is started by the first.

    The two sides speak over its standard input and output. It finds no credentials in
    its environment.

    Args:
        environment: Variables of its environment beside those of this process.
    """

    def __init__(self, **environment: str) -> None:
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def code(self) -> str:
        """What the process runs."""

    def start(self) -> subprocess.Popen[bytes]:
        """The process; a new one where there is none, or it has ended."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            known = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
            path = os.pathsep.join(filter(None, sys.path))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", self.code()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=known | {"PYTHONPATH": path} | self._environment,
                start_new_session=True,  # an interrupt at the terminal is for the app
            )
        return self._process

    def close(self) -> int | None:
        """End the process, and return its exit status; None where there is none."""
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None and process.stdout is not None
        process.stdout.close()  # one that is lost has ended; one that lives must not go on writing
        process.kill()
        status = process.wait()
        with contextlib.suppress(OSError):  # what was not sent is not missed
            process.stdin.close()
        return status


def limit_memory(memory: int) -> None:
    """Let this process take so many bytes more than it has, where the system can do that."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        import resource

        now = int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, hard))
