"""Clients that others wrote: MCP, JavaScript, a proxy before the app."""

from __future__ import annotations

import json
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
from loopback_hub import LoopbackHub
from mcp import ClientSession
from mcp.types import Tool
from rest_client import Rest

from landslide_zoo import LandslideModel
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


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("models", {}, "trial-rgb"),
        ("detect", {"model": "trial-rgb", "threshold": 0.3}, "area_hectares"),
        ("compare", {"models": ["trial-rgb", "trial-14"]}, "seen_by_all"),
        ("bands", {}, "near infrared"),
    ],
)
def test_every_tool_answers(
    server: Server, patch: str, tool: str, arguments: dict[str, object], words: str
) -> None:
    given = arguments if tool == "models" else {"patch": patch, **arguments}
    found = ask(server, tool, given)
    assert not found.isError, found.content
    assert any(words in getattr(one, "text", "") for one in found.content)


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


def test_a_blob_from_javascript_is_told_by_its_bytes(
    server: Server, patches: Path, tmp_path: Path
) -> None:
    code = """
import { readFile } from "node:fs/promises";
import { Client } from "@gradio/client";
const client = await Client.connect("URL");
const patch = new Blob([await readFile("PATCH")]);
const mask = new Blob([await readFile("MASK")]);
const { data: [figures] } = await client.predict("/detect", { patch, mask, model: "trial-rgb" });
let message = "";
try { await client.predict("/detect", { patch, threshold: 7 }); } catch (e) { message = e.message; }
console.log(JSON.stringify({ f1: figures.scores.f1, message }));
process.exit();
"""
    for word, value in (
        ("URL", server.url),
        ("PATCH", patches / "image_1.h5"),
        ("MASK", patches / "mask_1.h5"),
    ):
        code = code.replace(word, str(value))
    said = json.loads(node(code, tmp_path))
    assert 0 <= said["f1"] <= 1 and "The threshold is" in said["message"]


def test_a_published_model_is_read_by_the_hubs_client_in_javascript(
    hub: LoopbackHub, model_folder: Path, tmp_path: Path
) -> None:
    repo = f"{hub.namespace}/for-others"
    LandslideModel.from_folder(model_folder).push_to_hub(repo, token=hub.token)
    code = """
import { downloadFile, listModels } from "@huggingface/hub";
const names = [];
for await (const model of listModels({ search: { owner: "OWNER" }, hubUrl: "HUB" }))
  names.push(model.name);
const file = await downloadFile({ repo: "REPO", path: "config.json", hubUrl: "HUB" });
console.log(JSON.stringify({ names, config: JSON.parse(await file.text()) }));
"""
    code = code.replace("OWNER", hub.namespace).replace("REPO", repo)
    said = json.loads(node(code.replace("HUB", os.environ["HF_ENDPOINT"]), tmp_path))
    assert said["names"] == [repo] and said["config"]["threshold"] == 0.4


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


def test_from_javascript_behind_nginx(proxied: str, patches: Path, tmp_path: Path) -> None:
    code = f"""
import {{ readFile }} from "node:fs/promises";
import {{ Client }} from "@gradio/client";
const client = await Client.connect("{proxied}");
const patch = new Blob([await readFile("{patches / "image_1.h5"}")]);
const {{ data: [figures, files] }} = await client.predict("/detect", {{ patch }});
console.log((await fetch(files[0].url)).status, figures.patch);
process.exit();
"""
    assert node(code, tmp_path) == "200 blob\n"
