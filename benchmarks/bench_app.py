"""How quick the app is: ``make bench``.

Starts the app of this checkout, and of others that are named, in turn, as many
rounds as are asked for, and keeps the medians: how long the page takes to
come up and the first detection after it; ``/detect`` alone, as a client sees it, and
the processor time that it takes; fifty clients at once, each with a patch of its own;
and, where there is a Chromium, the first paint of the page in a fresh visit.

    python benchmarks/bench_app.py --against ../before --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
from measuring import significant, write_results
from playwright.sync_api import sync_playwright

from landslide_zoo import Patch, read_patch
from landslide_zoo.data.hdf5 import write_patch_h5
from landslide_zoo.web.samples import samples

HERE = Path(__file__).parents[1]
CLIENTS = 50
ALONE = 20
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]"


@dataclass
class App:
    """A running app.

    Attributes:
        url: Where it answers.
        process: Its process.
        up: Seconds until its page was there.
        up_processor: Seconds of processor until then.
    """

    url: str
    process: psutil.Process
    up: float
    up_processor: float = 0.0

    def processor_time(self) -> float:
        """Seconds of processor that it and the processes it started have taken."""
        every = [self.process, *self.process.children(recursive=True)]
        return sum(sum(one.cpu_times()[:2]) for one in every)


@contextmanager
def running(checkout: Path, folder: Path) -> Iterator[App]:
    """The app of a checkout, started in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    variables = {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "PYTHONPATH": str(checkout),
    }
    url, start = f"http://127.0.0.1:{port}", time.perf_counter()
    with subprocess.Popen(
        [sys.executable, str(checkout / "space_app.py")],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not answers(url):
                time.sleep(0.02)
            app = App(url, psutil.Process(process.pid), time.perf_counter() - start)
            app.up_processor = app.processor_time()
            yield app
        finally:
            process.terminate()


def answers(url: str) -> bool:
    """Whether the page is there."""
    try:
        return httpx.get(url, timeout=60).is_success
    except httpx.HTTPError:
        return False


def write_patches(folder: Path) -> list[Path]:
    """Patches that all differ: the samples, shifted."""
    paths = [folder / f"image_{number}.h5" for number in range(CLIENTS)]
    real = [read_patch(one.path) for one in samples()]
    for number, path in enumerate(paths):
        patch = real[number % len(real)]
        write_patch_h5(path, Patch(np.roll(patch.values, 2 * number, axis=2)))
    return paths


async def ask(client: httpx.AsyncClient, url: str, path: Path) -> float:
    """Upload a patch and wait for what is found in it; seconds."""
    start = time.perf_counter()
    api = f"{url}/gradio_api"
    sent = await client.post(f"{api}/upload", files={"files": (path.name, path.read_bytes())})
    given = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    asked = await client.post(f"{api}/call/v2/detect", json={"patch": given})
    event = asked.json()["event_id"]
    answer = (await client.get(f"{api}/call/detect/{event}")).text
    assert "event: complete" in answer and f'"{path.stem}"' in answer, answer[-500:]
    return time.perf_counter() - start


async def measure(app: App, paths: list[Path]) -> dict[str, float]:
    """Figures of an app that has just started."""
    # A connection of its own for each request: one that idles is closed by a busy server.
    limits = httpx.Limits(max_connections=4 * CLIENTS, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=600, limits=limits) as client:
        first = await ask(client, app.url, paths[0])
        warm_processor = app.processor_time()
        for path in paths[:5]:
            await ask(client, app.url, path)
        before = app.processor_time()
        alone = [await ask(client, app.url, path) for path in paths[:ALONE]]
        took_alone = app.processor_time() - before
        await asyncio.gather(*(ask(client, app.url, path) for path in paths))
        before, start = app.processor_time(), time.perf_counter()
        waited = await asyncio.gather(*(ask(client, app.url, path) for path in paths))
        wall = time.perf_counter() - start
        took = app.processor_time() - before
    return {
        "page_up_s": app.up,
        "page_up_processor_s": app.up_processor,
        "first_detection_s": first,
        "first_detection_processor_s": warm_processor - app.up_processor,
        "alone_ms": 1000 * statistics.median(alone),
        "alone_processor_ms": 1000 * took_alone / ALONE,
        "clients_per_s": CLIENTS / wall,
        "clients_median_wait_s": statistics.median(waited),
        "clients_95_percent_wait_s": statistics.quantiles(waited, n=20)[-1],
        "clients_processor_ms": 1000 * took / CLIENTS,
        "resident_mb": app.process.memory_info().rss / 2**20,
    }


def first_paint(url: str) -> float | None:
    """Milliseconds to the page's first contentful paint in a fresh visit."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(path).exists():
            return None
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_context().new_page()
        page.goto(url)
        page.wait_for_function(f"{PAINT} !== undefined")
        return page.evaluate(f"{PAINT}.startTime")


def main() -> None:
    """Measure the app of each checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_patches(folder)
        with running(HERE, folder) as app:  # whatever it compiles once is compiled
            asyncio.run(ask(httpx.AsyncClient(timeout=600), app.url, paths[0]))
        for _ in range(arguments.rounds):
            for checkout in (HERE, *arguments.against):
                with running(checkout.resolve(), folder) as app:
                    figures = asyncio.run(measure(app, paths))
                    if paint := first_paint(app.url):
                        figures["first_paint_ms"] = paint
                label = "now" if checkout == HERE else checkout.name
                found.setdefault(label, []).append(figures)
                print(label, figures, file=sys.stderr)
    medians = {
        label: {
            key: significant(statistics.median(one[key] for one in rounds)) for key in rounds[0]
        }
        for label, rounds in found.items()
    }
    now = medians["now"]
    ratios = {
        label: {key: significant(now[key] / one[key]) for key in now}
        for label, one in medians.items()
        if label != "now"
    }
    write_results(
        "app",
        {
            "rounds": arguments.rounds,
            "clients": CLIENTS,
            "checkouts": medians,
            "now_over": ratios,
        },
    )


if __name__ == "__main__":
    main()
