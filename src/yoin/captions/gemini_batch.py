"""The batch interface of the Gemini Developer API: a file of requests goes up, a file of answers comes down."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from yoin.captions.base import Passing
from yoin.captions.batch import Collected
from yoin.captions.gemini_answers import read_answer, without_secrets, wrong
from yoin.values import Caption, Medium

if TYPE_CHECKING:
    from google.genai import Client, types

T = TypeVar("T")
Parts = Callable[[Medium], Awaitable["list[types.Part] | Caption"]]

_LISTED: Final = 1000  # jobs looked through for one whose name was not learned
# What is a request's own; the rest of a configuration tells how to generate.
_OF_THE_REQUEST: Final = ("systemInstruction", "safetySettings")
_OF_THE_PACKAGE: Final = frozenset(
    {"automatic_function_calling", "automatic_continuation", "should_return_http_response"}
)


class Translated(Protocol):
    """Awaits, with faults of the service as `Passing` or `UsageError`, or a caption for what is only rejected."""

    async def __call__(self, work: Awaitable[T | Exception], *, seconds: float) -> T | Caption:
        """What ``work`` comes to."""
        ...


class GeminiBatches:
    """See `yoin.captions.batch.BatchInterface`."""

    most_requests = 50_000
    most_bytes = 1_900_000_000  # a file may have 2 GB
    _SECONDS: Final = 3600.0  # that a file of this size may take

    def __init__(
        self,
        client: Client,
        base_url: str,
        model: str,
        config: types.GenerateContentConfig,
        parts: Parts,
        translated: Translated,
    ) -> None:
        self._client, self._base_url, self._model, self._config = client, base_url, model, config
        self._parts, self._translated = parts, translated

    async def line(self, medium: Medium) -> bytes | Caption:
        """The request for a medium; as it is sent singly."""
        parts = await self._parts(medium)
        if isinstance(parts, Caption):
            return parts
        return json.dumps(self._line(medium, request(parts, self._config)), ensure_ascii=False).encode() + b"\n"

    async def send(self, job_id: str, path: Path) -> str:
        """Upload the file, and start the job."""

        async def start() -> str | Exception:
            try:
                job = await self._started(job_id, path)
            except (KeyError, ValueError, TypeError, AttributeError):  # as the package takes answers that are not whole
                return Passing("the answer is malformed")
            return job.name or Passing("the job has no name")

        return await self._asked(start())

    async def _started(self, job_id: str, path: Path) -> types.BatchJob:
        from google.genai import types

        options = types.HttpOptions(base_url=self._base_url)  # or the file would go where the service says
        file = await self._client.aio.files.upload(
            file=path, config=types.UploadFileConfig(mime_type="application/jsonl", http_options=options)
        )
        return await self._client.aio.batches.create(
            model=self._model, src=file.name or "", config={"display_name": job_id}
        )

    async def find(self, job_id: str) -> str:
        """Look through the latest jobs."""

        async def look() -> str | Exception:
            try:
                number = 0
                async for job in await self._client.aio.batches.list(config={"page_size": 100}):
                    number += 1
                    if job.display_name == job_id and job.name:
                        return job.name
                    if number >= _LISTED:
                        break
            except ValueError:
                return Passing("the list of jobs is malformed")
            return ""

        return await self._asked(look())

    async def collect(self, job: str) -> Collected | None:
        """Ask for the state, and where it has ended for the file of answers."""

        async def ask() -> Collected | Exception | None:
            try:
                found = await self._client.aio.batches.get(name=job)
                state = found.state.value.removeprefix("JOB_STATE_") if found.state else ""
                if state not in {"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}:
                    return None
                return await self._ended(found, state)
            except ValueError:
                return Passing("the answer about the job is malformed")

        return await self._asked(ask())

    async def _ended(self, found: types.BatchJob, state: str) -> Collected:
        name = found.dest.file_name if found.dest else None
        answers = await self._client.aio.files.download(file=name) if name else b""
        captions = self._read(answers or b"")
        ended = "" if state.endswith("SUCCEEDED") else state.lower()  # the package does not say why
        return Collected(captions, ended or ("" if captions else "it has no answers"))

    async def _asked(self, work: Awaitable[T | Exception]) -> T:
        made = await self._translated(work, seconds=self._SECONDS)
        if isinstance(made, Caption):  # a request was rejected that is about no medium
            raise wrong(f"the batch interface refuses this: {made.reason}", "leave out --batch")
        return made

    def _read(self, answers: bytes) -> dict[str, Caption]:
        found = {}
        for line in answers.splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue  # that medium has no answer
            key = self._key(record) if isinstance(record, dict) else None
            if not isinstance(key, str):
                continue
            if isinstance(record.get("response"), dict) and record["response"]:
                found[key] = read_answer(record["response"], self._model)
            else:
                found[key] = Caption(text="", status="failed", reason=f"rejected, {_said(self._error(record))}")
        return found

    def _line(self, medium: Medium, request: dict[str, Any]) -> dict[str, Any]:
        """A request, and what tells whose its answer is."""
        return {"key": medium.media_id, "request": request}

    def _key(self, record: dict[str, Any]) -> object:
        """The media_id of an answer, as far as it tells."""
        return record.get("key")

    def _error(self, record: dict[str, Any]) -> object:
        """What an answer says of why it has no response."""
        return record.get("error")


def request(parts: list[types.Part], config: types.GenerateContentConfig) -> dict[str, Any]:
    """The body of a call, as the package sends it."""
    from google.genai import types

    content = types.Content(role="user", parts=parts)
    told = config.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(_OF_THE_PACKAGE))
    own: dict[str, Any] = {name: told.pop(name) for name in _OF_THE_REQUEST if name in told}
    if isinstance(own.get("systemInstruction"), str):
        own["systemInstruction"] = {"role": "user", "parts": [{"text": own["systemInstruction"]}]}
    body: dict[str, Any] = {"contents": [content.model_dump(mode="json", by_alias=True, exclude_none=True)], **own}
    return {**body, "generationConfig": told} if told else body


def _said(error: object) -> str:
    if not isinstance(error, dict):
        return "no answer"
    return without_secrets(f"{error.get('code', '')} {error.get('message', '')}".strip()) or "no reason is given"
