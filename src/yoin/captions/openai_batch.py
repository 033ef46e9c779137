"""OpenAI's batch interface: a file of requests goes up, a file of answers and one of errors come down."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from yoin.captions.batch import Collected
from yoin.captions.chat_answers import Answer, words
from yoin.values import Caption, Medium

T = TypeVar("T")

_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_LISTED: Final = 1000  # jobs looked through for one whose name was not learned
_MARK: Final = "yoin"  # the name under which a job carries our own id


class _Response(BaseModel):
    status_code: int = 0
    body: dict[str, object] | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: object = None


class Reached(Protocol):
    """Awaits, with faults of the service as `Passing` or `UsageError`."""

    async def __call__(self, work: Awaitable[T], *, seconds: float) -> T:
        """What ``work`` comes to."""
        ...


class OpenAIBatches:
    """See `yoin.captions.batch.BatchInterface`.

    Args:
        client: of the package openai.
        body: makes the body of a call for a medium.
        read: reads an answer.
        safe: makes one line that can be shown of what the server says.
        reached: how the captioner waits for what the service does.
    """

    most_requests = 50_000
    most_bytes = 190_000_000  # a file may have 200 MB
    _SECONDS: Final = 1800.0  # that a file of this size may take

    def __init__(
        self,
        client: Any,
        body: Callable[[Medium], Awaitable[dict[str, Any] | Caption]],
        read: Callable[[Answer], Caption],
        safe: Callable[[str], str],
        reached: Reached,
    ) -> None:
        self._client, self._body, self._read, self._safe, self._reached = client, body, read, safe, reached

    async def line(self, medium: Medium) -> bytes | Caption:
        """The request for a medium; as it is sent singly."""
        body = await self._body(medium)
        if isinstance(body, Caption):
            return body
        line = {"custom_id": medium.media_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"

    async def send(self, job_id: str, path: Path) -> str:
        """Upload the file, and start the job."""

        async def start() -> str:
            file = await self._client.files.create(file=path, purpose="batch")
            job = await self._client.batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={_MARK: job_id},
            )
            return str(job.id)

        return await self._reached(start(), seconds=self._SECONDS)

    async def find(self, job_id: str) -> str:
        """Look through the latest jobs."""

        async def look() -> str:
            number = 0
            async for job in self._client.batches.list(limit=100):
                number += 1
                if (job.metadata or {}).get(_MARK) == job_id:
                    return str(job.id)
                if number >= _LISTED:
                    break
            return ""

        return await self._reached(look(), seconds=self._SECONDS)

    async def collect(self, job: str) -> Collected | None:
        """Ask for the state, and where it has ended for the files."""

        async def ask() -> Collected | None:
            found = await self._client.batches.retrieve(job)
            if found.status not in _ENDED:
                return None
            captions: dict[str, Caption] = {}
            for name in (found.error_file_id, found.output_file_id):
                if name:
                    captions |= self._captions((await self._client.files.content(name)).content)
            says = "; ".join(error.message or "" for error in (found.errors.data if found.errors else None) or ())
            ended = "" if found.status == "completed" else ": ".join(filter(None, [found.status, self._safe(says)]))
            return Collected(captions, ended or ("" if captions else "it has no answers"))

        return await self._reached(ask(), seconds=self._SECONDS)

    def _captions(self, answers: bytes) -> dict[str, Caption]:
        found = {}
        for text in answers.splitlines():
            try:
                line = _Line.model_validate_json(text)
                answered = line.response is not None and line.response.status_code == 200
                answer = Answer.model_validate(line.response.body) if answered and line.response else None
            except ValidationError:
                continue  # that medium has no answer
            found[line.custom_id] = self._failed(line) if answer is None or answer.error else self._read(answer)
        return found

    def _failed(self, line: _Line) -> Caption:
        body = (line.response.body if line.response else None) or {}
        says = self._safe(words(line.error or body.get("error") or ""))
        code = f"HTTP {line.response.status_code}" if line.response else ""
        told = ": ".join(filter(None, [code, says])) or "no reason is given"
        return Caption(text="", status="failed", reason=f"rejected, {told}")
