"""Images as the rest of Yoin sees them: known by their content, upright, in sRGB, on white.

The readers are Pillow's own, chosen by the first bytes and never by the name. They are called directly rather than
through `PIL.Image.open`, so that a huge image is refused by our own limit before anything is decoded.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

ImageFault = Literal["not_an_image", "truncated", "bomb"]

_ORIENTATION: Final = 0x0112  # the Exif tag; 5 to 8 lie on their side
_LARGE: Final = 16_000_000  # pixels; threads decode larger images one at a time, to bound the memory
_one_large = threading.Lock()
# What Pillow's decoders are known to raise when fed damaged bytes.
_DAMAGE: Final = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


class ImageError(Exception):
    """An image that cannot be used; ``reason`` says which way, the message is one plain sentence."""

    def __init__(self, reason: ImageFault, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A format that Yoin reads: how its files start, its MIME type and the suffix its copies get."""

    mime: str
    suffix: str
    matches: Callable[[bytes], bool]
    reader: Callable[[BinaryIO], ImageFile.ImageFile]


FORMATS: Final = (
    ImageFormat("image/jpeg", ".jpg", lambda head: head[:3] == b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    ImageFormat("image/png", ".png", lambda head: head[:8] == b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    ImageFormat(
        "image/webp", ".webp", lambda head: head[:4] + head[8:12] == b"RIFFWEBP", WebPImagePlugin.WebPImageFile
    ),
    ImageFormat("image/gif", ".gif", lambda head: head[:6] in {b"GIF87a", b"GIF89a"}, GifImagePlugin.GifImageFile),
    # "BM" alone also starts many a text; the four reserved bytes are zero
    ImageFormat(
        "image/bmp", ".bmp", lambda head: head[:2] == b"BM" and head[6:10] == bytes(4), BmpImagePlugin.BmpImageFile
    ),
    ImageFormat("image/tiff", ".tif", lambda head: head[:4] in {b"II*\0", b"MM\0*"}, TiffImagePlugin.TiffImageFile),
)
SUFFIXES: Final = {form.mime: form.suffix for form in FORMATS}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a decoded image is; ``width`` and ``height`` in pixels after orientation."""

    mime: str
    width: int
    height: int


def prove(stream: BinaryIO, *, max_pixels: int) -> ImageFacts:
    """Decode the first frame of an image once, every byte of it, and say what it is.

    Raises:
        ImageError: it is no image, is damaged, or has more than ``max_pixels`` pixels (then it is not decoded).
    """
    with _quiet(), _opened(stream, max_pixels) as (form, image):
        width, height = image.size
        with _one_large if width * height > _LARGE else nullcontext():
            image.draft(image.mode, (1, 1))  # a JPEG is read to its end, but only every eighth pixel is drawn
            image.load()
        if _exif_orientation(image) in {5, 6, 7, 8}:
            width, height = height, width
        return ImageFacts(mime=form.mime, width=width, height=height)


def open_rgb(path: Path, *, max_pixels: int) -> Image.Image:
    """The first frame of an image as people see it.

    Upright (Exif orientation applied), converted to sRGB where it carries a colour profile, transparency laid on
    white, 16-bit samples scaled to 8, mode RGB.

    Raises:
        ImageError: it is no image, is damaged, or has more than ``max_pixels`` pixels (then it is not decoded).
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream, _quiet(), _opened(stream, max_pixels) as (_, image):
        image.load()
        upright = _upright(image)
        return _on_white(_to_srgb(_to_8_bit(upright), upright.info.get("icc_profile")))


def open_grey(path: Path, *, side: int, max_pixels: int) -> Image.Image:
    """The first frame upright, on white, in grey and squeezed into a square of ``side`` pixels: to compare images by.

    A large JPEG is decoded at a fraction of its size, which is many times quicker than `open_rgb`.

    Raises:
        ImageError: it is no image, is damaged, or has more than ``max_pixels`` pixels (then it is not decoded).
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream, _quiet(), _opened(stream, max_pixels) as (_, image):
        image.draft("L", (2 * side, 2 * side))
        image.load()
        seen = _on_white(_to_srgb(_to_8_bit(_upright(image)), None))
        return seen.convert("L").resize((side, side), Image.Resampling.BOX)


def save_copy(source: Path, to: Path, *, longest_side: int, max_pixels: int) -> None:
    """Write the image as `open_rgb` sees it, as a JPEG of at most ``longest_side`` pixels a side; never enlarged.

    Raises:
        ImageError: it is no image, is damaged, or has more than ``max_pixels`` pixels.
        OSError: a file cannot be opened or written.
    """
    save_jpeg(open_rgb(source, max_pixels=max_pixels), to, longest_side=longest_side)


def save_jpeg(image: Image.Image, to: Path | BinaryIO, *, longest_side: int | None = None) -> None:
    """Write an RGB image as a JPEG, made smaller in place where a side is longer than ``longest_side`` pixels.

    Raises:
        OSError: the file cannot be written.
    """
    if longest_side is not None:
        image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    image.save(to, "JPEG", quality=92, subsampling=0)


@contextmanager
def _opened(stream: BinaryIO, max_pixels: int) -> Iterator[tuple[ImageFormat, ImageFile.ImageFile]]:
    """The image with only its header read; any fault of its decoding inside the block becomes an `ImageError`."""
    head = stream.read(32)
    stream.seek(0)
    form = next((form for form in FORMATS if form.matches(head)), None)
    if form is None:
        raise ImageError("not_an_image", f"{_what_else(head)} is not a JPEG, PNG, WebP, GIF, BMP or TIFF image.")
    try:
        with form.reader(stream) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(
                    "bomb", f"The image has {width:,} × {height:,} pixels; the limit is {max_pixels:,} in all."
                )
            yield form, image
    except _DAMAGE as error:
        raise ImageError("truncated", "The image is cut off or damaged and cannot be decoded.") from error


def _what_else(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml")):
        return "An SVG or XML file"
    return "A web page" if start.startswith((b"<!doctype", b"<html", b"<head", b"<!--")) else "The content"


def _exif_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return 1  # damaged Exif data: the pixels are still good


def _upright(image: Image.Image) -> Image.Image:
    if _exif_orientation(image) == 1:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGE:
        return image


def _to_8_bit(image: Image.Image) -> Image.Image:
    """An image in one of the modes L, LA, RGB, RGBA, CMYK or LAB; samples wider than 8 bits scaled, not clipped."""
    if image.mode in {"F", "I"} or image.mode.startswith("I;"):
        samples = np.nan_to_num(np.asarray(image, dtype=np.float32))
        low, high = _sample_range(image.mode, samples)
        scaled = (samples - low) * (255.0 / max(high - low, 1e-12))
        return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    if image.mode in {"PA", "La", "RGBa"} or image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB", "CMYK", "LAB"} else image.convert("RGB")


def _sample_range(mode: str, samples: np.ndarray) -> tuple[float, float]:
    """The samples that stand for black and white: the format's own range, or the image's where it has none."""
    low, high = float(samples.min()), float(samples.max())
    white = 1.0 if mode == "F" else 65535.0
    return (0.0, white) if low >= 0 and high <= white else (low, high)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply the colour profile; an image with a broken one is taken to be sRGB already."""
    if profile and image.mode in {"RGB", "RGBA", "CMYK"}:
        try:
            transform = _transform(profile, image.mode)
            return image if transform is None else _apply(image, transform)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            return image
    if image.mode == "LAB":
        return _apply(image, ImageCms.buildTransform(_lab(), _srgb(), "LAB", "RGB"))
    return image


def _apply(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    return image if converted is None else converted


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From ``profile`` to sRGB; None where it is sRGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "sRGB" in ImageCms.getProfileDescription(source):
        return None
    return ImageCms.buildTransform(source, _srgb(), mode, "RGBA" if mode == "RGBA" else "RGB")


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _lab() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))


def _on_white(image: Image.Image) -> Image.Image:
    """A new image of mode RGB, independent of the file."""
    if image.mode in {"RGBA", "LA"}:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filters: warnings.catch_warnings[None] | None = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd but readable files to itself.

    Warning filters belong to the whole process, so threads share one change of them: the first to come makes it and
    the last to go takes it back.
    """
    global _quiet_depth, _quiet_filters
    with _quiet_lock:
        if not _quiet_depth:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if not _quiet_depth and _quiet_filters is not None:
                _quiet_filters.__exit__(None, None, None)
