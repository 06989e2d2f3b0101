"""What can go wrong on the way from a Hub, for the requests whose address matches a pattern."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

Answering = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Refuse:
    """An answer of its own in place of the Hub's."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: str = "{}"

    async def answer(self, request: Request, call_next: Answering) -> Response:
        """The answer in place of the Hub's."""
        return Response(self.content, self.status, self.headers)


@dataclass(frozen=True)
class Trickle:
    """Half of the content at once and then a byte every so often: a stall, if that is seldom."""

    seconds: float

    async def answer(self, request: Request, call_next: Answering) -> Response:
        """The Hub's answer, slowly."""
        answered = await call_next(request)
        content = await _content(answered)

        async def body() -> AsyncIterator[bytes]:
            half = len(content) // 2
            yield content[:half]
            for place in range(half, len(content)):
                await asyncio.sleep(self.seconds)
                yield content[place : place + 1]

        return StreamingResponse(body(), answered.status_code, dict(answered.headers))


@dataclass(frozen=True)
class Damage:
    """Content that was changed on the way, with a header that fits it, or other headers."""

    change: Callable[[bytes], bytes] = bytes
    headers: dict[str, str] = field(default_factory=dict)

    async def answer(self, request: Request, call_next: Answering) -> Response:
        """The Hub's answer, changed."""
        answered = await call_next(request)
        content = await _content(answered)
        headers = {**answered.headers, **self.headers}
        if content:
            content = self.change(content)
            headers["content-length"] = str(len(content))
        return Response(content, answered.status_code, headers)


Fault = Refuse | Trickle | Damage


async def _content(response: Response) -> bytes:
    return b"".join([piece async for piece in response.body_iterator])  # type: ignore[attr-defined]
