"""The describer as a captioner, with its real models in its real processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.workers.test_processes import wait_until_gone
from yoin import registry
from yoin.captions import Captioner, caption
from yoin.captions.describe import Describer
from yoin.captions.describe.sentences import VOCABULARY
from yoin.errors import UsageError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions, Spec
from yoin.values import Media, Medium

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def media_in(*files: Path) -> Media:
    items = {}
    for file in files:
        with Image.open(file) as image:
            width, height = image.size
        media_id = hashlib.sha256(file.read_bytes()).hexdigest()
        items[media_id] = Medium(
            media_id=media_id, path=file, mime="image/png", width=width, height=height, bytes=file.stat().st_size
        )
    rows = pd.DataFrame({"media_id": list(items), "reason": "", "detail": ""}, dtype="string").rename_axis("row_id")
    return Media(rows=rows, items=items)


def drawn(folder: Path, *colors: str) -> list[Path]:
    files = [folder / f"{color}.png" for color in colors]
    for file, color in zip(files, colors, strict=True):
        Image.new("RGB", (182, 268), color).save(file)
    return files


def pictured_otherwise(folder: Path) -> Media:
    """A video with its frames, an image with a smaller copy, and a video without frames."""
    (folder / "otherwise").mkdir()
    frames = drawn(folder / "otherwise", "red", "maroon", "navy")
    video = Medium(
        media_id="v", path=folder / "none.mp4", mime="video/mp4", width=182, height=268, bytes=1, seconds=9.0,
        frames=tuple(frames), poster=frames[0],
    )  # fmt: skip
    scaled = Medium(
        media_id="s", path=folder / "none.png", mime="image/png", width=1820, height=2680, bytes=1, copy=frames[2]
    )
    empty = replace(video, media_id="e", frames=())
    rows = pd.DataFrame({"media_id": ["v", "s", "e"], "reason": "", "detail": ""}, dtype="string")
    return Media(rows=rows.rename_axis("row_id"), items={"v": video, "s": scaled, "e": empty})


def test_images_and_videos_are_described_and_a_lost_file_is_a_record(ledger: Ledger, tmp_path: Path) -> None:
    files = drawn(tmp_path, "red", "navy", "green")
    media, moving = media_in(*files), pictured_otherwise(tmp_path)
    files[1].unlink()
    rows = pd.concat([media.rows, moving.rows], ignore_index=True).rename_axis("row_id")
    both = Media(rows=rows, items={**media.items, **moving.items})
    made = caption(both, ledger=ledger, options=CaptionOptions(workers=1))
    frame = made.frame
    assert frame["status"].tolist() == ["ok", "failed", "ok", "ok", "ok", "failed"]
    assert "warm palette" in frame["caption"][0]
    assert frame["reason"][1].startswith("FileNotFoundError")
    assert set(frame["model_version"]) == {VOCABULARY}
    assert made.captioner == "describe"
    again = caption(media_in(files[0], files[2]), ledger=ledger, options=CaptionOptions(workers=1))
    assert again.calls == 0
    # A video by its frames, and an image by its copy.
    assert frame["caption"][3].startswith("It is a short video of 9 seconds with several scenes.")
    assert "warm palette" in frame["caption"][3]
    assert "cool palette" in frame["caption"][4]
    assert "video" not in frame["caption"][4]
    assert frame["reason"][5] == "the video has no frames"


def test_it_is_registered_and_takes_no_model() -> None:
    assert registry.load("captioners", "describe") is Describer
    captioner: Captioner = Describer(Spec.parse("describe"), CaptionOptions(workers=3))
    assert captioner.concurrency == 3
    for spec in ("describe:large", "describe@http://127.0.0.1:8000/v1"):
        with pytest.raises(UsageError, match="no model and no address"):
            Describer(Spec.parse(spec), CaptionOptions())


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys; import yoin.captions.describe.describer; "
        "print(sorted({'torch', 'cv2', 'rapidocr', 'onnxruntime', 'efficientnet_lite_pytorch'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def children_of(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_run_leaves_no_process_and_resumes(tmp_path: Path, ledger: Ledger, end: signal.Signals) -> None:
    colors = [f"#{red:02x}{green:02x}40" for red in range(0, 256, 32) for green in range(0, 256, 32)]
    files = drawn(tmp_path, *colors)
    script = tmp_path / "script.py"  # as people write them: without `if __name__ == "__main__"`
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from tests.captions.describe.test_describer import CaptionOptions, Ledger, caption, media_in\n"
        f"media = media_in(*sorted(Path({str(tmp_path)!r}).glob('*.png')))\n"
        f"with Ledger(Path({str(tmp_path / 'ledger.db')!r})) as ledger:\n"
        "    caption(media, ledger=ledger, options=CaptionOptions(workers=2),\n"
        "            progress=lambda done, total, note: print(done, flush=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stdout is not None
        while int(run.stdout.readline()) < 4:
            time.sleep(0)
        workers = children_of(run.pid)
        assert len(workers) == 2
        if end == signal.SIGINT:
            os.killpg(run.pid, end)  # as a terminal does: the workers get it too
        else:
            run.kill()
        said = run.communicate()[1]
    for pid in workers:
        wait_until_gone(pid)
    assert said == "" if end == signal.SIGKILL else said.rstrip().endswith("KeyboardInterrupt")
    assert "serve" not in said  # no word from the workers
    made = caption(media_in(*sorted(files)), ledger=ledger, options=CaptionOptions(workers=2))
    assert made.frame["status"].eq("ok").all()
    assert made.calls <= len(files) - 4


@pytest.mark.slow
def test_each_common_phrase_splits_real_posters(ledger: Ledger, data: Path) -> None:
    files = sorted((data / "posters" / "images").glob("*.jpg"))[::40]
    if not files:
        pytest.skip("the posters are not there")
    made = caption(media_in(*files), ledger=ledger, options=CaptionOptions(workers=2))
    assert made.frame["status"].eq("ok").all()
    common = [
        "dark image", "bright image", "low contrast", "high contrast", "warm palette", "cool palette", "muted colors",
        "saturated colors", "dark background", "light background", "no faces", "little text", "some text", "much text",
        "a symmetrical layout", "few empty areas", "large empty areas", "smooth surfaces", "moderate detail",
        "busy detail",
    ]  # fmt: skip
    held = Counter(phrase for phrase in common for text in made.frame["caption"] if phrase in text)
    assert {phrase for phrase, rows in held.items() if not 0.1 <= rows / len(files) <= 0.8} == set()
    assert len(held) == len(common)
