"""Nothing is left behind: while the app runs, when it is told to end, and after it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from app_server import serving

from landslide_zoo.web.housekeeping import TemporaryFolder

KEEP = 100.0


def make_old(path: Path) -> None:
    past = time.time() - 2 * KEEP
    os.utime(path, (past, past))


def test_what_was_not_used_is_swept_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = TemporaryFolder(tmp_path, KEEP)
    old, young = folder.path / "old" / "a.h5", folder.path / "young.h5"
    for path in (old, young):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    folder.sweep()
    assert old.exists() and young.exists()
    later = time.time() + 2 * KEEP  # ctime cannot be set
    monkeypatch.setattr(time, "time", lambda: later)
    os.utime(young, (later, later))
    folder.sweep()
    assert young.exists() and not old.exists()
    folder.sweep()
    assert not old.parent.exists()
    folder.delete()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_process_is_deleted_and_that_of_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    code = (
        "import sys, time, pathlib; from landslide_zoo.web.housekeeping import TemporaryFolder\n"
        "folder = TemporaryFolder(pathlib.Path(sys.argv[1]), 100)\n"
        "(folder.path / 'upload.h5').touch(); print(folder.path, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        TemporaryFolder(tmp_path, KEEP).delete()
        assert (theirs / "upload.h5").exists()
        process.kill()
        process.wait()
    TemporaryFolder(tmp_path, KEEP).delete()
    assert not theirs.exists()


def test_a_folder_of_another_kind_stays_whatever_its_name(tmp_path: Path) -> None:
    checkout = tmp_path / "landslide-zoo-main"
    checkout.mkdir()
    (checkout / "README.md").touch()
    TemporaryFolder(tmp_path, KEEP).delete()
    assert [one.name for one in checkout.iterdir()] == ["README.md"]


def begin_upload(url: str) -> socket.socket:
    """An upload that stops in the middle."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = '--b\r\nContent-Disposition: form-data; name="files"; filename="x.h5"\r\n\r\n'
    connection.sendall(
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: app\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + head.encode() + b"x" * 1000
    )
    return connection


def test_uploads_are_deleted_while_it_runs_and_sigterm_ends_it_in_order(
    tmp_path: Path, patches: Path
) -> None:
    # As the first process of a container, where this user may start one.
    wrapper = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*wrapper, "true"], check=False).returncode:
        wrapper = []
    content = (patches / "image_1.h5").read_bytes()
    with serving(tmp_path, wrapper=wrapper, LANDSLIDE_ZOO_KEEP_MINUTES="0.03") as server:

        def upload() -> Path:
            files = {"files": ("a.h5", content)}
            answer = httpx.post(f"{server.url}/gradio_api/upload", files=files)
            return Path(answer.json()[0])

        begin_upload(server.url).close()
        assert upload().is_relative_to(tmp_path / "gradio")
        [own] = (tmp_path / "gradio").iterdir()
        end = time.monotonic() + 30
        while left := [one for one in own.iterdir() if one.name != ".lock"]:
            assert time.monotonic() < end, left
            time.sleep(0.2)  # nothing tells of a deletion
        with (
            begin_upload(server.url),
            httpx.stream("GET", f"{server.url}/gradio_api/heartbeat/visit"),
        ):
            assert upload().exists()
            start = time.monotonic()
            os.kill(server.app_pid, signal.SIGTERM)
            assert server.process.wait(timeout=30) == 0
            assert time.monotonic() - start < 10
    assert list((tmp_path / "gradio").iterdir()) == []
    assert "Traceback" not in server.log.read_text()
