"""Short videos made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.video.reformatter import VideoReformatter
from PIL import Image

Picture: TypeAlias = str | tuple[int, int, int] | Image.Image
Scene: TypeAlias = tuple[Picture | Callable[[float], Picture], float]

_CODECS = {"mp4": "libx264", "mov": "libx264", "webm": "libvpx-vp9", "mkv": "libx264", "gif": "gif"}
_PIXELS = {"gif": "rgb8", "mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}
_QUICK = {
    "libx264": {"preset": "ultrafast", "crf": "18"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "2M"},
    "libsvtav1": {"preset": "12", "crf": "30"},
}


def make_video(
    path: Path,
    scenes: Sequence[Scene] = (("red", 1.0), ("blue", 1.0)),
    *,
    container: str = "",
    size: tuple[int, int] = (160, 120),
    fps: int = 10,
    codec: str = "",
    pixel_format: str = "",
    options: dict[str, str] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    full_range: bool = False,
    matrix: int = 0,
    matrix_is_stated: bool = True,
    rotation: int = 0,
    mirrored: bool = False,
    sound: bool = False,
) -> Path:
    """Write a video of scenes, each a picture (or a function of its time in seconds that gives one) and a length.

    ``container`` (mp4, mov, webm, mkv or gif) is by default the path's suffix. Pictures are squeezed into ``size``.
    ``options`` are the encoder's own, such as ``{"g": "10"}`` for a key frame every ten frames; ``matrix`` is FFmpeg's
    number of the color matrix that is used and, as a rule, written down (1 BT.709, 6 BT.601). ``rotation`` (degrees,
    counterclockwise) and ``mirrored`` (left to right) are what players are told to do. Returns ``path``.
    """
    container = container or path.suffix[1:]
    codec = codec or _CODECS[container]
    form = {"mkv": "matroska"}.get(container, container)
    with av.open(str(path), "w", format=form, options={"loop": "0"} if container == "gif" else {}) as output:
        stream = output.add_stream(codec, rate=fps, options={**_QUICK.get(codec, {}), **(options or {})})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format or _PIXELS.get(codec, "yuv420p")
        color_range = 2 if full_range or stream.pix_fmt.startswith("yuvj") else 1
        stream.codec_context.thread_count = 1
        if sample_aspect_ratio is not None:
            stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        if full_range:
            stream.codec_context.color_range = 2
        if matrix and matrix_is_stated:
            stream.codec_context.colorspace = matrix
        hum = output.add_stream("aac", rate=44100) if sound else None
        converter, shown = VideoReformatter(), None
        for number, picture in enumerate(_pictures(scenes, size, fps)):
            if picture is not shown:
                shown = picture
                frame = converter.reformat(
                    av.VideoFrame.from_image(picture),
                    format=stream.pix_fmt,
                    dst_color_range=color_range if stream.pix_fmt.startswith("yuv") else None,
                    dst_colorspace=matrix or None,
                )
            frame.pts, frame.time_base = number, Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if hum is not None:
            for number in range(20):
                silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
                for plane in silence.planes:
                    plane.update(bytes(plane.buffer_size))
                silence.sample_rate, silence.pts, silence.time_base = 44100, number * 1024, Fraction(1, 44100)
                output.mux(hum.encode(silence))
            output.mux(hum.encode(None))
    return path


def _pictures(scenes: Sequence[Scene], size: tuple[int, int], fps: int) -> list[Image.Image]:
    made = []
    for picture, seconds in scenes:
        times = round(seconds * fps)
        if callable(picture):
            made += [_squeezed(picture(number / fps), size) for number in range(times)]
        else:
            made += [_squeezed(picture, size)] * times
    return made


def _squeezed(picture: Picture, size: tuple[int, int]) -> Image.Image:
    image = picture if isinstance(picture, Image.Image) else Image.new("RGB", size, picture)
    return image.convert("RGB").resize(size)
