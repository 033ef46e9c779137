"""A loopback HTTP server whose answers are scripted path by path, faults on purpose included.

It speaks HTTP/1.1 on raw sockets, because most of what it does no HTTP library would agree to do, and records
every request it is asked.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

LINGER_NONE = struct.pack("ii", 1, 0)  # closing sends a reset
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``at`` is `time.monotonic`, and the counts of requests in work include this one."""

    path: str
    headers: dict[str, str]  # names in lower case
    address: str  # where it was asked: the server's own address
    at: float
    connection: int
    in_flight: int
    in_flight_here: int  # at the same address


class Exchange:
    """One request, and the way to answer it."""

    def __init__(
        self, asked: Asked, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.asked = asked
        self.server = server
        self.open = True  # whether another request may follow on the connection
        self._reader = reader
        self._writer = writer

    async def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Because", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def hang(self) -> None:
        """Do nothing until the client hangs up."""
        self.open = False
        await self._reader.read()

    def reset(self) -> None:
        self.open = False
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        self._writer.transport.abort()


Answer = Callable[[Exchange], Awaitable[None]]


class FaultServer:
    """The server, in a thread of its own; a context manager.

    ``hosts`` are the addresses it listens at, all on one port. A path's first answer is for the first request, and
    so on; the last one is for all that follow. A path without a script is 404.
    """

    def __init__(self, *hosts: str, port: int = 0) -> None:
        self.hosts = hosts or ("127.0.0.1",)
        self.asked: list[Asked] = []
        self.connections: Counter[str] = Counter()  # accepted, by the server's address
        self.sent = 0  # bytes of the longest body sent by `endless` or `gzip_bomb`
        self.lonely = 0  # requests that waited for others in vain: see `meeting`
        self._scripts: dict[str, tuple[Answer, ...]] = {}
        self._in_flight: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []
        for host in self.hosts:
            self._sockets.append(_listening(host, port))
            port = self._sockets[0].getsockname()[1]
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault server")

    def __enter__(self) -> Self:
        for listening in self._sockets:
            starting = asyncio.start_server(self._serve, sock=listening, limit=_BLOCK)
            self._servers.append(self._loop.run_until_complete(starting))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the step after

    def on(self, path: str, *answers: Answer, host: str = "") -> str:
        """Script the path; its URL."""
        self._scripts[path] = answers
        return self.url(path, host)

    def url(self, path: str, host: str = "") -> str:
        host = host or self.hosts[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{path}"

    def times(self, path: str) -> int:
        """How often the path was asked for."""
        return sum(asked.path == path for asked in self.asked)

    def to(self, path: str) -> list[Asked]:
        """The requests for the path."""
        return [asked for asked in self.asked if asked.path == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("sockname")[0])
        self.connections[address] += 1
        number = self.connections.total()
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer_one(reader, writer, address, number):
                pass
        writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _answer_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, number: int
    ) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        self._in_flight[address] += 1
        try:
            seen = self.times(path)
            asked = Asked(
                path=path,
                headers=headers,
                address=address,
                at=time.monotonic(),
                connection=number,
                in_flight=self._in_flight.total(),
                in_flight_here=self._in_flight[address],
            )
            self.asked.append(asked)
            answers = self._scripts.get(path, (status(404),))
            exchange = Exchange(asked, self, reader, writer)
            await answers[min(seen, len(answers) - 1)](exchange)
        finally:
            self._in_flight[address] -= 1
        return exchange.open


def _listening(host: str, port: int) -> socket.socket:
    # the protocol is named because asyncio sends without delay only where it is
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.setblocking(False)
    return listening


def body(
    data: bytes,
    *,
    kind: str = "image/jpeg",
    code: int = 200,
    length: int | None = -1,
    pause: float = 0.0,
    headers: dict[str, str] | None = None,
) -> Answer:
    """``data`` after ``pause`` seconds; ``length`` is the Content-Length declared, -1 the true one, None none."""

    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(pause)
        declared = len(data) if length == -1 else length
        named = {"Content-Type": kind, **(headers or {})}
        if declared is not None:
            named["Content-Length"] = str(declared)
        exchange.open = declared == len(data)
        await exchange.head(code, named)
        await exchange.send(data)

    return answer


def status(code: int, *, retry_after: str | None = None, text: bytes = b"no") -> Answer:
    """An answer that has nothing but its status."""
    return body(text, kind="text/plain", code=code, headers={"Retry-After": retry_after} if retry_after else {})


def redirect(to: str, code: int = 302) -> Answer:
    return body(b"", code=code, headers={"Location": to})


def drip(data: bytes, *, pieces: int, pause: float) -> Answer:
    """The body in ``pieces``, ``pause`` seconds before each."""

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, {"Content-Type": "image/jpeg", "Content-Length": str(len(data))})
        step = -(-len(data) // pieces)
        for start in range(0, len(data), step):
            await asyncio.sleep(pause)
            await exchange.send(data[start : start + step])

    return answer


def chunked(data: bytes, *, pieces: int = 3, whole: bool = True) -> Answer:
    """The body in chunks; where it is not ``whole``, the connection ends before the last, empty one."""

    async def answer(exchange: Exchange) -> None:
        await exchange.head(200, {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked"})
        step = -(-len(data) // pieces)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            await exchange.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        exchange.open = whole
        if whole:
            await exchange.send(b"0\r\n\r\n")

    return answer


def cut(data: bytes, at: int) -> Answer:
    """The true Content-Length, and an orderly end of the connection after ``at`` bytes."""
    return body(data[:at], length=len(data))


def reset(data: bytes = b"", at: int = 0) -> Answer:
    """A reset of the connection after ``at`` bytes of the body, or before any answer."""

    async def answer(exchange: Exchange) -> None:
        if data:
            await exchange.head(200, {"Content-Type": "image/jpeg", "Content-Length": str(len(data))})
            await exchange.send(data[:at])
            await asyncio.sleep(0.02)  # or the reset may overtake what was sent
        exchange.reset()

    return answer


def silence(*, headers: bool) -> Answer:
    """Nothing, or nothing after the headers."""

    async def answer(exchange: Exchange) -> None:
        if headers:
            await exchange.head(200, {"Content-Type": "image/jpeg", "Content-Length": "10000"})
        await exchange.hang()

    return answer


def endless(start: bytes) -> Answer:
    """A body without a Content-Length that never ends."""

    async def answer(exchange: Exchange) -> None:
        exchange.open = False
        await exchange.head(200, {"Content-Type": "image/jpeg"})
        await exchange.send(start)
        sent = 0
        while True:
            await exchange.send(bytes(65536))
            sent += 65536
            exchange.server.sent = max(exchange.server.sent, sent)

    return answer


def endless_headers() -> Answer:
    """Header lines that never end."""

    async def answer(exchange: Exchange) -> None:
        exchange.open = False
        await exchange.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await exchange.send(b"X-More: " + b"x" * 8000 + b"\r\n")

    return answer


def raw(data: bytes) -> Answer:
    """These bytes, HTTP or not, and the end of the connection."""

    async def answer(exchange: Exchange) -> None:
        exchange.open = False
        await exchange.send(data)

    return answer


def gzipped(data: bytes) -> Answer:
    return body(gzip.compress(data), headers={"Content-Encoding": "gzip"})


def gzip_bomb(start: bytes, megabytes: int) -> Answer:
    """``start`` and that many MiB of zeros, about a thousandth of it as sent."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    # after a full flush the same input gives the same output, so one block stands for all
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)

    async def answer(exchange: Exchange) -> None:
        exchange.open = False
        length = len(first) + len(block) * megabytes
        headers = {"Content-Type": "image/jpeg", "Content-Encoding": "gzip", "Content-Length": str(length)}
        await exchange.head(200, headers)
        await exchange.send(first)
        for count in range(megabytes):
            await exchange.send(block)
            exchange.server.sent = max(exchange.server.sent, count * len(block))

    return answer


def versioned(data: bytes, *, etag: str = "", modified: str = "") -> Answer:
    """The body with its validators, or 304 to a client that has it already."""

    async def answer(exchange: Exchange) -> None:
        headers = {"ETag": etag} if etag else {}
        if modified:
            headers["Last-Modified"] = modified
        sent = exchange.asked.headers
        # a server heeds If-Modified-Since only where there is no If-None-Match
        known = sent["if-none-match"] == etag if "if-none-match" in sent else sent.get("if-modified-since") == modified
        if known and (etag or modified):
            await exchange.head(304, headers)
        else:
            await body(data, headers=headers)(exchange)

    return answer


def meeting(data: bytes, guests: int) -> Answer:
    """The body once ``guests`` requests have been in work at the same time, or after two `lonely` seconds."""

    async def answer(exchange: Exchange) -> None:
        give_up = time.monotonic() + 2
        while time.monotonic() < give_up and max(asked.in_flight for asked in exchange.server.asked) < guests:
            await asyncio.sleep(0.005)
        exchange.server.lonely += time.monotonic() >= give_up
        await asyncio.sleep(0.02)  # and time for one too many to come
        await body(data)(exchange)

    return answer
