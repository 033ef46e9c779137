"""The batch interface of the loopback server for OpenAI: jobs run until they are told to end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def completion(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """What is answered to a request of a job: the status and the body."""
    message = {"role": "assistant", "content": "A plain square.", "refusal": None}
    said = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320},
    }
    return 200, said


@dataclass
class Batches:
    """What the server does with files and jobs.

    Attributes:
        status: of every job that is asked for.
        respond: what is answered to a request; None leaves it without an answer.
        absent: whether there is no such interface.
        message: of a job that has failed.
    """

    status: str = "in_progress"
    respond: Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None] = completion
    absent: bool = False
    message: str = ""
    files: list[list[dict[str, Any]]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: dict[str, str], data: bytes) -> bytes | None:
        """The body of an answer to a request about files and jobs; None for all else."""
        if self.absent:
            return None
        path = path.partition("?")[0]
        if (method, path) == ("POST", "/v1/files"):
            return self._file(headers, data)
        if (method, path) == ("POST", "/v1/batches"):
            self.jobs.append(json.loads(data))
            return self._told(len(self.jobs) - 1)
        if path == "/v1/batches":
            listed = [json.loads(self._told(number)) for number in range(len(self.jobs))]
            return json.dumps({"object": "list", "data": listed, "has_more": False}).encode()
        if match := re.fullmatch(r"/v1/batches/batch_(\d+)", path):
            return self._told(int(match[1]))
        if match := re.fullmatch(r"/v1/files/(output|errors)-(\d+)/content", path):
            return self._results(int(match[2]), good=match[1] == "output")
        return None

    def _file(self, headers: dict[str, str], data: bytes) -> bytes:
        boundary = headers["content-type"].partition("boundary=")[2].encode()
        parts = [part.partition(b"\r\n\r\n") for part in data.split(b"--" + boundary)[1:-1]]
        named = {re.search(rb'name="(\w+)"', head)[1].decode(): body[:-2] for head, _, body in parts}  # type: ignore[index]
        assert named["purpose"] == b"batch"
        self.files.append([json.loads(line) for line in named["file"].splitlines()])
        number = len(self.files) - 1
        told = {"id": f"file-{number}", "object": "file", "bytes": len(named["file"]), "created_at": 1}
        return json.dumps({**told, "filename": "requests.jsonl", "purpose": "batch", "status": "processed"}).encode()

    def _told(self, number: int) -> bytes:
        job = self.jobs[number]
        told: dict[str, Any] = {
            "id": f"batch_{number}",
            "object": "batch",
            "created_at": 1,
            "status": self.status,
            **job,
        }
        if self.message:
            told["errors"] = {"object": "list", "data": [{"code": "invalid", "message": self.message}]}
        if self.status in ("completed", "expired"):
            told |= {"output_file_id": f"output-{number}", "error_file_id": f"errors-{number}"}
        return json.dumps(told).encode()

    def _results(self, number: int, *, good: bool) -> bytes:
        lines = []
        for line in self.files[int(self.jobs[number]["input_file_id"].removeprefix("file-"))]:
            said = self.respond(line["body"])
            if said is not None and (said[0] == 200) is good:
                response = {"status_code": said[0], "request_id": "r", "body": said[1]}
                lines.append({"id": "b", "custom_id": line["custom_id"], "response": response, "error": None})
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
