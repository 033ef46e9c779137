"""What captioners and the report look at: proof that a file is a medium, a video's frames, an image's scaled copy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from yoin.images import prove, save_copy, save_jpeg
from yoin.ledger import MediumRecord
from yoin.media import shelf
from yoin.media.reasons import Unusable
from yoin.media.shelf import Incoming
from yoin.options import MediaOptions
from yoin.values import Medium

if TYPE_CHECKING:
    from yoin.videos import Sample

_HEAD = 64  # bytes that tell what a file is
_SMALLEST_SIDE = 8  # pixels
_POSTER = "poster.jpg"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a file was found to be; ``sample`` has the frames of a video."""

    mime: str
    width: int
    height: int
    seconds: float = 0.0
    sample: Sample | None = None


def examine(incoming: Incoming, options: MediaOptions) -> Proof:
    """Decode a file in order to prove that it is an image or a video.

    Raises:
        ImageError: it is neither, is damaged, or has too many pixels.
        Unusable: it is empty or tiny.
        StudyError: the disk is full.
    """
    if not incoming.bytes:
        raise Unusable("empty_file", "The image has zero bytes.")
    with incoming.open() as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        mime = _video_mime(stream, head)
        stream.seek(0)
        facts = None if mime else prove(stream, max_pixels=options.max_pixels)
    if facts is not None:
        proof = Proof(facts.mime, facts.width, facts.height)
    else:
        sample = _sample(incoming.path(), mime, options)
        proof = Proof(mime, sample.width, sample.height, sample.seconds, sample)
    if min(proof.width, proof.height) < _SMALLEST_SIDE:
        raise Unusable("too_small", f"The image has only {proof.width} × {proof.height} pixels.")
    return proof


def _video_mime(stream: BinaryIO, head: bytes) -> str:
    from yoin import videos

    mime = videos.video_mime(head)
    return mime or ("image/gif" if head.startswith(b"GIF8") and videos.is_animated_gif(stream.read()) else "")


def _sample(path: Path, mime: str, options: MediaOptions) -> Sample:
    from yoin import videos

    return videos.sample(path, mime=mime, count=options.frames, seed=options.seed, max_pixels=options.max_pixels)


def is_ready(store: Path, record: MediumRecord, options: MediaOptions) -> bool:
    """Whether all that is made of a medium lies beside it in the store."""
    medium = as_medium(store, record, options)
    return all(path.exists() for path in (medium.poster, medium.copy) if path is not None)


def make_views(store: Path, record: MediumRecord, options: MediaOptions, sample: Sample | None = None) -> None:
    """Make what is missing beside the stored medium: the frames and poster of a video, the scaled copy of an image.

    Raises:
        ImageError: it cannot be decoded.
        StudyError: the disk is full.
    """
    medium = as_medium(store, record, options)
    if medium.poster is not None and not medium.poster.exists():
        found = sample or _sample(medium.path, medium.mime, options)
        shelf.make(medium.poster.parent, lambda folder: _write_frames(found, folder, options.longest_side))
    if medium.copy is not None and options.longest_side is not None:
        side = options.longest_side
        shelf.make(
            medium.copy,
            lambda path: save_copy(medium.path, path, longest_side=side, max_pixels=options.max_pixels),
        )


def _write_frames(sample: Sample, folder: Path, longest_side: int | None) -> None:
    folder.mkdir()
    for number, (seconds, image) in enumerate(sample.frames):
        path = folder / f"{number:02}-{seconds:.3f}.jpg"
        save_jpeg(image, path, longest_side=longest_side)
        if number == sample.poster:
            shutil.copyfile(path, folder / _POSTER)


def as_medium(store: Path, record: MediumRecord, options: MediaOptions) -> Medium:
    """The medium of a good record, with the places of what is made of it."""
    media_id = record.media_id or ""
    path = shelf.place(store, media_id, record.mime)
    side = f"-{options.longest_side}" if options.longest_side else ""
    poster = copy = None
    if record.seconds:
        poster = path.parent / f"{media_id}.frames-{options.frames}-{options.seed}{side}" / _POSTER
    elif side:
        copy = path.parent / f"{media_id}.side{side}.jpg"
    return Medium(
        media_id=media_id,
        path=path,
        mime=record.mime,
        width=record.width,
        height=record.height,
        bytes=record.bytes,
        seconds=record.seconds,
        frames=tuple(sorted(poster.parent.glob("[0-9]*.jpg"))) if poster else (),
        poster=poster,
        copy=copy,
    )
