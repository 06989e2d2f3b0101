"""Xet over HTTP: large files as chunks in xorbs, and the shards that say which chunks."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from loopback_hub.store import Refusal

router = APIRouter(prefix="/cas")
_END = b"\xff" * 32
_VERIFIED, _HAS_SHA256 = 0x80000000, 0x40000000


class Segment(NamedTuple):
    """Some chunks of a xorb, which are a part of a file."""

    xorb: str
    first: int
    end: int
    size: int


class Xet:
    """What the Xet service keeps: xorbs and files by their Merkle hash."""

    def __init__(self) -> None:
        self.xorbs: dict[str, bytes] = {}
        self.files: dict[str, list[Segment]] = {}
        self.by_sha256: dict[str, str] = {}


@router.post("/v1/xorbs/default/{name}")
async def put_xorb(request: Request, name: str) -> dict[str, bool]:
    """Take a xorb."""
    xet: Xet = request.app.state.xet
    new = name not in xet.xorbs
    xet.xorbs[name] = await request.body()
    return {"was_inserted": new}


@router.post("/v1/shards")
async def put_shard(request: Request) -> dict[str, int]:
    """Take a description of files."""
    xet: Xet = request.app.state.xet
    for name, segments, sha256 in _parse_shard(await request.body()):
        if not {segment.xorb for segment in segments} <= xet.xorbs.keys():
            raise Refusal(400, "A xorb is missing.")
        xet.files[name] = segments
        if sha256:
            xet.by_sha256[sha256] = name
    return {"result": 1}


@router.get("/v1/reconstructions/{name}")
async def reconstruction(request: Request, name: str) -> dict[str, Any]:
    """Of which chunks a file, or a range of it, is made."""
    xet: Xet = request.app.state.xet
    if name not in xet.files:
        raise Refusal(404, "No such file.")
    start, stop = 0, sum(segment.size for segment in xet.files[name])
    if wanted := re.match(r"bytes=(\d+)-(\d+)", request.headers.get("range", "")):
        start, stop = int(wanted[1]), min(int(wanted[2]) + 1, stop)
        if start >= stop:
            raise Refusal(416, "Beyond the end of the file.")
    terms, places, begin, skipped = [], {}, 0, None
    for xorb, first, end, size in xet.files[name]:
        if begin < stop and begin + size > start:
            skipped = start - begin if skipped is None else skipped
            chunks = {"start": first, "end": end}
            terms.append({"hash": xorb, "unpacked_length": size, "range": chunks})
            offsets = _chunk_offsets(xet.xorbs[xorb])
            place = {"start": offsets[first], "end": offsets[end] - 1}
            url = f"{request.base_url}cas/xorbs/{xorb}"
            places.setdefault(xorb, []).append({"range": chunks, "url": url, "url_range": place})
        begin += size
    return {"offset_into_first_range": skipped or 0, "terms": terms, "fetch_info": places}


@router.get("/xorbs/{name}")
async def get_xorb(request: Request, name: str) -> Response:
    """A xorb, or a range of it."""
    return ranged(request, request.app.state.xet.xorbs[name], {})


def ranged(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """The whole content or the range asked for."""
    headers |= {"Accept-Ranges": "bytes"}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if wanted is None:
        return Response(content, 200, headers, "application/octet-stream")
    start, stop = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
    headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return Response(content[start:stop], 206, headers, "application/octet-stream")


def _parse_shard(data: bytes) -> Iterator[tuple[str, list[Segment], str | None]]:
    """The files that a shard describes: hash, segments, SHA-256; records have 48 bytes."""
    records = (data[place : place + 48] for place in range(48, len(data), 48))
    for header in records:
        if header[:32] == _END:
            return
        flags, number = struct.unpack("<II", header[32:40])
        segments = []
        for _ in range(number):
            record = next(records)
            _, size, first, end = struct.unpack("<IIII", record[32:])
            segments.append(Segment(_hash(record), first, end, size))
        for _ in range(number if flags & _VERIFIED else 0):
            next(records)
        yield _hash(header), segments, _hash(next(records)) if flags & _HAS_SHA256 else None


def _hash(record: bytes) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", record[:32]))


def _chunk_offsets(xorb: bytes) -> list[int]:
    """Where the chunks of a xorb begin, and where the last one ends."""
    offsets = [0]
    while offsets[-1] + 8 <= len(xorb) and xorb[offsets[-1] :][:7] != b"XETBLOB":
        length = int.from_bytes(xorb[offsets[-1] + 1 : offsets[-1] + 4], "little")
        offsets.append(offsets[-1] + 8 + length)
    return offsets
