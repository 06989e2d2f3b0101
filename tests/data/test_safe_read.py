"""Reading in a process of its own: the same patches, and no file takes the app with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from patch_files import stored, write_h5, write_patch, write_png
from pebble import ProcessExpired

from landslide_zoo import Patch, read_patch
from landslide_zoo.data import safe_read
from landslide_zoo.data.safe_read import read_patch_safely, worker_pool
from landslide_zoo.errors import DataError


def same(first: Patch, second: Patch) -> bool:
    return all(np.array_equal(value, getattr(second, name)) for name, value in vars(first).items())


def test_it_reads_what_the_reader_reads_for_many_threads(tmp_path: Path) -> None:
    mask = np.tri(48, dtype=np.uint8)
    values = stored()
    values[:4] = np.nan
    files = [
        (write_h5(tmp_path / "a b.h5", img=values, mask=mask), None),
        (write_patch(tmp_path / "image_4 (1).h5"), write_h5(tmp_path / "m.h5", mask=mask)),
        (write_png(tmp_path / "picture.png", 40, 50), None),
    ]
    with ThreadPoolExecutor(8) as pool:
        patches = list(pool.map(lambda pair: read_patch_safely(*pair), files * 4))
    for patch, pair in zip(patches, files * 4, strict=True):
        assert same(patch, read_patch(*pair))


def test_a_patch_of_more_pixels_than_are_taken_is_refused(tmp_path: Path) -> None:
    path = write_patch(tmp_path / "patch.h5")
    assert read_patch_safely(path, max_pixels=48 * 48).size == (48, 48)
    with pytest.raises(DataError, match="at most 40 x 40"):
        read_patch_safely(path, max_pixels=1600)


def _sleep(*_: object) -> None:
    time.sleep(60)


def _crash(*_: object) -> None:
    os.abort()


def _fill(*_: object) -> None:
    np.ones(2 * safe_read.MEMORY // 8)


@pytest.mark.parametrize(
    ("harm", "reason"), [(_sleep, "more than 1 s"), (_crash, "broke off"), (_fill, "broke off")]
)
def test_a_file_that_runs_on_crashes_or_fills_the_memory_is_one_sentence(
    harm: Callable[..., None], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_patch(tmp_path / "patch.h5")
    read_patch_safely(path)
    with monkeypatch.context() as changed, pytest.raises(DataError, match=rf"patch\.h5.*{reason}"):
        changed.setattr(safe_read, "_read", harm)
        if harm is _sleep:
            changed.setattr(safe_read, "SECONDS", 1)
        read_patch_safely(path)
    assert same(read_patch_safely(path), read_patch(path))


def test_a_worker_finds_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    pool = worker_pool(1, 2**30)
    assert pool.schedule(os.getenv, ("HF_TOKEN",), timeout=60).result() is None
    with pytest.raises(ProcessExpired):
        pool.schedule(os._exit, (3,), timeout=60).result()
    pool.stop()
