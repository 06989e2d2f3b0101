"""Fifty clients at once: every answer comes, is the sender's own, and memory stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import psutil
import pytest
from app_server import Server, serving
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError
from synthetic_patches import make_patch

from landslide_zoo import ModelZoo, read_patch
from landslide_zoo.data.hdf5 import write_patch_h5
from landslide_zoo.inference.predict import LoadedPredictor, predict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
CLIENTS = 50


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Fifty different patches."""
    folder = tmp_path_factory.mktemp("crowd")
    paths = [folder / f"image_{seed}.h5" for seed in range(CLIENTS)]
    for seed, path in enumerate(paths):
        write_patch_h5(path, make_patch(seed, 128))
    return paths


@pytest.fixture(scope="module")
def model() -> LoadedPredictor:
    """The model that the app uses where none is named."""
    zoo = ModelZoo()
    if not zoo.names():
        pytest.skip("no model is bundled")
    return zoo.load(zoo.names()[0], device="cpu", backend="auto")


def connect(server: Server, folder: Path) -> Client:
    """A client that waits for its turn: fifty uploads at once take longer than its usual 5 s."""
    return Client(server.url, verbose=False, download_files=folder, httpx_kwargs={"timeout": 300})


def ask_all_at_once(
    server: Server, crowd: list[Path], folder: Path
) -> list[tuple[dict[str, object], list[str]] | Exception]:
    """Let every client send its patch at the same moment; answers in the patches' order."""
    clients = [connect(server, folder / str(place)) for place in range(len(crowd))]
    together = Barrier(len(crowd))

    def ask(client: Client, path: Path) -> tuple[dict[str, object], list[str]] | Exception:
        together.wait()
        try:
            return client.predict(patch=handle_file(path), api_name="/detect")
        except (AppError, QueueError) as error:
            return error

    with ThreadPoolExecutor(len(crowd)) as pool:
        answers = list(pool.map(ask, clients, crowd))
    for client in clients:
        client.close()
    return answers


def assert_own_answer(
    answer: tuple[dict[str, object], list[str]] | Exception, path: Path, model: LoadedPredictor
) -> None:
    assert not isinstance(answer, Exception), "the queue was full"
    figures, files = answer
    assert figures["patch"] == path.stem
    expected = predict(model, [read_patch(path)])[0].probability
    # bfloat16 rounds a patch differently by itself and among others.
    np.testing.assert_allclose(np.load(files[0]), expected, atol=0.02)


def test_a_queue_of_fifty_answers_all_and_memory_stays(
    tmp_path: Path, crowd: list[Path], model: LoadedPredictor
) -> None:
    with serving(tmp_path / "server", LANDSLIDE_ZOO_QUEUE="50") as server:
        process = psutil.Process(server.process.pid)
        ask_all_at_once(server, crowd, tmp_path / "warming")
        warm = process.memory_info().rss
        answers = ask_all_at_once(server, crowd, tmp_path / "answers")
        after = process.memory_info().rss
    for answer, path in zip(answers, crowd, strict=True):
        assert_own_answer(answer, path, model)
    print(f"resident memory: {warm / 2**20:.0f} MiB warm, {after / 2**20:.0f} MiB afterwards")
    assert abs(after - warm) <= 0.1 * warm
