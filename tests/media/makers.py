"""Images of every kind and state, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms


def pixels(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    """Left half red, right half a seeded colour."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    colour = tuple(int(value) for value in np.random.default_rng(seed).integers(0, 256, 3))
    image.paste(colour, (width // 2, 0, width, height))
    return image


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a huge image."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def on_its_side() -> bytes:
    """40 × 30 as stored, 30 × 40 as people see it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(pixels(), "JPEG", exif=exif)


def animated(form: str) -> bytes:
    return encoded(pixels(), form, save_all=True, append_images=[pixels(seed=1), pixels(seed=2)], duration=50)


def palette_with_transparency() -> bytes:
    image = Image.new("P", (40, 30), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (20, 0, 40, 30))
    return encoded(image, "PNG", transparency=0)


def grey_16() -> bytes:
    ramp = np.linspace(0, 65535, 40).astype(np.uint16)
    return encoded(Image.fromarray(np.tile(ramp, (30, 1))), "PNG")


def with_profile(profile: bytes) -> bytes:
    return encoded(pixels(), "PNG", icc_profile=profile)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


GOOD: dict[str, bytes] = {
    "plain.png": encoded(pixels()),
    "plain.jpg": encoded(pixels(), "JPEG"),
    "plain.webp": encoded(pixels(), "WEBP"),
    "plain.gif": encoded(pixels(), "GIF"),
    "plain.bmp": encoded(pixels(), "BMP"),
    "plain.tif": encoded(pixels(), "TIFF"),
    "compressed.tif": encoded(pixels(), "TIFF", compression="tiff_lzw"),
    "cmyk.jpg": encoded(pixels().convert("CMYK"), "JPEG"),
    "cmyk.tif": encoded(pixels().convert("CMYK"), "TIFF"),
    "lab.tif": encoded(Image.new("LAB", (40, 30), (128, 128, 128)), "TIFF"),
    "grey16.png": grey_16(),
    "grey16.tif": encoded(Image.fromarray(np.full((30, 40), 40000, dtype=np.uint16)), "TIFF"),
    "int32.tif": encoded(Image.fromarray(np.arange(1200, dtype=np.int32).reshape(30, 40) * 1000), "TIFF"),
    "float.tif": encoded(Image.fromarray(np.full((30, 40), 0.5, dtype=np.float32)), "TIFF"),
    "animated.gif": animated("GIF"),
    "animated.webp": animated("WEBP"),
    "animated.png": animated("PNG"),
    "palette.png": palette_with_transparency(),
    "rgba.jpg": encoded(Image.new("RGBA", (40, 30), (255, 0, 0, 0)), "PNG"),
    "la.png": encoded(Image.new("LA", (40, 30), (0, 128)), "PNG"),
    "one_bit.png": encoded(Image.new("1", (40, 30), 1), "PNG"),
    "progressive.jpg": encoded(pixels(), "JPEG", progressive=True),
    "sideways.jpg": on_its_side(),
    "srgb.png": with_profile(srgb_profile()),
    "broken_profile.png": with_profile(b"not a profile"),
    "grey.jpg": encoded(pixels().convert("L"), "JPEG"),
}

BAD: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "empty_file"),
    "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"),
    "drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not_an_image"),
    "text.png": (b"BMW is a maker of cars", "not_an_image"),
    "half.jpg": (encoded(pixels(400, 300), "JPEG")[:2000], "truncated"),
    "half.png": (encoded(pixels(400, 300))[:300], "truncated"),
    "half.webp": (encoded(pixels(400, 300), "WEBP")[:150], "truncated"),
    "half.gif": (encoded(pixels(400, 300), "GIF")[:400], "truncated"),
    "half.tif": (encoded(pixels(), "TIFF")[:500], "truncated"),
    "half.bmp": (encoded(pixels(), "BMP")[:500], "truncated"),
    "start.jpg": (b"\xff\xd8\xff\xe0\x00", "truncated"),
    "start.png": (b"\x89PNG\r\n\x1a\n", "truncated"),
    "huge.png": (png_claiming(20_000, 20_000), "bomb"),
    "dot.png": (encoded(Image.new("RGB", (1, 1))), "too_small"),
    "thin.png": (encoded(Image.new("RGB", (7, 500))), "too_small"),
}
