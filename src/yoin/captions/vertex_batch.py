"""The batch interface of Vertex AI: requests and answers are files in a bucket of Google Cloud Storage."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yoin.captions.base import Passing
from yoin.captions.batch import Collected
from yoin.captions.gemini_answers import without_secrets, wrong
from yoin.captions.gemini_batch import GeminiBatches
from yoin.values import Caption, Medium

if TYPE_CHECKING:
    from google.genai import types

_HALF: Final = 32  # a label has at most 63 characters, and a media_id 64
_LABELS: Final = ("yoin-1", "yoin-2")


class VertexBatches(GeminiBatches):
    """See `yoin.captions.batch.BatchInterface`; answers come with their requests, whose labels name the media.

    Args:
        folder: ``gs://BUCKET/PATH``, for jobs that are sent; None where there are only some to collect.
        connected: those of `GeminiBatches`.
    """

    def __init__(self, folder: str | None, *connected: Any) -> None:
        super().__init__(*connected)
        self._folder = folder

    async def _started(self, job_id: str, path: Path) -> types.BatchJob:
        if not self._folder or not self._folder.startswith("gs://"):
            raise wrong("Vertex AI reads batches from a bucket", "name a folder in it: --batch-folder gs://BUCKET/PATH")
        place = f"{self._folder.rstrip('/')}/{job_id}"
        await asyncio.to_thread(_put, path, f"{place}.jsonl")
        return await self._client.aio.batches.create(
            model=self._model, src=f"{place}.jsonl", config={"display_name": job_id, "dest": place}
        )

    async def _ended(self, found: types.BatchJob, state: str) -> Collected:
        says = without_secrets((found.error.message if found.error else "") or "")
        place = found.dest.gcs_uri if found.dest else None
        answers = await asyncio.to_thread(_get, place) if place else []
        captions: dict[str, Caption] = {}
        for answer in answers:
            captions |= self._read(answer)
        ended = "" if state.endswith("SUCCEEDED") else ": ".join(filter(None, [state.lower(), says]))
        return Collected(captions, ended or ("" if captions else "it has no answers"))

    def _line(self, medium: Medium, request: dict[str, Any]) -> dict[str, Any]:
        labels = dict(zip(_LABELS, (medium.media_id[:_HALF], medium.media_id[_HALF:]), strict=True))
        return {"request": {**request, "labels": labels}}

    def _key(self, record: dict[str, Any]) -> object:
        asked = record.get("request")
        labels = asked.get("labels") if isinstance(asked, dict) else None
        return "".join(str(labels.get(name, "")) for name in _LABELS) if isinstance(labels, dict) else None

    def _error(self, record: dict[str, Any]) -> object:
        return {"message": record.get("status")}  # "" where there is a response


def _put(path: Path, place: str) -> None:
    system, inside = _system(place)
    try:
        with path.open("rb") as source, system.open(inside, "wb") as target:
            shutil.copyfileobj(source, target)
    except Exception as error:  # each storage fails in its own way
        raise _failed(error) from error


def _get(place: str) -> list[bytes]:
    """The files of answers under ``place``."""
    system, inside = _system(place)
    try:
        return [system.cat_file(found) for found in sorted(system.find(inside)) if found.endswith(".jsonl")]
    except Exception as error:
        raise _failed(error) from error


def _system(place: str) -> tuple[Any, str]:
    try:
        import fsspec

        system, inside = fsspec.core.url_to_fs(place)
    except ImportError as error:
        raise wrong("the batch's bucket needs a package", "install it with: pip install gcsfs") from error
    except Exception as error:
        raise _failed(error) from error
    return system, inside


def _failed(error: Exception) -> Passing:
    says = without_secrets(" ".join(str(error).split()))
    return Passing(f"the bucket cannot be used ({type(error).__name__}{f': {says}' if says else ''})")
