"""Gemini's File API: where videos go that are too large to be sent within a request; the Developer API alone has it.

A file that was uploaded serves every call about its medium, further attempts and repeats too. Google keeps a file for
two days, and 20 GB of a project: so files are deleted when the run ends, the oldest earlier where they would take up
more than half of that, and those of a run that was killed expire.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from yoin.captions.base import Passing
from yoin.captions.gemini_answers import without_secrets
from yoin.values import Caption, Medium

if TYPE_CHECKING:
    from google.genai import Client, types

T = TypeVar("T")

LARGEST: Final = 2_000_000_000  # bytes of a file
_ROOM: Final = 10_000_000_000  # bytes of all files of a run that are kept at a time
POLL: Final = 1.0  # seconds before the first look at a file that is being processed; then ever more
_LONGEST_PAUSE: Final = 10.0  # seconds between two looks at a file that is being processed
_SOON: Final = timedelta(minutes=10)  # before its end a file is not used any more
_GOODBYE: Final = 5.0  # seconds that deleting what is left may take
_NO_SUCH_API: Final = frozenset({404, 405, 501})


class Translated(Protocol):
    """Awaits with the call's time limit; a fault of the service becomes `Passing`, a `UsageError`, or a caption."""

    async def __call__(self, work: Awaitable[T | Exception], *, uploaded: bool = False) -> T | Caption:
        """What ``work`` comes to; ``uploaded`` where it names an uploaded file."""
        ...


class Uploads:
    """The files that a captioner has uploaded, by medium.

    Args:
        client: of google-genai.
        base_url: where files are sent, whatever the service names.
        translated: how the captioner waits for what the service does.
    """

    def __init__(self, client: Client, base_url: str, translated: Translated) -> None:
        self._client, self._base_url, self._translated = client, base_url, translated
        self._kept: dict[str, types.File] = {}  # by media_id, the one used last at the end
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._absent = False

    async def put(self, medium: Medium, mime: str) -> types.File | Caption | None:
        """The file, ready to be named in a call; a caption where it cannot be one; None where there is no File API.

        Uploading and processing may each take as long as a call. What was uploaded when the time was over is used by
        the next attempt.

        Raises:
            OSError: the medium cannot be read.
            Passing, UsageError: as `yoin.captions.gemini.Gemini.caption`.
        """
        if self._absent:
            return None
        async with self._turns[medium.media_id]:
            file = self._kept.pop(medium.media_id, None)
            if file is None or _ends_soon(file):
                await self._make_room(medium.bytes)
                made = await self._translated(self._upload(medium, mime))
                if made is None or isinstance(made, Caption):
                    return made
                file = made
            self._kept[medium.media_id] = file
            ready = await self._translated(self._processed(file), uploaded=True)
            if isinstance(ready, Caption) or (ready.state is not None and ready.state.value == "FAILED"):
                self.forget(medium.media_id)
                return ready if isinstance(ready, Caption) else _unusable(ready)
            self._kept[medium.media_id] = ready
            return ready

    def forget(self, media_id: str) -> None:
        """Upload the medium anew when it is next asked for: its file is gone or of no use."""
        self._kept.pop(media_id, None)

    async def aclose(self) -> None:
        """Delete what was uploaded, as far as that is quickly done; a second call does nothing."""
        files, self._kept = list(self._kept.values()), {}
        with suppress(TimeoutError):  # then they expire
            async with asyncio.timeout(_GOODBYE):
                await asyncio.gather(*map(self._delete, files))

    async def _upload(self, medium: Medium, mime: str) -> types.File | Passing | None:
        from google.genai import types
        from google.genai.errors import APIError

        # The address stands in the options too: the package then sends the file there, and nowhere else.
        options = types.HttpOptions(base_url=self._base_url)
        try:
            return await self._client.aio.files.upload(
                file=medium.path, config=types.UploadFileConfig(mime_type=mime, http_options=options)
            )
        except APIError as error:
            if error.code not in _NO_SUCH_API:
                raise
            self._absent = True
            return None
        except (KeyError, ValueError, TypeError, AttributeError):  # as the package takes answers that are not whole
            return Passing("the upload of the video was not completed")

    async def _processed(self, file: types.File) -> types.File | Passing:
        pause = POLL
        while file.state is not None and file.state.value == "PROCESSING":
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
            try:
                file = await self._client.aio.files.get(name=file.name or "")
            except ValueError:
                return Passing("the answer about an uploaded video is malformed")
        return file

    async def _make_room(self, wanted: int) -> None:
        while self._kept and wanted + sum(file.size_bytes or 0 for file in self._kept.values()) > _ROOM:
            await self._delete(self._kept.pop(next(iter(self._kept))))

    async def _delete(self, file: types.File) -> None:
        import httpx2
        from google.genai.errors import APIError

        with suppress(APIError, httpx2.HTTPError, ValueError):  # then it expires
            await self._client.aio.files.delete(name=file.name or "")


def _ends_soon(file: types.File) -> bool:
    return file.expiration_time is not None and file.expiration_time - datetime.now(UTC) < _SOON


def _unusable(file: types.File) -> Caption:
    says = without_secrets((file.error.message if file.error else "") or "")
    return Caption(text="", status="failed", reason=f"Google cannot process the video{f': {says}' if says else ''}")
