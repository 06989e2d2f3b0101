"""The command as a whole: exit statuses, and how it ends when it is stopped."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import termios
from pathlib import Path

import pytest
from command_line import MAIN, Command
from patch_files import write_patch

import landslide_zoo


def test_the_version(command: Command) -> None:
    assert command("--version").out == f"landslide-zoo {landslide_zoo.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("paint",),
        ("predict",),
        ("predict", "a.h5", "--colour", "red"),
        ("predict", "a.h5", "--threshold", "1.5"),
        ("predict", "a.h5", "--threshold", "high"),
        ("compare",),
        ("compare", "a.h5", "b.h5"),
        ("publish",),
        ("publish", "folder"),
        ("publish", "folder", "someone/unet", "--space", "someone/app"),
        ("app", "--port", "0"),
    ],
)
def test_bad_usage_is_status_2_and_says_how(arguments: tuple[str, ...], command: Command) -> None:
    answer = command(*arguments)
    assert answer.status == 2
    assert "Usage: landslide-zoo" in answer.err
    assert len(answer.errors) == 1


def test_a_reader_that_has_gone_is_no_error(model_folder: Path) -> None:
    environment = os.environ | {"LANDSLIDE_ZOO": str(model_folder.parent)}
    reader, writer = os.pipe()
    os.close(reader)
    command = [*MAIN, "models", "--json"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_a_terminal_sees_progress_and_control_c_stops_without_a_traceback(
    model_folder: Path, tmp_path: Path
) -> None:
    patches = [write_patch(tmp_path / "0.h5")]
    for i in range(1, 500):
        patches.append(tmp_path / f"{i}.h5")
        patches[-1].hardlink_to(patches[0])
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    running = subprocess.Popen(
        [*MAIN, "predict", *patches, "--model", model_folder, "--output", tmp_path / "out"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        # A suite that runs in the background ignores it, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(terminal)
    seen = b""
    while not re.search(rb" [1-9]\d*/500 ", seen):
        seen += os.read(screen, 1024)
    running.send_signal(signal.SIGINT)
    rest = []
    try:
        while chunk := os.read(screen, 1024):
            rest.append(chunk)
    except OSError:  # the terminal's other end is closed: the command has ended
        pass
    assert running.wait(60) == 130
    assert b"Traceback" not in seen + b"".join(rest)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    stems = {name.removesuffix(".npy") for name in names if name.endswith(".npy")}
    assert 0 < len(stems) < 500
    assert names <= {s + end for s in stems for end in (".npy", "_mask.h5", "_overlay.png")}
