"""Which container a video is in, told by its bytes, and what must hold before FFmpeg may read it."""

from __future__ import annotations

import io
import mmap
import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

from yoin.images import ImageError

DEMUXERS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "image/gif": "gif",
}
MOST_PACKETS: Final = 1_000_000  # nine hours at 30 frames a second

_IMAGE_BRANDS: Final = frozenset(
    b"avif avis heic heix heim heis hevc hevx hevm hevs mif1 mif2 miaf msf1 jpeg jpgs crx".split()
)
_MOST_BOXES: Final = 100_000
_COUNTED: Final = re.compile(rb"stsz|stz2|trun|sbgp|cmov")
_ONE_TICK_EACH: Final = struct.pack(">II", 1, 1)  # one run of samples, each one tick long


def video_mime(head: bytes) -> str:
    """The MIME type of a video that begins with ``head`` (64 bytes suffice), "" where it is none.

    A GIF is no video here: see `is_animated_gif`.
    """
    kind = head[4:8]
    if kind == b"ftyp" and len(head) >= 12:
        brand = head[8:12]
        return "" if brand.rstrip() in _IMAGE_BRANDS else "video/quicktime" if brand == b"qt  " else "video/mp4"
    # Before 2001 a QuickTime file began with any box. The first byte of the box's size tells it from text.
    if kind in {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"} and head[0] < 0x20:
        return "video/quicktime"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska" if b"matroska" in head[:64] else ""
    return ""


def is_animated_gif(source: Path | bytes) -> bool:
    """Whether a file or its content is a GIF of more than one frame; blocks are skipped over, nothing is decoded.

    Raises:
        OSError: the file cannot be read.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        head = stream.read(13)
        if len(head) < 13 or head[:6] not in {b"GIF87a", b"GIF89a"}:
            return False
        _skip_color_table(stream, head[10])
        frames = 0
        while (kind := stream.read(1)) in {b"!", b","}:  # an extension, an image
            if kind == b",":
                place = stream.read(9)
                frames += 1
                if frames > 1 or len(place) < 9:
                    return frames > 1
                _skip_color_table(stream, place[8])
            stream.seek(1, io.SEEK_CUR)  # the extension's label, or the image's code size
            while (length := stream.read(1)) > b"\0":
                stream.seek(length[0], io.SEEK_CUR)
        return False


def _skip_color_table(stream: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        stream.seek(3 << ((flags & 7) + 1), io.SEEK_CUR)


def refuse_forged_index(path: Path) -> None:
    """Refuse an MP4 or QuickTime file whose few bytes of index would make FFmpeg allocate gigabytes.

    FFmpeg lists all samples (frames, or sounds) of a file as it opens it, and believes every number of them.

    Raises:
        ImageError: the index claims more than `MOST_PACKETS` samples, or is compressed.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if not file.read(1):
            raise ImageError("truncated", "The file is empty.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            claimed = sum(_samples_claimed(data[start:end], len(data)) for start, end in _index_parts(data))
    if claimed > MOST_PACKETS:
        raise _forged()


def _forged() -> ImageError:
    return ImageError("truncated", "The video's index is damaged: it lists more frames than a video can have.")


def _index_parts(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where the index may lie: the boxes of the file, cut at each track, but for those of media data."""
    start = 0
    for _ in range(_MOST_BOXES):
        if start + 8 > len(data):
            return
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        if size == 1 and start + 16 <= len(data):
            size = int.from_bytes(data[start + 8 : start + 16])
        end = min(start + size, len(data)) if size >= 8 else len(data)
        if kind != b"mdat":
            tracks = [match.start() for match in re.compile(b"trak").finditer(data, start, end)]
            yield from pairwise([start, *tracks, end])
        start = end
    raise _forged()


def _samples_claimed(part: bytes, file_size: int) -> int:
    """How many samples FFmpeg would list for this part of the index."""
    paces = {part[match.end() + 4 : match.end() + 8] + part[match.end() + 12 : match.end() + 16]
             for match in re.finditer(b"stts", part)}  # fmt: skip
    plain_sound = b"soun" in part and b"vide" not in part and paces == {_ONE_TICK_EACH}
    claimed = 0
    for match in _COUNTED.finditer(part):
        kind, at = match.group(), match.end()
        flags, first, second, third = (int.from_bytes(part[at + skip : at + skip + 4]) for skip in (0, 4, 8, 12))
        if kind == b"cmov":
            raise ImageError("truncated", "The video's index is compressed, which is not read.")
        if kind == b"trun":
            claimed += first
        elif kind == b"sbgp":
            runs, start = (third, at + 16) if flags >> 24 else (second, at + 12)
            for run in range(start, min(start + 8 * min(runs, MOST_PACKETS), len(part)), 8):
                claimed += int.from_bytes(part[run : run + 4])
        elif not plain_sound or second > file_size:  # FFmpeg lists uncompressed sound by the chunk
            claimed += second
    return claimed
