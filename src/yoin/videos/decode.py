"""The one place that reads videos: FFmpeg, through PyAV.

FFmpeg is told which format to read, by the content, and never asked to find out; it reads through our own file
object, and whatever else it wants to open is refused. Only the decoders in `CODECS` are used, each with one thread.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from math import sqrt
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, cast

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from yoin.images import ImageError
from yoin.videos.containers import DEMUXERS, MOST_PACKETS
from yoin.videos.scenes import THUMBNAIL, Thumbnails

CODECS: Final = frozenset("h264 hevc vp8 vp9 av1 libdav1d libaom-av1 mpeg4 mjpeg prores gif".split())
KEPT_PIXELS: Final = 2_500_000  # of a frame that is handed out

_MOST_STREAMS: Final = 64
_UNSPECIFIED: Final = 2  # FFmpeg's number of an unknown color matrix
_HD: Final = (1280, 720)  # pixels, from which on such a stream is taken to be BT.709, else BT.601
_ODD_PIXELS: Final = 8  # times as long as wide: beyond it is a mistake
_EXACT: Final = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)
# By the signs of a display matrix (a, b, c, d): a point (x, y) is shown at (ax + cy, bx + dy).
_TURNS: Final = {
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}

_KEEPS_SIDES: Final = {Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM}

FFmpegError = av.FFmpegError
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Packets:
    """What a video's packets say, in the order in which they are decoded.

    ``times`` in ticks, (n,); ``group`` is the number of the key frame that each builds on, (n,); ``start`` is when the
    video begins, in ticks; ``length`` is in seconds.
    """

    times: Ints
    group: Ints
    start: int
    tick: Fraction
    length: float

    def seconds(self, times: Ints) -> Floats:
        """Ticks as seconds from the video's start."""
        return np.asarray((times - self.start) * float(self.tick), dtype=np.float64)

    def worth_a_look(self, most: int, enough: int) -> Bools:
        """All packets; of more than ``most`` the key frames, and where those are not ``enough``, what follows each."""
        number = np.arange(len(self.times))
        if len(number) <= most:
            return number >= 0
        keys = np.flatnonzero(self.group == number)
        if len(keys) >= enough:
            spread = np.rint(np.linspace(0, len(keys) - 1, min(most, len(keys)))).astype(np.int64)
            return np.isin(number, keys[spread])
        after_key = number - self.group
        return np.asarray(after_key < max(1, np.partition(after_key, most)[most]))

    def leading_to(self, times: set[int], among: Bools) -> Bools:
        """Those of the packets ``among`` that have to be decoded for the frames shown at ``times``."""
        needed = np.zeros(len(self.times), dtype=bool)
        for time in times:
            at = int(np.argmax(self.times == time))
            first = int(self.group[at])
            if first and self.times[at] < self.times[first]:  # shown before its key frame: it builds on two
                first = int(self.group[first - 1])
            needed[first : at + 2] = True  # the next packet may hold the frame's other field
        return needed & among


class Video:
    """An open video.

    Attributes:
        pixels: of a frame, as the header says; at least 1.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream, *, is_gif: bool, max_pixels: int) -> None:
        self._container, self._stream, self._is_gif, self._max_pixels = container, stream, is_gif, max_pixels
        self.pixels = max(1, stream.codec_context.width * stream.codec_context.height)

    def packets(self) -> Packets:
        """List the packets; nothing is decoded.

        Raises:
            ImageError: there are none.
        """
        times: list[int] = []
        group: list[int] = []
        shown: list[tuple[int, int]] = []
        for number, packet in enumerate(islice(self._read(), MOST_PACKETS)):
            time = _time(packet)
            times.append(time)
            is_key = packet.is_keyframe and not self._is_gif  # a GIF's frames are drawn over those before
            group.append(number if is_key or not group else group[-1])
            if not packet.is_discard:
                shown.append((time, time + max(0, packet.duration or 0)))
        tick = self._stream.time_base
        if not shown or not tick:
            raise damaged()
        start, end = min(time for time, _ in shown), max(end for _, end in shown)
        length = float((end - start) * tick)
        if not length:
            length = float(1 / (self._stream.average_rate or 25))
        return Packets(np.array(times, dtype=np.int64), np.array(group, dtype=np.int64), start, tick, length)

    def thumbnails(self, wanted: Bools) -> tuple[Ints, Thumbnails]:
        """The times of the frames in the ``wanted`` packets, ascending and each once, and their thumbnails.

        Raises:
            ImageError: less than half of the frames are sound.
        """
        self._stream.codec_context.options |= {"skip_loop_filter": "all"}  # no blocks are seen in a thumbnail
        scaler, found, corrupt = VideoReformatter(), dict[int, Thumbnails](), 0
        for frame in self._decode(wanted):
            if frame.is_corrupt:
                corrupt += 1
            elif _time(frame) not in found:
                small = scaler.reformat(
                    frame, THUMBNAIL, THUMBNAIL, "rgb24", interpolation=Interpolation.AREA, threads=1
                )
                found[_time(frame)] = small.to_ndarray().astype(np.uint8, copy=False)
        if len(found) <= corrupt:
            raise damaged()
        times = sorted(found)
        return np.array(times, dtype=np.int64), np.stack([found[time] for time in times])

    def take(self, times: set[int], wanted: Bools) -> dict[int, tuple[Image.Image, tuple[int, int]]]:
        """The frames shown at ``times`` in the ``wanted`` packets: upright RGB images, each with its full size."""
        shape = Fraction(1) if self._is_gif else (self._stream.sample_aspect_ratio or Fraction(1))
        if not Fraction(1, _ODD_PIXELS) <= shape <= _ODD_PIXELS:
            shape = Fraction(1)
        found: dict[int, tuple[Image.Image, tuple[int, int]]] = {}
        for frame in self._decode(wanted):
            if (time := _time(frame)) in times and time not in found and not frame.is_corrupt:
                found[time] = _upright(frame, shape)
        return found

    def _read(self) -> Iterator[Packet[av.VideoStream]]:
        return (packet for packet in self._container.demux(self._stream) if packet.size)  # the last one is empty

    def _decode(self, wanted: Bools) -> Iterator[av.VideoFrame]:
        """The frames in these packets; what the decoder refuses is left out."""
        decoder = self._stream.codec_context

        def answer(packet: Packet[av.VideoStream] | None) -> list[av.VideoFrame]:
            try:
                return decoder.decode(packet)
            except FFmpegError:
                return []

        def answers() -> Iterator[list[av.VideoFrame]]:
            fed = False
            for number, packet in enumerate(islice(self._read(), len(wanted))):
                if wanted[number]:
                    yield answer(packet)
                    fed = True
                elif fed:  # a gap: have out what is still inside, then begin anew
                    yield answer(None)
                    decoder.flush_buffers()
                    fed = False
            yield answer(None)

        for frame in islice(chain.from_iterable(answers()), 2 * int(wanted.sum()) + 16):
            _refuse_size(frame.width, frame.height, self._max_pixels)  # it may change on the way
            yield frame


@contextmanager
def opened(path: Path, *, mime: str, max_pixels: int) -> Iterator[Video]:
    """The first video in a file that is no cover picture.

    Raises:
        ImageError: there is none of a codec in `CODECS`, or its frames have more than ``max_pixels`` pixels.
        FFmpegError: the file is damaged.
        OSError: it cannot be opened.
    """
    demuxer = DEMUXERS[mime]
    with path.open("rb") as file, _open(file, demuxer, CODECS, max_pixels) as container:
        stream = _first_video(container)
        decoder = stream.codec_context
        if not decoder or decoder.name not in CODECS:
            raise ImageError("not_an_image", f"The video's codec{f' {decoder.name}' if decoder else ''} is not read.")
        width, height = decoder.width, decoder.height
        if not width or not height:  # so it is where a decoder has met its limit
            width, height = _stated_size(path, demuxer)
        _refuse_size(width, height, max_pixels)
        decoder.thread_count = 1
        decoder.options = {"max_pixels": _decoder_limit(max_pixels)}
        yield Video(container, stream, is_gif=demuxer == "gif", max_pixels=max_pixels)


def _refuse_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError("bomb", f"The video has {width:,} × {height:,} pixels; the limit is {max_pixels:,} in all.")


def _decoder_limit(max_pixels: int) -> str:
    """A decoder counts the margins that it adds to a frame, too."""
    return str(2 * max_pixels + 2**20)


def _open(file: BinaryIO, demuxer: str, codecs: Iterable[str], max_pixels: int) -> InputContainer:
    options = {
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif",
        "protocol_whitelist": "file",
        "codec_whitelist": ",".join(sorted(codecs)),
        "max_streams": str(_MOST_STREAMS),
        "max_pixels": _decoder_limit(max_pixels),
    } | ({"enable_drefs": "0"} if demuxer == "mov" else {})
    return av.open(file, "r", format=demuxer, options=options, io_open=_refuse_to_open, metadata_errors="replace")


def _first_video(container: InputContainer) -> av.VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise ImageError("not_an_image", "There is no video in the file.")


def _stated_size(path: Path, demuxer: str) -> tuple[int, int]:
    """What the container itself says: no decoder is let near it."""
    with path.open("rb") as file, _open(file, demuxer, {"none"}, 1) as container:
        decoder = _first_video(container).codec_context
        return decoder.width, decoder.height


def damaged() -> ImageError:
    """What is said of a video that cannot be decoded."""
    return ImageError("truncated", "The video is cut off or damaged and cannot be decoded.")


def _refuse_to_open(*_: object) -> NoReturn:
    raise PermissionError("a video may not name other files")


def _time(timed: Packet[av.VideoStream] | av.VideoFrame) -> int:
    return timed.pts if timed.pts is not None else timed.dts or 0


def _upright(frame: av.VideoFrame, shape: Fraction) -> tuple[Image.Image, tuple[int, int]]:
    """The frame as people see it, at most `KEPT_PIXELS` large, and the size that it would have in full."""
    width = max(1, round(frame.width * min(1.0, float(shape))))  # the side that is too long is shrunk
    height = max(1, round(frame.height / max(1.0, float(shape))))
    scale = min(1.0, sqrt(KEPT_PIXELS / (width * height)))
    image = _rgb(frame, max(1, int(width * scale)), max(1, int(height * scale)))
    turn = _TURNS.get(_display(frame))
    if turn is None:
        return image, (width, height)
    upright = image.transpose(turn)
    return upright, (width, height) if turn in _KEEPS_SIDES else (height, width)


def _display(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """The larger diagonal of the display matrix, as signs."""
    try:
        data = cast(Mapping[str, Buffer], frame.side_data).get("DISPLAYMATRIX")
    except ValueError:  # PyAV stumbles over a kind of side data that it does not know
        turns = round(-frame.rotation / 90) % 4
        return ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))[turns]
    if data is None or len(bytes(data)) < 20:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack_from("=5i", bytes(data))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _sign(a), 0, 0, _sign(d)
    return 0, _sign(b), _sign(c), 0


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _rgb(frame: av.VideoFrame, width: int, height: int) -> Image.Image:
    is_unknown_hd = (
        frame.colorspace == _UNSPECIFIED
        and frame.color_range != ColorRange.JPEG
        and (frame.width >= _HD[0] or frame.height >= _HD[1])
    )
    has_alpha = any(component.is_alpha for component in frame.format.components)
    pixels = frame.reformat(
        width,
        height,
        "rgba" if has_alpha else "rgb24",
        src_colorspace=Colorspace.ITU709 if is_unknown_hd else None,
        interpolation=_EXACT,
        threads=1,
    ).to_ndarray()
    image = Image.fromarray(pixels)
    if not has_alpha:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
