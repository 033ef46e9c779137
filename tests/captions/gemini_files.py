"""The File API of the loopback server for Gemini: files are uploaded in chunks, processed, expire, and are lost."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.captions.gemini_server import Asked, Exchange, GeminiServer

Answer = Callable[["Exchange"], Awaitable[None]]
_START = re.compile(r"/upload/(v1(?:beta)?)/files(?:\?.*)?")
_FILE = re.compile(r"/v1(?:beta)?/(files/[a-z0-9-]+)")
_GRANULARITY = 8_388_608  # bytes, as Google's servers state it


@dataclass
class Upload:
    """One upload, and the file that it made."""

    name: str
    mime: str
    size: int
    data: bytes = b""
    done: bool = False
    looks: int = 0  # how often its state was asked for
    lost: bool = False  # deleted or expired


@dataclass
class Files:
    """What the server does with files; each attribute is a fault that is switched on by setting it.

    Attributes:
        cut: bytes of a chunk after which the connection is reset; then uploads work again. None without that.
        refuse: an answer in place of the next upload's first one.
        looks: how many times a file is still PROCESSING when it is asked for.
        failed: the message of files that end in the state FAILED.
        days: until a file expires.
        absent: whether there is no such API.
        drop: the next call for a caption finds that its file has expired.
        malformed: whether uploads end with an answer that has no file.
    """

    server: GeminiServer
    cut: int | None = None
    refuse: Answer | None = None
    looks: int = 0
    failed: str = ""
    days: float = 2.0
    absent: bool = False
    drop: bool = False
    malformed: bool = False
    uploads: list[Upload] = field(default_factory=list)

    @property
    def present(self) -> list[str]:
        """The names of the files that are there."""
        return [one.name for one in self.uploads if one.done and not one.lost]

    def takes(self, path: str) -> bool:
        return bool(_START.fullmatch(path)) and "upload_id=" in path

    def answer(self, asked: Asked) -> Answer | None:
        """To requests about files, and to calls whose file is not there; None for all else."""
        if asked.method == "POST" and _START.fullmatch(asked.path):
            return self._start(asked)
        if match := _FILE.fullmatch(asked.path):
            return self._about(match[1], asked.method)
        for part in asked.parts if asked.model else []:
            if "fileData" in part:
                return self._named(part["fileData"].get("fileUri") or part["fileData"]["file_uri"])
        return None

    def _start(self, asked: Asked) -> Answer:
        from tests.captions.gemini_server import error

        if self.absent:
            return error(404, "NOT_FOUND", "Requested entity was not found.")
        if self.refuse is not None:
            refused, self.refuse = self.refuse, None
            return refused
        headers = asked.headers
        assert headers["x-goog-upload-protocol"] == "resumable"
        assert headers["x-goog-upload-command"] == "start"
        number = len(self.uploads)
        self.uploads.append(
            Upload(
                name=f"files/file-{number}",
                mime=headers["x-goog-upload-header-content-type"],
                size=int(headers["x-goog-upload-header-content-length"]),
            )
        )
        place = f"https://elsewhere.invalid/upload/v1beta/files?upload_id={number}&upload_protocol=resumable"
        told = {
            "X-GUploader-UploadID": str(number),
            "X-Goog-Upload-Status": "active",
            "X-Goog-Upload-URL": place,
            "X-Goog-Upload-Control-URL": place,
            "X-Goog-Upload-Chunk-Granularity": str(_GRANULARITY),
        }
        return _says({}, told)

    def receive(self, asked: Asked) -> Answer:
        """A chunk of an upload."""
        found = re.search(r"upload_id=(\d+)", asked.path)
        assert found is not None
        upload = self.uploads[int(found[1])]
        if self.cut is not None:
            upload.data += asked.raw[: self.cut]
            self.cut = None
            return _reset
        assert int(asked.headers["x-goog-upload-offset"]) == len(upload.data)
        upload.data += asked.raw
        command = asked.headers["x-goog-upload-command"]
        if "finalize" not in command:
            assert len(asked.raw) % _GRANULARITY == 0
            return _says({}, {"X-Goog-Upload-Status": "active"})
        assert len(upload.data) == upload.size
        upload.done = True
        body = {} if self.malformed else {"file": self._described(upload)}
        return _says(body, {"X-Goog-Upload-Status": "final"})

    def _about(self, name: str, method: str) -> Answer:
        upload = self._found(name)
        if upload is None:
            return _no_permission(name)
        if method == "DELETE":
            upload.lost = True
            return _says({})
        upload.looks += 1
        return _says(self._described(upload))

    def _named(self, uri: str) -> Answer | None:
        from tests.captions.gemini_server import error

        name = uri.partition("/v1beta/")[2]
        upload = self._found(name)
        if upload is not None and self.drop:
            self.drop, upload.lost, upload = False, True, None
        if upload is None:
            return _no_permission(name)
        if self._state(upload) != "ACTIVE":
            says = f"The File {name.partition('/')[2]} is not in an ACTIVE state and usage is not allowed."
            return error(400, "FAILED_PRECONDITION", says)
        return None

    def _found(self, name: str) -> Upload | None:
        return next((one for one in self.uploads if one.name == name and one.done and not one.lost), None)

    def _state(self, upload: Upload) -> str:
        if upload.looks < self.looks:
            return "PROCESSING"
        return "FAILED" if self.failed else "ACTIVE"

    def _described(self, upload: Upload) -> dict[str, Any]:
        now, state = datetime.now(UTC), self._state(upload)
        digest = hashlib.sha256(upload.data).hexdigest()
        told: dict[str, Any] = {
            "name": upload.name,
            "mimeType": upload.mime,
            "sizeBytes": str(upload.size),
            "createTime": _time(now),
            "updateTime": _time(now),
            "expirationTime": _time(now + timedelta(days=self.days)),
            "sha256Hash": base64.b64encode(digest.encode()).decode(),
            "uri": f"https://generativelanguage.googleapis.com/v1beta/{upload.name}",
            "state": state,
            "source": "UPLOADED",
        }
        if state == "ACTIVE":
            told["videoMetadata"] = {"videoDuration": "2s"}
        if state == "FAILED":
            told["error"] = {"code": 3, "message": self.failed}
        return told


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _says(body: Mapping[str, Any], headers: Mapping[str, str] = {}) -> Answer:
    async def send(exchange: Exchange) -> None:
        await exchange.send(200, json.dumps(body).encode(), headers)

    return send


async def _reset(exchange: Exchange) -> None:
    exchange.reset()


def _no_permission(name: str) -> Answer:
    from tests.captions.gemini_server import error

    says = f"You do not have permission to access the File {name.partition('/')[2]} or it may not exist."
    return error(403, "PERMISSION_DENIED", says)
