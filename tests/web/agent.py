"""An agent that speaks to the app over MCP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from app_server import Server
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

R = TypeVar("R")


def over_mcp(server: Server, talk: Callable[[ClientSession], Awaitable[R]]) -> R:
    """What comes of a conversation with the MCP server."""

    async def connect() -> R:
        async with (
            streamable_http_client(f"{server.url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await talk(session)

    # A thread of its own: the browser's library keeps a loop in this one.
    with ThreadPoolExecutor() as pool:
        return pool.submit(asyncio.run, connect()).result(timeout=120)


def ask(server: Server, tool: str, arguments: dict[str, object]) -> CallToolResult:
    """What a tool answers."""
    return over_mcp(server, lambda session: session.call_tool(tool, arguments))


def as_text(path: Path) -> str:
    """A file as an agent gives it."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:application/octet-stream;base64,{content}"
