from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.report.example import PAIRED, Example, make_example
from tests.report.page import Page
from yoin.options import ReportOptions
from yoin.report.summary import Preview, RowsSummary

# Everything that a cell, a caption, a file or a column could be called to break out of its place.
HOSTILE = (
    "</script></style></title><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\" onmouseover=\"alert(3)\" style='color:red' {{7*7}} {% raw %} <!-- --> ]]> &lt;b&gt; "
    "=HYPERLINK(\"http://evil\") \u2028\u2029\u202e\x00\x1b 猫 שלום 🙂"
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def example(folder: Path) -> Example:
    return make_example(folder, rows=80, explained=12)


@pytest.fixture(scope="module")
def page(example: Example) -> Page:
    return Page(example.html())


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Page:
    return Page(make_example(folder, rows=60, explained=12, hostile=HOSTILE).html())


def test_a_cost_under_a_cent_is_not_nothing(example: Example) -> None:
    captions = example.summary.captions.model_copy(update={"cost_usd": 0.0042})
    assert "about $0.0042" in Page(example.with_summary(captions=captions).html()).text


def skeleton(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(sorted(attributes))) for tag, attributes in page.elements]


def test_hostile_text_adds_no_element_and_no_attribute(folder: Path, hostile: Page) -> None:
    tame = Page(make_example(folder, rows=60, explained=12, hostile=" x").html())
    assert skeleton(hostile) == skeleton(tame)


def test_hostile_text_appears_as_text(hostile: Page) -> None:
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>" in hostile.text
    assert "{{7*7}}" in hostile.text
    assert "=HYPERLINK" in hostile.data["caption"][0]


def test_nothing_in_the_page_could_run_but_our_script(hostile: Page) -> None:
    names = Counter(tag for tag, _ in hostile.elements)
    assert names["script"] == 2
    assert names["style"] == 1
    assert not names.keys() & {"iframe", "object", "embed", "base", "form", "foreignobject"}
    for _, attributes in hostile.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_the_data_island_cannot_be_left(hostile: Page) -> None:
    attributes, _, text = next(each for each in hostile.raw if each[0].get("id") == "data")
    assert attributes["type"] == "application/json"
    assert not set("<>&\u2028\u2029\x00") & set(text)


def test_the_policy_allows_exactly_the_inline_style_and_script(page: Page) -> None:
    def sha256(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    style = next(text for _, tag, text in page.raw if tag == "style")
    script = next(text for attributes, tag, text in page.raw if tag == "script" and "type" not in attributes)
    assert page.policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        f"style-src 'sha256-{sha256(style)}'",
        f"script-src 'sha256-{sha256(script)}'",
    ]


def test_nothing_leads_outside_the_file(page: Page) -> None:
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    style = next(text for _, tag, text in page.raw if tag == "style")
    assert "url(" not in style
    assert "@import" not in style


def test_the_same_study_gives_the_same_bytes(example: Example, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.report.example import make_example;"
        "sys.stdout.buffer.write(make_example(Path(sys.argv[1]), rows=80, explained=12).html().encode())"
    )
    # Another process with another hash seed: no set or dict order may show.
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert done.stdout == example.html().encode()


def test_one_heading_leads_and_every_reference_has_its_element(page: Page) -> None:
    names = Counter(tag for tag, _ in page.elements)
    assert (names["h1"], names["main"], names["nav"]) == (1, 1, 1)
    assert page.elements_named("html") == [{"lang": "en"}]
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids
        # the dialog's title is made by the script when it opens
        assert attributes.get("aria-labelledby", "detail-title") in [*ids, "detail-title"]
    assert all("alt" in each for each in page.elements_named("img"))
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in page.elements_named("svg"))


def test_sections_stand_in_order(page: Page) -> None:
    sections = [str(each["id"]) for each in page.elements_named("section") if "id" in each]
    assert sections == ["verdict", "models", "drivers", "labels", "images", "bias", "left-out", "table", "more", "how"]


def test_without_a_signal_the_drivers_are_grey_and_say_why(folder: Path) -> None:
    for verdict, words, warning in (
        ("none", "No signal: do not read the drivers", "Do not read these drivers."),
        ("weak", "Weak signal", "Read these drivers with doubt."),
    ):
        example = make_example(folder, rows=40, explained=0, verdict=verdict)
        found = Page(example.html())
        section = next(each for each in found.elements_named("section") if each.get("id") == "drivers")
        assert section["class"] == "greyed"
        assert words in found.text
        assert warning in found.text
        assert found.text.count(example.summary.signal.reason) == 2


def test_with_a_signal_the_drivers_are_not_grey(page: Page) -> None:
    section = next(each for each in page.elements_named("section") if each.get("id") == "drivers")
    assert "class" not in section


def test_a_real_difference_of_the_missing_rows_is_warned_of_at_the_top(example: Example) -> None:
    missing = example.summary.missing
    assert missing is not None
    html = example.html()
    assert html.index(missing.sentence) < html.index('id="models"')
    slight = example.with_summary(missing=missing.model_copy(update={"p": 0.4})).html()
    assert slight.index(missing.sentence) > slight.index('id="left-out"')
    assert "missing-title" not in slight


def test_lost_images_are_listed_with_their_metric_and_warned_of(folder: Path) -> None:
    example = make_example(folder, rows=80, explained=4, lost=True)
    html = example.html()
    text = Page(html).text
    # Where the rows went, and a line for every reason in its sentence or its own words.
    assert "143 read 139 with a usable metric 82 with a usable image 80 with a caption" in text
    assert "There is no such image. Clearly lower. 34 5.38 −0.82 −1.23 to −0.41" in text
    assert "timeout No clear difference. 21 5.99 −0.21 −0.62 to +0.20" in text
    assert "bomb Fewer than 20 rows: not compared. 2 – –" in text
    assert "All without a usable image 57 5.70 −0.50 −0.90 to −0.10" in text
    assert "With a usable image 82 6.20" in text
    assert "2 reasons are compared at once" in text
    # At the top only what is clear, and of several comparisons of all rows left out only one.
    top = html[html.index('id="missing-title"') : html.index('class="cards"')]
    missing, media = example.summary.missing, example.summary.media
    assert missing is not None
    assert missing.sentence in top
    assert media.missing is not None
    assert media.missing.sentence not in top
    assert media.missing_by_reason["not_found"].sentence in top
    assert media.missing_by_reason["timeout"].sentence not in top


def test_without_lost_images_nothing_is_said_of_them(folder: Path) -> None:
    example = make_example(folder, rows=40, explained=0)
    whole = example.with_summary(
        rows=RowsSummary(read=40, used=40),
        media=example.summary.media.model_copy(update={"failed": {}, "images": 40, "missing_by_reason": {}}),
        captions=example.summary.captions.model_copy(update={"blocked": 0, "missing": 0}),
        missing=None,
    )
    text = whole.html().partition('<script type="application/json"')[0]
    assert "40 rows read, 40 used; none was dropped." in text
    for words in (
        "could not be used",
        "usable image",
        "compared at once",
        "left out are different",
        "The way of the rows",
    ):
        assert words not in text
    assert "The way of the rows" in example.html()


def test_where_captions_were_given_lost_images_are_only_counted(folder: Path) -> None:
    example = make_example(folder, rows=40, explained=0, lost=True)
    media = example.summary.media.model_copy(update={"missing": None, "missing_by_reason": {}})
    text = Page(example.with_summary(media=media).html()).text
    assert "Images that could not be used Rows There is no such image. 34 timeout 21 bomb 2" in text
    assert "Fewer than" not in text
    assert "with a usable image" not in text


def test_videos_are_marked_with_their_length_and_show_their_frames(folder: Path) -> None:
    example = make_example(folder, rows=40, explained=6, videos=True)
    page = Page(example.html())
    videos = page.data["videos"]
    assert sorted(map(int, videos)) == list(range(0, 40, 3))
    assert (videos["0"]["length"], videos["9"]["length"]) == ("4.2 s", "1 min 12 s")
    strips = [tuple(video["frames"]) for video in videos.values() if video["frames"]]
    assert {len(strip) for strip in strips} <= {6, 4, 1}  # the last posters have fewer neighbours to stand for frames
    assert len(page.data["thumbs"]) == 40 + sum(map(len, strips))
    assert sorted(frame for strip in strips for frame in strip) == list(range(40, len(page.data["thumbs"])))
    assert "14 distinct videos, 26 distinct images" in page.text
    assert "▶ Video, 4.2 s" in page.text  # among the table's first rows
    still = Page(make_example(folder, rows=40, explained=6).html())
    assert still.data["videos"] == {}
    assert "▶" not in still.text
    assert "40 distinct images" in still.text


def test_a_video_whose_picture_is_not_there_is_still_marked(folder: Path) -> None:
    example = make_example(folder, rows=40, explained=0, videos=True)
    gone = {media_id: path for media_id, path in example.images.items() if not example.seconds[media_id]}
    data = Page(replace(example, images=gone, frames={}).html()).data
    assert data["thumb"][3] == -1
    assert data["videos"]["3"] == {"length": "27 s", "frames": []}


def test_every_number_the_verdict_rests_on_is_there(page: Page, example: Example) -> None:
    assert f"of {example.summary.rows.read} read" in page.text
    assert "0.360" in page.text
    assert "0.280 to 0.430 (95%)" in page.text
    for reason in ("no metric", "blocked", "Captioned", "Blocked by the provider’s filter"):
        assert reason in page.text


def test_the_driver_table_is_whole_without_the_script(page: Page, example: Example) -> None:
    rows = [each for each in page.elements_named("tr") if "data-driver" in each]
    assert len(rows) == len(example.drivers)
    for concept in example.drivers["concept"]:
        assert concept in page.text
    assert page.text.count("✓ significant") == example.summary.drivers.significant
    q = example.drivers.set_index("concept")["q"]
    shown = [q[each["concept"]] for each in page.data["drivers"]]
    assert shown == sorted(q)


@pytest.mark.parametrize(
    ("features", "head"), [(True, "Adjusted"), (False, "Unique")]
)  # a column without a single number is not shown
def test_columns_without_numbers_are_left_out(folder: Path, features: bool, head: str) -> None:
    found = Page(make_example(folder, rows=40, explained=2, features=features).html())
    heads = "Concept lower ← 0 → higher Lift Adjusted q" if features else "Concept lower ← 0 → higher Lift q"
    assert heads in found.text
    assert (head in found.text) == features


def test_spans_and_marks_are_in_the_scripts_own_units(page: Page, example: Example) -> None:
    data = page.data
    emoji = 0
    for place, explained in data["explained"].items():
        caption = data["caption"][int(place)]
        units = caption.encode("utf-16-le")
        mine = example.explanations[example.explanations["row_id"] == data["id"][int(place)] - 1]
        pieces = [units[2 * start : 2 * end].decode("utf-16-le") for start, end, *_ in explained["spans"]]
        assert pieces == list(mine["text"])
        assert explained["base"] + sum(span[2] for span in explained["spans"]) == pytest.approx(
            explained["prediction"], abs=1e-4
        )
        emoji += "🙂" in caption
    assert emoji
    face = next(each for each in data["drivers"] if each["concept"] == "large face")
    for row, marks in zip(face["with"], face["marks"], strict=True):
        units = data["caption"][row].encode("utf-16-le")
        assert (
            units[2 * marks[0] : 2 * marks[1]].decode("utf-16-le") == "A large face fills the centre 🙂 of the picture"
        )


def test_phrases_together_are_in_the_scripts_own_units(page: Page, example: Example) -> None:
    data = page.data
    assert len(data["pairs"]) == PAIRED
    for place, found in data["pairs"].items():
        units = data["caption"][int(place)].encode("utf-16-le")
        pieces = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in found["spans"][:-1]]
        table = example.pairs[example.pairs["row_id"] == data["id"][int(place)] - 1]
        assert pieces == list(dict.fromkeys(text for text in table["text"] if text))
        assert found["spans"][-1] is None
        np.testing.assert_allclose([value for line in found["values"] for value in line], table["value"], rtol=1e-5)


def test_checks_of_the_explanations_are_told(page: Page, folder: Path) -> None:
    text = page.text
    assert "within 3.1e-07" in text
    assert "rank correlation with 32-bit arithmetic 0.9996" in text
    assert "moves the prediction 0.0800 further than in random order" in text
    assert "explains differently, as it should" in text
    example = make_example(folder)
    told = example.summary.explanations
    worse = told.model_copy(
        update={
            "deletion": told.deletion.model_copy(update={"gap_low": -0.01}),
            "sanity": told.sanity.model_copy(update={"passed": False}),
            "precision": told.precision.model_copy(update={"used": False}),
        }
    )
    html = example.with_summary(explanations=worse).html()
    for words in ("no clear difference", "do not believe these explanations", "was not used"):
        assert words in html


def test_pairs_that_interact_are_listed_and_what_turns_is_marked(page: Page, example: Example) -> None:
    assert "7 pairs of two concepts, or of a concept and a part of another column, were tested; 1 stand" in page.text
    for told in ("dog turns", "year from 1990 31 with both", "+0.75", "−0.50", "+1.25 +0.50 to +2.00"):
        assert told in page.text
    drivers = example.summary.drivers
    more = example.with_summary(drivers=drivers.model_copy(update={"pairs_significant": 2}))
    assert "2 stand out (q < 0.05), of which those about people are not listed." in Page(more.html()).text
    people = example.with_summary(drivers=drivers.model_copy(update={"interactions": ()}))
    assert "1 stand out (q < 0.05), all with concepts about people" in Page(people.html()).text
    none = example.with_summary(drivers=drivers.model_copy(update={"interactions": (), "pairs_significant": 0}))
    assert "none stands out beyond chance" in Page(none.html()).text
    untested = example.with_summary(drivers=drivers.model_copy(update={"interactions": (), "pairs": 0}))
    assert "beyond chance" not in Page(untested.html()).text


def test_every_row_leads_to_its_drivers_and_back(page: Page, example: Example) -> None:
    data = page.data
    assert data["id"] == [row + 1 for row in sorted(example.metric.index)]
    for driver, each in enumerate(data["drivers"]):
        assert all(driver in data["held"][row] for row in each["with"])
        assert not any(driver in data["held"][row] for row in each["without"])
        assert 0 < len(each["with"]) <= 6
        assert 0 < len(each["without"]) <= 6


def test_images_per_driver_is_kept(example: Example) -> None:
    data = Page(example.html(ReportOptions(images_per_driver=2))).data
    assert {len(each["with"]) for each in data["drivers"]} == {2}
    data = Page(example.html(ReportOptions(images_per_driver=0))).data
    assert {len(each["with"]) for each in data["drivers"]} == {0}


def test_the_title_can_be_chosen(example: Example) -> None:
    assert '<h1 dir="auto">Our &lt;posters&gt;</h1>' in example.html(ReportOptions(title="Our <posters>"))


def test_captions_alone_make_a_report(folder: Path) -> None:
    found = Page(make_example(folder, rows=40, explained=5, images=False, features=False).html())
    assert found.data["images"] is False
    assert found.data["thumbs"] == []
    assert "Rows and captions" in found.text
    assert not found.elements_named("img")


def test_without_drivers_and_explanations_there_is_still_a_report(folder: Path) -> None:
    example = make_example(folder, rows=40, explained=0, images=False, drivers=False)
    bare = example.with_summary(
        models=(),
        preview=Preview(),
        columns=(),
        notes=(),
        seconds={},
        versions={},
        options={},
        reproduce="",
        missing=None,
    )
    found = Page(bare.html())
    assert "No concept had enough images" in found.text
    assert found.data["explained"] == {}
    assert len(found.data["caption"]) == 40


def test_only_ok_captions_are_shown(folder: Path) -> None:
    made = make_example(folder, rows=40, explained=4)
    made.captions.loc[3, ["status", "caption"]] = ["truncated", "half a"]
    data = Page(made.html()).data
    assert 4 not in data["id"]
    assert len(data["id"]) == 39


def test_hand_made_tables_with_pandas_missing_values_work(folder: Path) -> None:
    made = make_example(folder, rows=40, explained=4)
    drivers = made.drivers.convert_dtypes()
    drivers.loc[0, ["q", "p"]] = pd.NA
    captions = made.captions.astype({"media_id": "string"})
    captions.loc[2, "media_id"] = pd.NA
    found = Page(Example(**{**{name: getattr(made, name) for name in made.__dataclass_fields__},
                            "drivers": drivers, "captions": captions}).html())  # fmt: skip
    assert "not tested" in found.text
    assert found.data["thumb"][2] == -1


def test_style_has_no_colour_outside_its_variables() -> None:
    """Dark mode and print change variables only: a colour elsewhere would stay behind."""
    style = next(text for _, tag, text in Page(_style_only()).raw if tag == "style")
    for rule in re.findall(r"^[^{}]*\{([^{}]*)\}", style, re.MULTILINE):
        for part in rule.split(";"):
            name = part.partition(":")[0].strip()
            assert name.startswith("--") or not re.search(r"#[0-9a-f]{3,6}\b", part), part


def _style_only() -> str:
    from yoin.report.html import _asset

    return f"<style>{_asset('style.css')}</style>"


def test_colours_have_enough_contrast() -> None:
    """WCAG AA: 4.5 to 1 for text on the backgrounds it stands on, in light and in dark."""
    style = _style_only()
    for start in (":root {", "prefers-color-scheme: dark"):
        block = style[style.index(start) :].partition("}")[0]
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
        pairs = [(text, back) for text in ("ink", "quiet") for back in ("page", "card", "soft")]
        pairs += [("link", "page"), ("link", "card"), ("link", "soft"), ("yes", "yes-soft"), ("weak", "weak-soft")]
        pairs += [("none", "none-soft"), ("ink", "yes-soft"), ("ink", "weak-soft"), ("ink", "none-soft")]
        pairs += [
            ("page", "ink"),
            ("quiet", "weak-soft"),
            ("link", "weak-soft"),
            ("mark-ink", "mark"),
            ("up", "card"),
            ("down", "card"),
        ]
        pairs += [("ink", f"{side}-{step}") for side in ("up", "down") for step in (1, 2, 3, 4)]
        for text, back in pairs:
            assert contrast(colours[text], colours[back]) >= 4.5, (start, text, back)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
