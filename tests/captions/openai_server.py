"""A loopback server that speaks OpenAI's chat completions, its answers scripted call by call, faults included.

It speaks HTTP/1.1 on raw sockets, because some of what it does no HTTP library would agree to do.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.captions.openai_batches import Batches

_LINGER_NONE = struct.pack("ii", 1, 0)  # closing sends a reset
_MOST = 1 << 27  # bytes of a request


@dataclass(frozen=True, slots=True)
class Asked:
    """One call for a completion."""

    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The parts of the user's message."""
        return list(self.body["messages"][-1]["content"])

    @property
    def images(self) -> list[dict[str, Any]]:
        """Its images: their URL, and the detail asked for."""
        return [part["image_url"] for part in self.parts if part["type"] == "image_url"]


class Exchange:
    """One call, and the way to answer it."""

    def __init__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked = asked
        self.open = True  # whether another request may follow on the connection
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Because", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def reply(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        named = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
        await self.head(status, named)
        await self.send(data)

    def reset(self) -> None:
        self.open = False
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._writer.transport.abort()


Answer = Callable[[Exchange], Awaitable[None]]


@dataclass
class OpenAIServer:
    """The server, in a thread of its own; a context manager.

    Attributes:
        models: what it lists.
        limits: the names of a token limit that it knows; it refuses the others.
        sees: whether its model takes images.
        pause: seconds before each answer.
        asked: the calls so far, in their order.
        listed: how often its models were asked for.
        batches: its files and jobs.
    """

    path: ClassVar[str] = "/v1/chat/completions"
    models: list[str] = field(default_factory=lambda: ["tiny-vlm"])
    limits: tuple[str, ...] = ("max_tokens", "max_completion_tokens")
    sees: bool = True
    pause: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    listed: int = 0
    batches: Batches = field(default_factory=Batches)

    def __post_init__(self) -> None:
        self._answers: list[Answer] = [says("A quiet street at dusk.")]
        self._taken = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.place = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.place}/v1"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="openai server")

    def on(self, *answers: Answer) -> None:
        """From now on answer so: the first call with the first, and all after the last with the last."""
        self._answers, self._taken = list(answers), 0

    def __enter__(self) -> Self:
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket, limit=_MOST))
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
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the step after

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer_one(reader, writer):
                pass
        writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        await asyncio.sleep(self.pause)
        if path == "/v1/models":
            self.listed += 1
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
            await Exchange(Asked(headers, {}), writer).reply(200, json.dumps(listed).encode())
            return True
        told = self.batches.answer(method, path, headers, data)
        if told is not None:
            await Exchange(Asked(headers, {}), writer).reply(200, told)
            return True
        body = json.loads(data) if data and path == self.path else {}
        exchange = Exchange(Asked(headers, body), writer)
        if path != self.path:
            await exchange.reply(404, b"404 page not found", {"Content-Type": "text/plain"})
            return True
        self.asked.append(exchange.asked)
        await self._chosen(exchange.asked)(exchange)
        return exchange.open

    def _chosen(self, asked: Asked) -> Answer:
        for name in {"max_tokens", "max_completion_tokens"} & asked.body.keys():
            if name not in self.limits:
                said = f"Unsupported parameter: '{name}' is not supported with this model."
                return fails(400, said, code="unsupported_parameter", param=name)
        if asked.images and not self.sees:
            return fails(500, "image input is not supported - hint: you may need to provide the mmproj")
        self._taken += 1
        return self._answers[min(self._taken, len(self._answers)) - 1]


def says(
    text: str | list[dict[str, str]] | None,
    *,
    finish: str = "stop",
    model: str = "tiny-vlm-0102",
    refusal: str | None = None,
    tokens: tuple[int, int] = (300, 20),
    choice: Mapping[str, object] | None = None,
) -> Answer:
    """A completion; ``tokens`` are those of the prompt and of the answer, ``choice`` what else is said of it."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": finish, "message": message, **(choice or {})}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }
    return raw(json.dumps(completion).encode())


def fails(
    status: int,
    message: str = "no",
    *,
    code: str | None = None,
    kind: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Answer:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": kind, "param": param, "code": code, **(more or {})}
    return raw(json.dumps({"error": error}).encode(), status=status, headers=headers)


def raw(
    data: bytes, *, status: int = 200, kind: str = "application/json", headers: Mapping[str, str] | None = None
) -> Answer:
    """These bytes."""

    async def answer(exchange: Exchange) -> None:
        await exchange.reply(status, data, {"Content-Type": kind, **(headers or {})})

    return answer


def drips(pause: float) -> Answer:
    """A body that comes a byte at a time, ``pause`` seconds before each, without an end."""

    async def answer(exchange: Exchange) -> None:
        exchange.open = False
        await exchange.head(200, {"Content-Type": "application/json", "Content-Length": "100000"})
        for _ in range(100_000):
            await asyncio.sleep(pause)
            await exchange.send(b" ")

    return answer


def resets(at: int = 0) -> Answer:
    """A reset of the connection after ``at`` bytes of the body, or before any answer."""

    async def answer(exchange: Exchange) -> None:
        if at:
            await exchange.head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
            await exchange.send(b"{" * at)
            await asyncio.sleep(0.02)  # or the reset may overtake what was sent
        exchange.reset()

    return answer
