"""Videos: what they are told by, what is taken from them, and what none of them can do."""

from __future__ import annotations

import ctypes
import io
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from tests.moving import make_video
from yoin.images import ImageError
from yoin.videos import Sample, is_animated_gif, is_other_scene, sample, video_mime
from yoin.videos.decode import Packets
from yoin.videos.scenes import THUMBNAIL, choose, find_scenes

LIMIT = 10_000_000
MIMES = {
    "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mkv": "video/x-matroska", "gif": "image/gif",
}  # fmt: skip


def taken(path: Path, *, count: int = 6, seed: int = 0, max_pixels: int = LIMIT) -> Sample:
    return sample(path, mime=MIMES[path.suffix[1:]], count=count, seed=seed, max_pixels=max_pixels)


def refused(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        taken(path, **options)
    assert str(caught.value).endswith(".")
    return caught.value.reason


def photograph(name: str = "china.jpg") -> Image.Image:
    return Image.fromarray(load_sample_image(name))


def names(found: Sample) -> list[str]:
    """The color of each frame's middle."""
    known = {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0), "black": (0, 0, 0), "white": (255,) * 3}

    def name(image: Image.Image) -> str:
        middle = np.array(image.getpixel((image.width // 2, image.height // 2)))
        return min(known, key=lambda one: int(np.abs(middle - known[one]).sum()))

    return [name(image) for _, image in found.frames]


# --- what it is


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", "video/mp4"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"),
        (b"\0\0\0\x18ftyp3gp4\0\0\0\0", "video/mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\x04\x0emdat", "video/quicktime"),
        (b"\0\0\0\x01mdat\0\0\0\0\0\0\x04\0", "video/quicktime"),
        (b"\0\0\x04\0moov\0\0\0\x6cmvhd", "video/quicktime"),
        *[(b"\0\0\0\x20ftyp" + brand + b"\0\0\0\0mif1", "") for brand in (b"avif", b"heic", b"mif1", b"heix", b"msf1")],
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webmB\x87", "video/webm"),
        (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroskaB\x87", "video/x-matroska"),
        (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88otherdoc", ""),
        (b"the free world", ""), (b"sugarfree", ""), (b"#EXTM3U\n#EXTINF", ""), (b"ffconcat version 1.0", ""),
        (b"RIFF\0\0\0\0WEBPVP8 ", ""), (b"GIF89a", ""), (b"", ""), (b"\0\0\0\x20ftyp", ""),
    ],
)  # fmt: skip
def test_a_video_is_told_by_its_first_bytes(head: bytes, mime: str) -> None:
    assert video_mime(head) == mime


@pytest.mark.parametrize("container", ["mp4", "mov", "webm", "mkv"])
def test_real_files_are_told(tmp_path: Path, container: str) -> None:
    assert video_mime(make_video(tmp_path / f"a.{container}").read_bytes()[:64]) == MIMES[container]


def gif(*colors: str) -> bytes:
    stream = io.BytesIO()
    first, *rest = (Image.new("RGB", (20, 10), color) for color in colors)
    first.save(stream, "GIF", save_all=True, append_images=rest, duration=200, comment=b"x" * 600)
    return stream.getvalue()


def test_a_gif_with_frames_is_animated(tmp_path: Path) -> None:
    moving, still = gif("red", "blue", "lime"), gif("red")
    (tmp_path / "a").write_bytes(moving)
    assert is_animated_gif(moving)
    assert is_animated_gif(tmp_path / "a")
    assert not is_animated_gif(still)
    assert not is_animated_gif(still[:-1])
    assert not is_animated_gif(b"GIF89a")
    assert not is_animated_gif(b"\x89PNG" + moving)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_gif_or_not(tail: bytes) -> None:
    assert is_animated_gif(b"GIF89a" + tail) in {True, False}


# --- what is taken


@pytest.mark.parametrize("container", MIMES)
def test_facts_and_frames(tmp_path: Path, container: str) -> None:
    path = make_video(tmp_path / f"a.{container}", [("red", 1.5), ("blue", 1), ("lime", 0.5)], sound=container == "mp4")
    found = taken(path)
    assert (found.mime, found.width, found.height) == (MIMES[container], 160, 120)
    assert found.seconds == pytest.approx(3.0, abs=0.05)
    times = [seconds for seconds, _ in found.frames]
    assert len(times) == 6
    assert all(before < after for before, after in pairwise(times))
    assert times[0] >= 0
    assert times[-1] < found.seconds
    colors = names(found)
    assert colors == sorted(colors, key=["red", "blue", "lime"].index)
    assert set(colors) == {"red", "blue", "lime"}
    for seconds, color in zip(times, colors, strict=True):
        assert color == ("red" if seconds < 1.49 else "blue" if seconds < 2.49 else "lime")
    assert all(image.mode == "RGB" and image.size == (160, 120) for _, image in found.frames)


def test_the_seed_decides(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [(photograph(), 6)], fps=20)
    first, again, other = taken(path, seed=3), taken(path, seed=3), taken(path, seed=4)
    assert [seconds for seconds, _ in first.frames] == [seconds for seconds, _ in again.frames]
    assert all(a.tobytes() == b.tobytes() for (_, a), (_, b) in zip(first.frames, again.frames, strict=True))
    assert [seconds for seconds, _ in first.frames] != [seconds for seconds, _ in other.frames]


def test_few_frames_are_all_taken_and_one_is_a_video_too(tmp_path: Path) -> None:
    assert len(taken(make_video(tmp_path / "a.mp4", [("red", 0.4)])).frames) == 4
    one = taken(make_video(tmp_path / "b.mp4", [("red", 0.1)]))
    assert (len(one.frames), one.poster) == (1, 0)
    assert one.seconds == pytest.approx(0.1)
    assert len(taken(make_video(tmp_path / "c.mp4"), count=1).frames) == 1


def test_half_of_the_frames_show_new_scenes(tmp_path: Path) -> None:
    colors = ["red", "blue", "lime", "white", "black", "red", "blue", "lime"]
    path = make_video(tmp_path / "a.mp4", [(color, 2.0 if number == 6 else 1.0) for number, color in enumerate(colors)])
    times = np.array([seconds for seconds, _ in taken(path, count=5).frames])
    assert any(abs(times - 6.5) < 0.01)  # the longest new scene
    after_a_cut = [seconds for seconds in times if seconds > 1 and abs(seconds % 1 - 0.5) < 0.01]
    assert len(after_a_cut) >= 3


def thumbnails(*pictures: Image.Image) -> np.ndarray:
    return np.stack([np.asarray(picture.resize((THUMBNAIL, THUMBNAIL))) for picture in pictures])


def scene_starts(pictures: list[Image.Image], fps: float = 10) -> list[int]:
    return [scene.first for scene in find_scenes(np.arange(len(pictures)) / fps, thumbnails(*pictures))]


def test_only_clear_cuts_count() -> None:
    china, flower = photograph(), photograph("flower.jpg")
    pan = [china.crop((8 * step, 0, 8 * step + 300, 300)) for step in range(40)]
    fade = [Image.blend(china, flower, step / 30) for step in range(31)]
    assert scene_starts([china] * 20) == [0]
    assert scene_starts(pan) == [0]
    assert scene_starts(fade) == [0]
    assert scene_starts([china] * 10 + [flower] * 10 + [china] * 10) == [0, 10, 20]
    assert scene_starts([*pan[:20], *[flower] * 20]) == [0, 20]
    assert scene_starts([china] * 10 + [Image.new("RGB", (9, 9), "white")] + [china] * 10) == [0]  # a flash
    assert scene_starts([china, flower] * 4, fps=0.2) == list(range(8))  # key frames seconds apart
    assert scene_starts(pan[::5], fps=0.2) == [0]
    assert scene_starts([china]) == [0]


def test_other_scenes_are_told_from_a_moved_camera() -> None:
    china = photograph()
    assert is_other_scene(china, photograph("flower.jpg"))
    assert not is_other_scene(china.crop((0, 0, 500, 400)), china.crop((100, 20, 600, 420)))


@given(
    st.lists(st.tuples(st.sampled_from(["red", "blue", "lime"]), st.integers(1, 12)), min_size=1, max_size=8),
    st.integers(1, 12),
    st.integers(0, 9),
)
def test_a_choice_is_ascending_distinct_and_half_of_it_new_scenes(
    scenes: list[tuple[str, int]], count: int, seed: int
) -> None:
    pictures = [Image.new("RGB", (4, 4), color) for color, frames in scenes for _ in range(frames)]
    seconds, small = np.arange(len(pictures)) / 10, thumbnails(*pictures)
    chosen = choose(seconds, small, count=count, seed=seed)
    assert len(chosen) == min(count, len(pictures))
    assert all(before < after for before, after in pairwise(chosen))
    new = find_scenes(seconds, small)[1:]
    assert sum(scene.shown in chosen for scene in new) >= min(len(new), (count + 1) // 2)


@given(st.integers(30, 200), st.integers(1, 12), st.integers(0, 9))
def test_without_cuts_each_stretch_gives_one_frame(frames: int, count: int, seed: int) -> None:
    seconds, small = np.arange(frames) / 10, np.zeros((frames, THUMBNAIL, THUMBNAIL, 3), dtype=np.uint8)
    stretch = (seconds[-1] - seconds[0]) / count
    for number, index in enumerate(choose(seconds, small, count=count, seed=seed)):
        assert (number + 0.25) * stretch - 0.051 <= seconds[index] <= (number + 0.75) * stretch + 0.051


def test_the_poster_is_the_most_telling_frame(tmp_path: Path) -> None:
    china = photograph()
    path = make_video(tmp_path / "a.mp4", [("black", 1), (china, 1), ("white", 1), (china.resize((8, 6)), 1)])
    found = taken(path)
    assert 1.0 <= found.frames[found.poster][0] < 2.0


# --- as people see it


def halves(left: str = "red", right: str = "blue", size: tuple[int, int] = (160, 120)) -> Image.Image:
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def is_color(image: Image.Image, at: tuple[float, float], color: tuple[int, int, int], within: int = 12) -> bool:
    pixel = image.getpixel((round(at[0] * (image.width - 1)), round(at[1] * (image.height - 1))))
    return max(abs(a - b) for a, b in zip(pixel, color, strict=True)) <= within


@pytest.mark.parametrize(
    ("rotation", "mirrored", "size", "red"),
    [
        (0, False, (160, 120), (0.2, 0.5)), (90, False, (120, 160), (0.5, 0.8)), (180, False, (160, 120), (0.8, 0.5)),
        (270, False, (120, 160), (0.5, 0.2)), (0, True, (160, 120), (0.8, 0.5)),
    ],
)  # fmt: skip
def test_frames_are_upright(
    tmp_path: Path, rotation: int, mirrored: bool, size: tuple[int, int], red: tuple[float, float]
) -> None:
    path = make_video(tmp_path / "a.mp4", [(halves(), 1)], rotation=rotation, mirrored=mirrored)
    found = taken(path, count=1)
    assert (found.width, found.height) == size == found.frames[0][1].size
    assert is_color(found.frames[0][1], red, (255, 0, 0))
    assert is_color(found.frames[0][1], (1 - red[0], 1 - red[1]), (0, 0, 255))


@pytest.mark.parametrize(("shape", "size"), [(Fraction(4, 3), (160, 90)), (Fraction(1, 2), (80, 120))])
def test_pixels_are_square(tmp_path: Path, shape: Fraction, size: tuple[int, int]) -> None:
    found = taken(make_video(tmp_path / "a.mp4", sample_aspect_ratio=shape), count=1)
    assert (found.width, found.height) == size == found.frames[0][1].size


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("color", [(200, 40, 60), (30, 180, 90), (255, 255, 255), (0, 0, 0)])
def test_colors_are_those_that_went_in(
    tmp_path: Path, color: tuple[int, int, int], matrix: int, full_range: bool
) -> None:
    path = make_video(tmp_path / "a.mp4", [(color, 0.3)], matrix=matrix, full_range=full_range)
    assert is_color(taken(path, count=1).frames[0][1], (0.5, 0.5), color, within=4)


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), 1), ((720, 1280), 1), ((640, 480), 6)])
def test_an_unknown_matrix_goes_by_the_size(tmp_path: Path, size: tuple[int, int], matrix: int) -> None:
    color = (200, 40, 60)
    path = make_video(tmp_path / "a.mp4", [(color, 0.1)], size=size, matrix=matrix, matrix_is_stated=False)
    with av.open(str(path)) as video:
        assert next(video.decode(video=0)).colorspace == 2  # unspecified
    assert is_color(taken(path, count=1).frames[0][1], (0.5, 0.5), color, within=4)


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (20, 10), (255, 0, 0, 0)) for _ in range(2)]
    frames[1].paste((0, 0, 255, 255), (10, 0, 20, 10))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=300)
    last = taken(tmp_path / "a.gif").frames[-1][1]
    assert last.getpixel((2, 5)) == (255, 255, 255)
    assert last.getpixel((17, 5)) == (0, 0, 255)


def test_what_is_very_large_is_scaled_down_but_its_size_is_told(tmp_path: Path) -> None:
    found = taken(make_video(tmp_path / "a.mp4", [("red", 0.2)], size=(2400, 1600)))
    assert (found.width, found.height) == (2400, 1600)
    assert all(image.width * image.height <= 2_500_000 for _, image in found.frames)
    assert found.frames[0][1].width / found.frames[0][1].height == pytest.approx(1.5, abs=0.01)


# --- long ones


def packets(keys: list[bool]) -> Packets:
    group = np.maximum.accumulate(np.where(keys, np.arange(len(keys)), 0))
    return Packets(np.arange(len(keys)), group, 0, Fraction(1, 10), len(keys) / 10)


def test_of_a_long_video_key_frames_are_looked_at() -> None:
    every_tenth = packets([number % 10 == 0 for number in range(2000)])
    assert every_tenth.worth_a_look(2000, 24).all()
    assert np.flatnonzero(every_tenth.worth_a_look(1000, 24)).tolist() == list(range(0, 2000, 10))
    assert every_tenth.worth_a_look(50, 24).sum() == 50
    rare = packets([number % 500 == 0 for number in range(2000)])
    looked_at = rare.worth_a_look(1000, 24)
    assert looked_at.sum() == 1000
    assert looked_at[[0, 249, 500, 749]].all()
    assert not looked_at[[250, 499, 750]].any()


def test_a_frame_needs_what_leads_to_it() -> None:
    video = packets([number % 10 == 0 for number in range(30)])
    everything = np.ones(30, dtype=bool)
    assert np.flatnonzero(video.leading_to({13}, everything)).tolist() == [10, 11, 12, 13, 14]
    video.times[[10, 11]] = [12, 9]  # shown before the key frame that it follows
    assert np.flatnonzero(video.leading_to({9}, everything))[0] == 0


@pytest.mark.parametrize("keys_every", ["10", "5000"])
def test_a_long_video_is_sampled(tmp_path: Path, keys_every: str) -> None:
    path = make_video(
        tmp_path / "a.mp4", [("red", 40), ("blue", 40), ("lime", 40)], size=(32, 32), options={"g": keys_every}
    )
    found = taken(path)
    assert found.seconds == pytest.approx(120)
    assert len(found.frames) == 6
    assert set(names(found)) == {"red", "blue", "lime"}


# --- what must not happen


def test_importing_it_does_not_load_ffmpeg() -> None:
    code = "import sys, yoin.videos; print('av' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    for name in ("none.mp4", "none.webm"):
        with pytest.raises(FileNotFoundError):
            taken(tmp_path / name)


@pytest.mark.parametrize("container", MIMES)
def test_too_many_pixels_are_refused(tmp_path: Path, container: str) -> None:
    path = make_video(tmp_path / f"a.{container}")
    assert refused(path, max_pixels=160 * 120 - 1) == "bomb"
    assert taken(path, max_pixels=160 * 120).width == 160


def test_a_header_that_promises_a_huge_picture(tmp_path: Path) -> None:
    data = bytearray(make_video(tmp_path / "a.gif").read_bytes())
    data[6:10] = struct.pack("<HH", 60_000, 60_000)
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(ImageError, match="60,000 × 60,000 pixels; the limit is 10,000,000") as caught:
        taken(tmp_path / "a.gif")
    assert caught.value.reason == "bomb"


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def edited(data: bytes, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """The MP4 with the content of one box changed; media data come first, so that nothing moves."""
    first, _, rest = path.partition("/")
    out = b""
    for kind, content in boxes(data):
        if kind == first.encode():
            content = edited(content, rest, change) if rest else change(content)
        out += box(kind, content)
    return out


STBL = "moov/trak/mdia/minf/stbl"


@pytest.mark.parametrize(
    ("where", "content"),
    [
        (f"{STBL}/stsz", struct.pack(">III", 0, 1, 2**28)),
        (f"{STBL}/stsz", struct.pack(">III", 0, 0, 2**30)),
        ("moov/udta", box(b"sbgp", struct.pack(">I4sIII", 0, b"rap ", 1, 2**30, 1))),
        ("moov/udta", box(b"traf", box(b"trun", struct.pack(">II", 0, 2**29)))),
        ("moov", box(b"cmov", b"zlib")),
    ],
)
def test_a_forged_index_is_refused_before_it_takes_memory(tmp_path: Path, where: str, content: bytes) -> None:
    data = make_video(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(edited(data, where, lambda _: content))
    with pytest.raises(ImageError, match="index") as caught:
        taken(tmp_path / "a.mp4")
    assert caught.value.reason == "truncated"


def test_uncompressed_sound_of_many_samples_is_no_forgery(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as output:
        video, sound = output.add_stream("libx264", rate=10), output.add_stream("pcm_s16le", rate=192_000)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        for number in range(60):
            output.mux(video.encode(av.VideoFrame.from_image(Image.new("RGB", (32, 32), "red"))))
            silence = av.AudioFrame(format="s16", layout="mono", samples=19_200)
            silence.planes[0].update(bytes(silence.planes[0].buffer_size))
            silence.sample_rate, silence.pts = 192_000, number * 19_200
            output.mux(sound.encode(silence))
        output.mux(video.encode(None))
        output.mux(sound.encode(None))
    assert taken(path).seconds == pytest.approx(6.0)  # 1,152,000 samples of sound


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("moov/mvhd", lambda old: old[:12] + struct.pack(">II", 1, 2**32 - 1) + old[20:]),
        ("moov/trak/mdia/mdhd", lambda old: old[:12] + struct.pack(">II", 1, 2**32 - 1) + old[20:]),
        ("moov/trak/mdia/mdhd", lambda old: old[:12] + struct.pack(">II", 2**31 - 1, 2**32 - 1) + old[20:]),
        (f"{STBL}/stts", lambda _: struct.pack(">IIII", 0, 1, 20, 2**30)),
        (f"{STBL}/stts", lambda _: struct.pack(">IIII", 0, 1, 20, 0)),
    ],
)
def test_absurd_lengths_and_rates_do_no_harm(tmp_path: Path, where: str, change: Callable[[bytes], bytes]) -> None:
    data = make_video(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(edited(data, where, change))
    with suppress(ImageError):
        found = taken(tmp_path / "a.mp4")
        assert 1 <= len(found.frames) <= 6
        assert 0 < found.seconds < float("inf")


@contextmanager
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who has come to it."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, address = server.accept()
                    callers.append(address)
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], callers
        with socket.create_connection(server.getsockname()):
            pass  # whoever came before has been seen by now
        while not callers:
            pass
        callers.pop()
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def watched(path: Path) -> Iterator[list[bytes]]:
    """What the kernel tells of openings of ``path``."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(watch, os.fsencode(path), 0x20)
    seen: list[bytes] = []
    try:
        yield seen
        with suppress(BlockingIOError):
            seen.append(os.read(watch, 4096))
    finally:
        os.close(watch)


def playlists(port: int, canary: Path) -> dict[str, str]:
    url, file = f"http://127.0.0.1:{port}/a.ts", canary.as_posix()
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXTINF:5,\nfile://{file}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{file}'\nfile '{url}'\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        f'<Representation id="0" mimeType="video/mp4"><BaseURL>{url}</BaseURL></Representation></AdaptationSet>'
        "</Period></MPD>",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
        "subtitles": f"<smil><video src='{url}'/></smil>",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
@pytest.mark.parametrize("kind", ["hls", "concat", "dash", "sdp", "subtitles"])
@pytest.mark.parametrize("container", MIMES)
def test_a_playlist_opens_nothing(tmp_path: Path, kind: str, container: str) -> None:
    canary = make_video(tmp_path / "canary.mp4")
    with listener() as (port, callers), watched(canary) as opened:
        path = tmp_path / f"a.{container}"
        path.write_text(playlists(port, canary)[kind])
        assert video_mime(path.read_bytes()[:64]) == ""
        assert refused(path) in {"truncated", "not_an_image"}
    assert callers == opened == []


def elsewhere(path: str) -> bytes:
    """A data reference (QuickTime's alias record) that says that the media data lie in the file ``path``."""
    name = path.encode() + b"\0" * (len(path) % 2)
    alias = (
        bytes(14) + b"\x03vol" + bytes(24 + 12) + b"\x05other" + bytes(58 + 16) + struct.pack(">hh", 1, 1) + bytes(16)
    )
    for kind in (2, 18):
        alias += struct.pack(">hH", kind, len(name)) + name
    return struct.pack(">II", 0, 1) + box(b"alis", alias + struct.pack(">hH", -1, 0))


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_data_of_other_files_are_not_followed(tmp_path: Path) -> None:
    canary = make_video(tmp_path / "canary.mov", [("lime", 2)])
    own = make_video(tmp_path / "own.mov", [("red", 2)]).read_bytes()
    path = tmp_path / "a.mov"
    path.write_bytes(edited(own, "moov/trak/mdia/minf/dinf/dref", lambda _: elsewhere(str(canary))))
    with watched(canary) as opened:
        assert refused(path) == "truncated"
    assert opened == []
    with watched(canary) as opened:  # the file does what it is feared for where FFmpeg is left to itself
        with av.open(str(path), format="mov", options={"enable_drefs": "1", "use_absolute_path": "1"}) as careless:
            frame = next(careless.decode(video=0)).to_image()
        assert is_color(frame, (0.5, 0.5), (0, 255, 0))
    assert opened != []


def test_what_holds_no_video_is_said_so(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=44100)
        silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        silence.planes[0].update(bytes(silence.planes[0].buffer_size))
        silence.sample_rate = 44100
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    assert refused(tmp_path / "sound.mp4") == "not_an_image"
    other = make_video(tmp_path / "a.mkv", codec="ffv1")
    with pytest.raises(ImageError, match="codec ffv1 is not read") as caught:
        taken(other)
    assert caught.value.reason == "not_an_image"
    with pytest.raises(ImageError, match="not an MP4") as caught:
        sample(other, mime="video/x-msvideo", count=1, seed=0, max_pixels=LIMIT)
    assert caught.value.reason == "not_an_image"


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "JPEG")
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(picture.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1)
        output.mux(packet)
    assert refused(tmp_path / "a.mp4") == "not_an_image"


@pytest.mark.parametrize("container", MIMES)
def test_half_a_file_says_nothing_on_stderr(tmp_path: Path, container: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = make_video(tmp_path / f"a.{container}", [(photograph(), 1), ("red", 1)])
    capfd.readouterr()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    for kept in (0, 10, 100, len(data) // 2, len(data)):
        path.write_bytes(data[:kept])
        with suppress(ImageError):
            taken(path)
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, scenes = tmp_path_factory.mktemp("good"), [(photograph(), 0.6), (photograph("flower.jpg"), 0.6)]
    codecs = [("mp4", "libx264"), ("mov", "mjpeg"), ("webm", "libvpx-vp9"), ("mkv", "mpeg4"), ("gif", "gif")]
    return {
        name: make_video(folder / f"a.{name}", scenes, size=(64, 48), codec=codec).read_bytes()
        for name, codec in codecs
    }


@given(
    container=st.sampled_from(sorted(MIMES)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    kept=st.floats(0.3, 1) | st.just(1.0),
    in_header=st.booleans(),
)
def test_damage_is_a_reason_and_never_another_error(
    good: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    container: str,
    changes: list[tuple[float, int]],
    kept: float,
    in_header: bool,
) -> None:
    data = bytearray(good[container])
    start = data.find(b"moov") if in_header else 0  # -1: the header comes first
    for place, value in changes:
        data[start + int(place * (len(data) - start)) if start >= 0 else int(place * 300)] = value
    path = tmp_path_factory.mktemp("damaged") / f"a.{container}"
    path.write_bytes(data[: int(kept * len(data))])
    with suppress(ImageError):
        found = taken(path)
        assert 1 <= len(found.frames) <= 6
        assert found.seconds > 0
        assert 0 <= found.poster < len(found.frames)
        assert found.width * found.height <= LIMIT
