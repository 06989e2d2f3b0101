"""The running app, its models and inputs, and a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from app_server import Server, serving
from gradio_client import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from synthetic_patches import make_patch
from trained_model import make_record
from visitor import Visit, look

from landslide_zoo import LandslideModel
from landslide_zoo.data.hdf5 import write_mask_h5, write_patch_h5

# A laden machine takes longer than Playwright's 5 s; what is there is seen at once all the same.
expect.set_options(timeout=120_000)

_HOSTILE_CARD = """---
license: apache-2.0
---
# A card <script>document.title = "taken"</script>

<img src="http://198.51.100.1/pixel.png" onerror="document.title='taken'">
![a pixel](http://198.51.100.1/pixel.png) ![up](../../secret.png)
[press me](javascript:document.title='taken') [a page](https://example.org/)

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.fixture(scope="session")
def zoo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small models, one with a record and one with a hostile card, and one that is damaged."""
    folder = tmp_path_factory.mktemp("zoo")
    torch.manual_seed(0)
    model = LandslideModel.from_catalog("unet-mobilenet_v2-rgb").update_config(threshold=0.4)
    history = [
        {"train_loss": 1 / i, "validation_loss": 1.1 / i, "validation_f1": 1 - 1 / i}
        for i in range(1, 6)
    ]
    model.record = make_record().model_copy(update={"history": history})
    model.save_pretrained(folder / "trial-rgb")
    LandslideModel.from_catalog("unet-mobilenet_v2").save_pretrained(folder / "trial-14")
    (folder / "trial-14" / "README.md").write_text(_HOSTILE_CARD)
    unreadable = Path(shutil.copytree(folder / "trial-rgb", folder / "unreadable"))
    weights = unreadable / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, zoo_folder: Path) -> Iterator[Server]:
    """The app with the bundled models and those of ``zoo_folder``."""
    with serving(tmp_path_factory.mktemp("server"), LANDSLIDE_ZOO=str(zoo_folder)) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A program in Python."""
    return Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture
def no_patch(tmp_path: Path) -> Path:
    """A file that holds no patch, whatever its name says."""
    path = tmp_path / "notes.h5"
    path.write_text("no HDF5")
    return path


@pytest.fixture(scope="session")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three made-up patches with their masks, named as the benchmark names its own."""
    folder = tmp_path_factory.mktemp("patches")
    for number, seed in ((1, 7), (2, 1), (3, 20)):
        made = make_patch(seed, 128)
        write_patch_h5(folder / f"image_{number}.h5", made)
        write_mask_h5(folder / f"mask_{number}.h5", made.mask)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, or Playwright's own."""
    with sync_playwright() as playwright:
        system = shutil.which("chromium") or shutil.which("google-chrome")
        path = Path(system or playwright.chromium.executable_path)
        if not path.exists():
            pytest.skip(
                "there is no Chromium: install Debian's, or run playwright install chromium"
            )
        # What is not on loopback goes to a proxy that is not there.
        options = ["--no-sandbox", "--disable-background-networking", "--proxy-server=127.0.0.1:9"]
        running = playwright.chromium.launch(executable_path=path, args=options)
        yield running
        running.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    """Where all pages are opened: what Gradio is made of is fetched once for all of them."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(120_000)
    return context


@pytest.fixture
def open_page(context: BrowserContext, server: Server) -> Iterator[Callable[..., Page]]:
    """Open the app in a fresh visit; afterwards its console is clean and nothing went outside."""
    visit, pages = Visit(), []

    def opened(url: str = "", screen: str = "desktop") -> Page:
        page = context.new_page()
        pages.append(page)
        look(page, screen, "light")
        visit.watch(page)
        page.goto(url or server.url)
        expect(page.locator("#lz-samples button").first).to_be_visible()
        return page

    yield opened
    for page in pages:
        page.close()
    assert visit.errors == []
    assert visit.outside == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The app on a desktop in light colours."""
    return open_page()
