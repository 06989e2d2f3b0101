"""Reading in a process of its own: the same patches, and no file takes the app with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from patch_files import BAD_PATCHES, stored, write_bad_patch, write_h5, write_patch, write_png

from landslide_zoo import Patch, read_patch
from landslide_zoo.data import check_patch, read_patch_safely
from landslide_zoo.data.readers import worker as worker_module
from landslide_zoo.data.readers.worker import ReadingWorker
from landslide_zoo.errors import DataError


@pytest.fixture
def worker() -> Iterator[ReadingWorker]:
    worker = ReadingWorker()
    yield worker
    worker.close()


def write_large(path: Path) -> Path:
    """The largest patch that is allowed, in a file of 2 kB: it takes 0.8 GB to read."""
    with h5py.File(path, "w") as file:
        file.create_dataset("img", (14, 2048, 2048), "f8", chunks=(14, 64, 64), fillvalue=1.0)
    return path


def same(first: Patch, second: Patch) -> bool:
    return all(np.array_equal(value, getattr(second, name)) for name, value in vars(first).items())


def test_it_reads_what_the_reader_reads(worker: ReadingWorker, tmp_path: Path) -> None:
    values = stored()
    values[:4] = np.nan
    mask = np.tri(48, dtype=np.uint8)
    files = [
        (write_h5(tmp_path / "a b.h5", img=values, mask=mask, label=mask), None),
        (write_patch(tmp_path / "image_4 (1).h5"), write_h5(tmp_path / "m.h5", mask=mask)),
        (write_png(tmp_path / "picture.png", 40, 50), None),
    ]
    process = worker.start()
    for path, its_mask in files:
        assert same(worker.read_patch(path, its_mask), read_patch(path, its_mask))
    assert worker.start() is process


@pytest.mark.parametrize("kind", ["truncated", "text", "plugin-filter", "missing"])
def test_errors_come_back_as_they_are(kind: str, worker: ReadingWorker, tmp_path: Path) -> None:
    process = worker.start()
    with pytest.raises(DataError, match=BAD_PATCHES[kind][1]):
        worker.read_patch(write_bad_patch(kind, tmp_path))
    assert worker.start() is process


def test_a_file_that_takes_too_long_ends_its_worker_and_the_next_is_read(tmp_path: Path) -> None:
    worker = ReadingWorker(seconds=0.2)
    good, slow = write_patch(tmp_path / "good.h5"), write_large(tmp_path / "slow.h5")
    process = worker.start()
    with pytest.raises(DataError, match=r"slow.h5 cannot be read \(it takes more than 0.2 s\)"):
        worker.read_patch(slow)
    assert process.returncode in (-signal.SIGPROF, -signal.SIGALRM)
    worker.seconds = 60
    assert same(worker.read_patch(good), read_patch(good))
    worker.close()


def test_a_file_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    worker = ReadingWorker(memory=100 * 1024**2)
    good, large = write_patch(tmp_path / "good.h5"), write_large(tmp_path / "large.h5")
    with pytest.raises(DataError, match=r"large.h5 (takes too much memory|cannot be read)"):
        worker.read_patch(large)
    assert same(worker.read_patch(good), read_patch(good))
    worker.close()


def test_a_worker_that_was_killed_is_replaced(worker: ReadingWorker, tmp_path: Path) -> None:
    path = write_patch(tmp_path / "patch.h5")
    process = worker.start()
    process.kill()
    process.wait()
    assert same(worker.read_patch(path), read_patch(path))


def test_a_reader_that_crashes_is_one_sentence(worker: ReadingWorker, tmp_path: Path) -> None:
    path = write_patch(tmp_path / "patch.h5")
    process = worker.start()
    process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(worker.read_patch, path)
        with open(f"/proc/{process.pid}/fd/0", "rb") as requests:
            assert select.select([requests], [], [], 60)[0]
        process.send_signal(signal.SIGSEGV)
        process.send_signal(signal.SIGCONT)
        with pytest.raises(DataError, match=r"patch.h5 cannot be read \(its reader broke off\)"):
            reading.result()
    assert same(worker.read_patch(path), read_patch(path))


def test_a_worker_that_grew_large_gives_its_memory_back(
    worker: ReadingWorker, tmp_path: Path
) -> None:
    process = worker.start()
    patch = worker.read_patch(write_large(tmp_path / "large.h5"))
    assert patch.size == (2048, 2048) and "constant" in check_patch(patch)[-1]
    assert process.returncode is not None


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    paths = [write_patch(tmp_path / f"{seed}.h5", seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(8) as pool:
        for path, patch in zip(paths * 4, pool.map(read_patch_safely, paths * 4), strict=True):
            assert same(patch, read_patch(path))
    assert len(worker_module._workers) == 2


def test_a_worker_ends_with_the_app_that_started_it(tmp_path: Path) -> None:
    path = write_patch(tmp_path / "patch.h5")
    code = (
        "import sys\n"
        "from landslide_zoo.data.readers.worker import ReadingWorker\n"
        "worker = ReadingWorker()\n"
        "worker.read_patch(sys.argv[1])\n"
        "print(worker.start().pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as app:
        assert app.stdout is not None
        worker = os.pidfd_open(int(app.stdout.readline()))
        app.kill()
        ended, _, _ = select.select([worker], [], [], 30)
        os.close(worker)
    assert ended
