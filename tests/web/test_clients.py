"""Clients that others wrote: MCP, JavaScript, a proxy before the app."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import pytest
from agent import as_text, ask, over_mcp
from app_server import ROOT, Server, free_port, serving
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.types import Tool
from rest_client import Rest

from landslide_zoo.web.samples import PUTHUMALA

NODE_MODULES = ROOT / ".venv" / "node_modules"
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tools(server: Server) -> dict[str, Tool]:
    async def talk(session: ClientSession) -> list[Tool]:
        return (await session.list_tools()).tools

    return {tool.name: tool for tool in over_mcp(server, talk)}


@pytest.fixture(scope="module")
def patch(patches: Path) -> str:
    """A patch as an agent gives it."""
    return as_text(patches / "image_1.h5")


def test_every_tool_has_a_schema_and_descriptions(tools: dict[str, Tool]) -> None:
    assert set(tools) == {"models", "detect", "compare", "bands", "map_scene"}
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.inputSchema)
        assert tool.description and tool.description[0].isupper()
        for name, described in tool.inputSchema["properties"].items():
            assert described["description"].endswith("."), (tool.name, name)
    assert tools["compare"].inputSchema["properties"]["models"]["type"] == "array"


FILE = {"meta": {"_type": "gradio.FileData"}}
SERVER = {**FILE, "path": "/etc/hostname"}
MISTAKES: dict[str, tuple[str, dict[str, object], str]] = {
    "a threshold above 1": ("detect", {"threshold": 7}, "maximum"),
    "an unknown model": ("detect", {"model": "x" * 100_000}, "no model"),
    "an unknown name": ("compare", {"models": ["trial-rgb", "nobody"]}, "no model"),
    "unknown clouds": ("detect", {"clouds": "maybe"}, "choices"),
    "no patch": ("bands", {"patch": None}, "no patch"),
    "a file of the server": ("bands", {"patch": SERVER}, ""),
    "an earlier scene of the server": ("map_scene", {"before": SERVER}, ""),
    "no scene": ("map_scene", {"scene": None}, "no scene"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_an_error(server: Server, patches: Path, kind: str) -> None:
    endpoint, arguments, words = MISTAKES[kind]
    name, file = "patch", patches / "image_1.h5"
    if endpoint == "map_scene":
        name, file = "scene", PUTHUMALA.path
    rest = Rest(server.url)
    event, answer = rest.call(endpoint, {name: rest.upload(file), **arguments})
    assert event == "error" and words in str(answer["error"])
    assert len(str(answer["error"])) < 300


def test_a_tool_answers(server: Server, patch: str) -> None:
    found = ask(server, "detect", {"patch": patch, "model": "trial-rgb", "threshold": 0.3})
    assert not found.isError and "area_hectares" in found.content[0].text


def node(code: str, folder: Path) -> str:
    """Run a module with the packages that the continuous integration installs."""
    if not shutil.which("node") or not NODE_MODULES.is_dir():
        pytest.skip(
            "there is no Node with its clients: install it, and run npm install --prefix .venv "
            "@gradio/client @huggingface/hub"
        )
    script = folder / "script.mjs"
    script.write_text(code, encoding="utf-8")
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    done = subprocess.run(
        ["node", str(script)], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_in_javascript_runs(server: Server, patches: Path, tmp_path: Path) -> None:
    [code] = re.findall(r"```js\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
    shutil.copy(patches / "image_1.h5", tmp_path)
    said = node(code.replace("http://127.0.0.1:7860", server.url), tmp_path)
    assert re.fullmatch(rf"[\d.]+ ha in \d+ objects, {server.url}/\S+\.npy\n", said)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's address behind nginx, set up as ``docs/deploy.md`` has it."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("there is no nginx: install Debian's")
    folder = tmp_path_factory.mktemp("proxied")
    [block] = re.findall(r"```nginx\n(.*?)```", DEPLOY, re.DOTALL)
    with serving(folder / "app", GRADIO_ROOT_PATH="/landslides") as server:
        port = free_port()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""  # else it cannot write to the folder
        site = block.replace("http://127.0.0.1:7860", server.url)
        (folder / "nginx.conf").write_text(
            f"{user} daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
            f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port}; {site} }} }}\n"
        )
        command = [nginx, "-e", f"{folder}/errors", "-c", str(folder / "nginx.conf")]
        with subprocess.Popen(command) as process:
            try:
                transport = httpx.HTTPTransport(retries=8)
                with httpx.Client(transport=transport, timeout=30) as client:
                    client.get(f"http://127.0.0.1:{port}/landslides/").raise_for_status()
                yield f"http://127.0.0.1:{port}/landslides/"
            finally:
                process.terminate()


def test_behind_nginx(proxied: str, patches: Path, tmp_path: Path) -> None:
    client = Client(proxied, verbose=False, download_files=tmp_path)
    figures, files = client.predict(patch=handle_file(patches / "image_1.h5"), api_name="/detect")
    assert figures["patch"] == "image_1" and len(files) == 4
    assert httpx.get(f"{proxied}config").json()["root"] == proxied.rstrip("/")
