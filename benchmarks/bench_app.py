"""How quick the app is: ``make bench``.

A warm ``/detect``, server side, against the network alone: the app runs in this
process, and the time of a request is what Gradio's own queue measures from
taking it up to having its answer, upload and download left out. And the first
paint of the page in a Chromium that has never seen it.
"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from gradio_client import Client, handle_file
from playwright.sync_api import sync_playwright

from landslide_zoo import ModelZoo, read_patch
from landslide_zoo.models.prediction import values_of
from landslide_zoo.web.app import build_app, launch
from landslide_zoo.web.samples import samples

ROUNDS = 30
VISITS = 5
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]"
BUDGET = 60.0
"""Milliseconds allowed besides twice the network's own time."""


def network_alone(path: Path) -> float:
    """Median time of the default model's forward pass, in milliseconds."""
    zoo = ModelZoo()
    model = zoo.load(zoo.names()[0])
    patch = read_patch(path)
    values = values_of([patch], model.config)
    times = []
    for _ in range(ROUNDS + 5):
        start = time.perf_counter()
        model.probabilities(values)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[5:])


def first_paint(url: str) -> float:
    """Median time to the page's first contentful paint, each in a fresh visit, in milliseconds."""
    times = []
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(VISITS):
            page = browser.new_context().new_page()
            page.goto(url)
            page.wait_for_function(f"{PAINT} !== undefined")
            times.append(page.evaluate(f"{PAINT}.startTime"))
            page.context.close()
        browser.close()
    return statistics.median(times)


def main() -> None:
    """Print the times and what they are allowed to be."""
    app = build_app()
    launch(app, prevent_thread_lock=True, quiet=True)
    path = samples()[0].path
    client = Client(app.local_url, verbose=False, download_files=False)
    for _ in range(ROUNDS):
        client.predict(patch=handle_file(path), api_name="/detect")
    analytics = app.app.get_blocks()._queue.event_analytics.values()
    served = [1000 * one["process_time"] for one in analytics if one["function"] == "detect"]
    network = network_alone(path)
    paint = first_paint(app.local_url)
    warm = statistics.median(served[5:])
    print(f"network alone  {network:6.1f} ms")
    print(f"/detect, warm  {warm:6.1f} ms (median of {len(served) - 5})")
    print(f"allowed        {2 * network + BUDGET:6.1f} ms = 2 x network + {BUDGET:.0f}")
    print(f"first paint    {paint:6.1f} ms (median of {VISITS} fresh visits; allowed 2000)")
    app.close()


if __name__ == "__main__":
    main()
