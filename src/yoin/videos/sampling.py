"""A few frames of a video, and which of them stands for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from yoin.images import ImageError
from yoin.videos.containers import DEMUXERS, refuse_forged_index
from yoin.videos.scenes import choose, telling

MOST_FRAMES: Final = 1000  # looked at; of a longer video, key frames only
MOST_PIXELS: Final = 2_000_000_000  # looked at: 1,000 frames of 1080p
LARGEST: Final = 36_000_000  # pixels of a frame: 8K; a decoder may keep 17 of them

_ENOUGH: Final = 4  # times the frames asked for: how many key frames show a long video well


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a video is, and some of its frames.

    ``width`` and ``height`` are those of the upright picture in full, in pixels; ``seconds`` is its length, always
    above 0. ``frames`` are (seconds from the start, RGB image), in the order of time, no frame twice; ``poster`` is
    the index of the most telling one.
    """

    mime: str
    width: int
    height: int
    seconds: float
    frames: tuple[tuple[float, Image.Image], ...]
    poster: int


def sample(path: Path, *, mime: str, count: int, seed: int, max_pixels: int) -> Sample:
    """Facts about a video and at most ``count`` of its frames, the same for the same file and seed.

    Half of the frames (rounded up) show new scenes, each shortly after a clear cut, the longest scenes first; the
    rest, and what is left for want of cuts, are spread evenly over the length, each moved a little by chance. A video
    is looked at in full up to `MOST_FRAMES` frames and `MOST_PIXELS` pixels; of a longer one key frames are, and where
    it has too few of them, also the first frames after each.

    The file is read three times (its packets are listed, frames are looked at as thumbnails, the chosen ones are
    taken), so that memory holds thumbnails and chosen frames alone, and what a header says about length and rate
    decides nothing. Frames are upright (by the display matrix) and have square pixels: the side that is too long is
    shrunk, but a GIF's pixels are taken to be square, as browsers do. Colors are converted by the stream's own matrix
    and range (HDR is not tone-mapped), transparency lies on white, and what is larger than 2.5 megapixels is scaled
    down to that. Sound is ignored.

    Args:
        path: the file.
        mime: what `video_mime` says of it, or ``image/gif``.
        count: the most frames to take, 1 or more.
        seed: decides the chance, 0 or more.
        max_pixels: the largest frame that is decoded; never more than `LARGEST`.

    Raises:
        ImageError: it holds no video that is read (not_an_image), is damaged (truncated), or its frames have too many
            pixels (bomb; then nothing is decoded).
        OSError: the file cannot be opened.
    """
    if mime not in DEMUXERS:
        raise ImageError("not_an_image", "The content is not an MP4, QuickTime, WebM, Matroska or GIF video.")
    if DEMUXERS[mime] == "mov":
        refuse_forged_index(path)
    from yoin.videos import decode

    try:
        return _sample(path, mime, count, seed, min(max_pixels, LARGEST))
    except decode.FFmpegError as error:
        raise decode.damaged() from error


def _sample(path: Path, mime: str, count: int, seed: int, max_pixels: int) -> Sample:
    from yoin.videos import decode

    with decode.opened(path, mime=mime, max_pixels=max_pixels) as video:
        packets = video.packets()
        most = max(count, min(MOST_FRAMES, MOST_PIXELS // video.pixels))
    looked_at = packets.worth_a_look(most, _ENOUGH * count)
    with decode.opened(path, mime=mime, max_pixels=max_pixels) as video:
        times, thumbnails = video.thumbnails(looked_at)
    chosen = choose(packets.seconds(times), thumbnails, count=count, seed=seed)
    wanted = {int(times[index]) for index in chosen}
    with decode.opened(path, mime=mime, max_pixels=max_pixels) as video:
        found = video.take(wanted, packets.leading_to(wanted, looked_at))
    if not found:
        raise decode.damaged()
    frames = tuple(((time - packets.start) * float(packets.tick), found[time][0]) for time in sorted(found))
    width, height = found[min(found)][1]
    poster = max(range(len(frames)), key=lambda index: (telling(frames[index][1]), -index))
    return Sample(mime=mime, width=width, height=height, seconds=packets.length, frames=frames, poster=poster)
