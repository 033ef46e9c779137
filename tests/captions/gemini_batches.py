"""The batch interface of the loopback server for Gemini: jobs run until they are told to end."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.captions.gemini_server import Asked, Exchange, GeminiServer

Answer = Callable[["Exchange"], Awaitable[None]]
_CREATE = re.compile(r"/v1(?:beta)?/models/(?P<model>[^/:?]+):batchGenerateContent")
_JOB = re.compile(r"/v1(?:beta)?/batches/(\d+)")
_LIST = re.compile(r"/v1(?:beta)?/batches(?:\?.*)?")
_VERTEX = re.compile(r"/v1(?:beta1?)?/projects/[^/]+/locations/[^/]+/batchPredictionJobs(?:/(?P<number>\d+))?(?:\?.*)?")
_DOWNLOAD = re.compile(r"(?:/download)?/v1(?:beta)?/files/answers-(\d+):download(?:\?.*)?")


def described(request: dict[str, Any], model: str) -> dict[str, Any]:
    """What the service answers to a request of a job, as a line of its file without the key."""
    candidate = {"content": {"role": "model", "parts": [{"text": "A plain square."}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 1100, "candidatesTokenCount": 12, "totalTokenCount": 1112}
    return {"response": {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}}


@dataclass
class Job:
    """One job: the lines of its file."""

    display_name: str
    model: str
    lines: list[dict[str, Any]]
    place: str = ""  # of Vertex: where its answers go


@dataclass
class Batches:
    """What the server does with jobs.

    Attributes:
        state: of every job that is asked for.
        respond: what is answered to a request; None leaves it without an answer.
        more: bytes after the answers in the file.
        refuse: an answer in place of the next creation's.
        silent: whether the next job is made, and the connection then reset.
    """

    server: GeminiServer
    state: str = "BATCH_STATE_RUNNING"
    respond: Callable[[dict[str, Any], str], dict[str, Any] | None] = described
    more: bytes = b""
    refuse: Answer | None = None
    silent: bool = False
    jobs: list[Job] = field(default_factory=list)
    bucket: Any = None  # of Vertex: a filesystem of fsspec

    def answer(self, asked: Asked) -> Answer | None:
        """To requests about jobs; None for all else."""
        if match := _VERTEX.fullmatch(asked.path):
            return self._vertex(asked, match["number"])
        if asked.method == "POST" and (match := _CREATE.fullmatch(asked.path)):
            return self._create(asked, match["model"])
        if match := _JOB.fullmatch(asked.path):
            return _says(self._told(int(match[1])))
        if match := _DOWNLOAD.fullmatch(asked.path):
            return _sends(self._answers(self.jobs[int(match[1])]))
        if asked.method == "GET" and _LIST.fullmatch(asked.path):
            return _says({"operations": [self._told(number) for number in range(len(self.jobs))]})
        return None

    def _create(self, asked: Asked, model: str) -> Answer:
        if self.refuse is not None:
            refused, self.refuse = self.refuse, None
            return refused
        batch = asked.body["batch"]
        name = batch["inputConfig"]["fileName"]
        upload = next(one for one in self.server.files.uploads if one.name == name)
        lines = [json.loads(line) for line in upload.data.splitlines()]
        self.jobs.append(Job(batch["displayName"], model, lines))
        if self.silent:
            self.silent = False
            return _reset
        return _says(self._told(len(self.jobs) - 1))

    def _vertex(self, asked: Asked, number: str | None) -> Answer:
        if asked.method == "POST":
            (source,) = asked.body["inputConfig"]["gcsSource"]["uris"]
            lines = [json.loads(line) for line in self.bucket.cat_file(source).splitlines()]
            job = Job(asked.body["displayName"], asked.body["model"].rpartition("/")[2], lines)
            job.place = asked.body["outputConfig"]["gcsDestination"]["outputUriPrefix"]
            self.jobs.append(job)
            return _says(self._vertex_told(len(self.jobs) - 1))
        if number is not None:
            return _says(self._vertex_told(int(number)))
        return _says({"batchPredictionJobs": [self._vertex_told(number) for number in range(len(self.jobs))]})

    def _vertex_told(self, number: int) -> dict[str, Any]:
        job, state = self.jobs[number], self.state.replace("BATCH_STATE", "JOB_STATE")
        if state == "JOB_STATE_SUCCEEDED":
            found = [(line, self.respond(line["request"], job.model)) for line in job.lines]
            lines = [json.dumps({**line, "status": "", **said}) for line, said in found if said]
            self.bucket.pipe_file(f"{job.place}/prediction-1/predictions.jsonl", "\n".join(lines).encode())
        name = f"projects/p/locations/global/batchPredictionJobs/{number}"
        place = {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": job.place}}
        return {"name": name, "displayName": job.display_name, "state": state, "outputConfig": place}

    def _told(self, number: int) -> dict[str, Any]:
        job = self.jobs[number]
        metadata: dict[str, Any] = {"displayName": job.display_name, "model": f"models/{job.model}"}
        metadata["state"] = self.state
        told: dict[str, Any] = {"name": f"batches/{number}", "metadata": metadata}
        if not self.state.endswith(("RUNNING", "PENDING", "FAILED")):
            metadata["output"] = {"responsesFile": f"files/answers-{number}"}
        return told

    def _answers(self, job: Job) -> bytes:
        found = [(line["key"], self.respond(line["request"], job.model)) for line in job.lines]
        return b"".join(json.dumps({"key": key, **said}).encode() + b"\n" for key, said in found if said) + self.more


def _says(body: dict[str, Any]) -> Answer:
    return _sends(json.dumps(body).encode())


def _sends(data: bytes) -> Answer:
    async def send(exchange: Exchange) -> None:
        await exchange.send(200, data)

    return send


async def _reset(exchange: Exchange) -> None:
    exchange.reset()
