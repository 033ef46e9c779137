"""A loopback server that speaks Gemini's REST protocol, of the Developer API and of Vertex AI, faults included.

Answers are given in the order they were scripted, the last one to all calls that follow; without a script every call
gets a caption. It records all it is asked. Its File API is in `gemini_files`, its jobs in
`gemini_batches`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.captions.gemini_batches import Batches
from tests.captions.gemini_files import Files

Json = dict[str, Any]

_GENERATE = re.compile(
    r"/v1(?:beta1?)?/(?:projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/publishers/google/)?"
    r"models/(?P<model>[^/:?]+):generateContent"
)
_LIST = re.compile(r"/v1(?:beta1?)?/(?:publishers/google/)?models(?:\?.*)?")
_RPC = "type.googleapis.com/google.rpc."
MODELS = ("gemini-3.1-flash-lite", "gemini-3.5-flash-lite", "gemini-3.8-flash")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``at`` is `time.monotonic`, ``in_flight`` counts the requests in work, with this one."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: Json
    at: float
    in_flight: int
    model: str = ""  # "" where it is no call for a caption
    project: str = ""  # of Vertex
    location: str = ""
    raw: bytes = b""

    @property
    def parts(self) -> list[Json]:
        """What was sent: images, a video, text."""
        return [part for content in self.body.get("contents", []) for part in content["parts"]]

    @property
    def media(self) -> list[tuple[str, bytes]]:
        """MIME type and bytes of all that was sent inline."""
        inline = [part["inlineData"] for part in self.parts if "inlineData" in part]
        # Google's services take names in either spelling, and both alphabets of base64.
        return [(one.get("mimeType") or one["mime_type"], _from_base64(one["data"])) for one in inline]


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text.translate(str.maketrans("-_", "+/")))


@dataclass
class Exchange:
    """One request, and the way to answer it."""

    asked: Asked
    server: GeminiServer
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader
    open: bool = field(default=True)

    async def send(self, status: int, body: bytes, headers: Mapping[str, str] = {}, *, cut: int | None = None) -> None:
        """Answer; with ``cut`` only so many bytes of the body."""
        lines = [
            f"HTTP/1.1 {status} Because",
            "Content-Type: application/json; charset=UTF-8",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body[:cut])
        await self.writer.drain()

    def reset(self) -> None:
        self.open = False
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Do nothing until the client hangs up."""
        self.open = False
        await self.reader.read()


Answer = Callable[[Exchange], Awaitable[None]]


class GeminiServer:
    """The server, in a thread of its own; a context manager.

    Args:
        keys: the API keys and access tokens that it knows; None where any will do.
        port: where it listens; 0 for a free one.
    """

    def __init__(self, *, keys: Sequence[str] | None = None, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.models: Sequence[str] = MODELS
        self.files, self.batches = Files(self), Batches(self)
        self._keys = keys
        self._script: tuple[Answer, ...] = (caption(),)
        self._of_media: dict[bytes, tuple[Answer, ...]] = {}
        self._of_paths: dict[str, Answer] = {}
        self._answered: dict[bytes, int] = {}
        self._in_flight = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gemini server")

    def on(self, *answers: Answer, media: bytes = b"") -> None:
        """Script the calls for captions, or only those with these bytes of an image or video."""
        if media:
            self._of_media[media] = answers
        else:
            self._script = answers
        self._answered.pop(media, None)

    def on_path(self, path: str, answer: Answer) -> str:
        """Script another path; its URL."""
        self._of_paths[path] = answer
        return self.url + path

    @property
    def calls(self) -> list[Asked]:
        """The requests for captions."""
        return [asked for asked in self.asked if asked.model]

    def __enter__(self) -> Self:
        starting = asyncio.start_server(self._serve, sock=self._socket, limit=1 << 20, backlog=1024)
        self._server = self._loop.run_until_complete(starting)
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
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        # The package says of a file's bytes too that they are JSON.
        is_json = headers.get("content-type", "").startswith("application/json") and not self.files.takes(path)
        call = _GENERATE.fullmatch(path) if method == "POST" else None
        self._in_flight += 1
        try:
            asked = Asked(
                method=method,
                path=path,
                headers=headers,
                body=json.loads(raw) if raw and is_json else {},
                at=time.monotonic(),
                in_flight=self._in_flight,
                model=call["model"] if call else "",
                project=(call["project"] or "") if call else "",
                location=(call["location"] or "") if call else "",
                raw=raw,
            )
            exchange = Exchange(asked, self, writer, reader)
            self.asked.append(asked)
            await self._answer(asked)(exchange)
        finally:
            self._in_flight -= 1
        return exchange.open

    def _answer(self, asked: Asked) -> Answer:
        if asked.path in self._of_paths:
            return self._of_paths[asked.path]
        if self.files.takes(asked.path):  # the address is the secret
            return self.files.receive(asked)
        sent = asked.headers.get("x-goog-api-key") or asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not sent:
            return error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")
        if self._keys is not None and sent not in self._keys:
            return bad_key()
        for interface in (self.batches, self.files):
            if (told := interface.answer(asked)) is not None:
                return told
        if asked.model:
            media = next((data for _, data in asked.media if data in self._of_media), b"")
            answers = self._of_media.get(media, self._script)
            seen = self._answered[media] = self._answered.get(media, -1) + 1
            return answers[min(seen, len(answers) - 1)]
        if asked.method == "GET" and _LIST.fullmatch(asked.path):
            return _listing(self.models, vertex="publishers" in asked.path)
        return error(404, "NOT_FOUND", "Requested entity was not found.")


def answer(body: Json, *, pause: float = 0.0) -> Answer:
    """A body with status 200, after ``pause`` seconds."""

    async def send(exchange: Exchange) -> None:
        await asyncio.sleep(pause)
        await exchange.send(200, json.dumps(body).encode())

    return send


def caption(
    text: str | None = "A quiet street at dusk, a single lit window.",
    *,
    finish: str = "STOP",
    thoughts: int = 0,
    thought: str = "",
    tokens: tuple[int, int] = (1100, 12),
    version: str = "",
    ratings: Sequence[Json] = (),
    pause: float = 0.0,
) -> Answer:
    """A candidate; ``version`` is the model that answered, "" the one asked for; text None is no content at all."""

    async def send(exchange: Exchange) -> None:
        parts = [{"text": thought, "thought": True}] if thought else []
        parts += [{"text": text}] if text is not None else []
        candidate: Json = {"content": {"role": "model", **({"parts": parts} if parts else {})}, "finishReason": finish}
        candidate |= {"index": 0} | ({"safetyRatings": list(ratings)} if ratings else {})
        await answer(_response(exchange, [candidate], tokens, thoughts, version), pause=pause)(exchange)

    return send


def blocked(reason: str, *, ratings: Sequence[Json] = ()) -> Answer:
    """No candidate: the prompt with its image was blocked."""

    async def send(exchange: Exchange) -> None:
        body = _response(exchange, [], (1100, 0), 0, "")
        del body["candidates"]
        body["promptFeedback"] = {"blockReason": reason} | ({"safetyRatings": list(ratings)} if ratings else {})
        await answer(body)(exchange)

    return send


def no_candidates() -> Answer:
    """An answer with an empty list of candidates and no word why."""

    async def send(exchange: Exchange) -> None:
        await answer(_response(exchange, [], (1100, 0), 0, ""))(exchange)

    return send


def rating(category: str, probability: str = "HIGH", *, blocked: bool = False) -> Json:
    """A safety rating; the category without its prefix."""
    named = {"category": f"HARM_CATEGORY_{category}", "probability": probability}
    return named | ({"blocked": True} if blocked else {})


def _response(exchange: Exchange, candidates: list[Json], tokens: tuple[int, int], thoughts: int, version: str) -> Json:
    prompt, written = tokens
    usage: Json = {"promptTokenCount": prompt, "totalTokenCount": prompt + written + thoughts}
    usage |= {"promptTokensDetails": [{"modality": "IMAGE", "tokenCount": prompt}]}
    usage |= {"candidatesTokenCount": written} if written else {}
    usage |= {"thoughtsTokenCount": thoughts} if thoughts else {}
    return {
        "candidates": candidates,
        "usageMetadata": usage,
        "modelVersion": version or exchange.asked.model,
        "responseId": f"r{len(exchange.server.asked)}",
    }


def error(
    code: int, status: str, message: str, *details: Json, headers: Mapping[str, str] = {}, pause: float = 0.0
) -> Answer:
    """An error as Google's services send them."""
    body: Json = {"error": {"code": code, "message": message, "status": status}}
    if details:
        body["error"]["details"] = list(details)

    async def send(exchange: Exchange) -> None:
        await asyncio.sleep(pause)
        await exchange.send(code, json.dumps(body, indent=2).encode(), headers)

    return send


def info(reason: str) -> Json:
    """The detail that names a reason."""
    return {"@type": f"{_RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": {}}


def bad_key() -> Answer:
    message = "API key not valid. Please pass a valid API key."
    return error(400, "INVALID_ARGUMENT", message, info("API_KEY_INVALID"))


def too_many(*, retry: str = "", header: str = "", daily: bool = False, message: str = "") -> Answer:
    """429: ``retry`` is RetryInfo's delay, ``header`` the value of Retry-After, ``daily`` that the day is used up."""
    details: list[Json] = []
    if daily or retry:
        quota = "GenerateRequestsPerDayPerProjectPerModel" if daily else "GenerateRequestsPerMinutePerProjectPerModel"
        violation = {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": f"{quota}-FreeTier",
            "quotaDimensions": {"location": "global", "model": "gemini-3.8-flash"},
            "quotaValue": "20",
        }
        details.append({"@type": f"{_RPC}QuotaFailure", "violations": [violation]})
    if retry:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": retry})
    says = message or "You exceeded your current quota, please check your plan and billing details."
    return error(429, "RESOURCE_EXHAUSTED", says, *details, headers={"Retry-After": header} if header else {})


def bucket(per_minute: float, *, capacity: int, then: Answer | None = None) -> Answer:
    """``then`` (a caption) while a bucket of ``capacity`` calls, which refills steadily, is not empty; else 429."""
    level, last = float(capacity), time.monotonic()
    allowed = then or caption()

    async def send(exchange: Exchange) -> None:
        nonlocal level, last
        now = time.monotonic()
        level, last = min(capacity, level + (now - last) * per_minute / 60), now
        if level < 1:
            await too_many(retry=f"{(1 - level) * 60 / per_minute:.3f}s")(exchange)
        else:
            level -= 1
            await allowed(exchange)

    return send


def text(body: bytes, *, status: int = 200, headers: Mapping[str, str] = {}) -> Answer:
    """These bytes, JSON or not."""

    async def send(exchange: Exchange) -> None:
        await exchange.send(status, body, headers)

    return send


def reset(*, after: int | None = None) -> Answer:
    """The connection reset: before any answer, or after so many bytes of the body."""

    async def send(exchange: Exchange) -> None:
        if after is not None:
            await exchange.send(200, b'{"candidates": [' + b" " * 1000, cut=after)
            await asyncio.sleep(0.02)  # or the reset may overtake what was sent
        exchange.reset()

    return send


def silence() -> Answer:
    """Nothing at all."""

    async def send(exchange: Exchange) -> None:
        await exchange.hang()

    return send


def _listing(models: Sequence[str], *, vertex: bool) -> Answer:
    if vertex:
        return answer({"publisherModels": [{"name": f"publishers/google/models/{name}"} for name in models]})
    described = [
        {"name": f"models/{name}", "version": "001", "supportedGenerationMethods": ["generateContent", "countTokens"]}
        for name in models
    ]
    embedding = {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]}
    return answer({"models": [*described, embedding]})
