"""The report in a real browser: what only layout, scripts and the content-security-policy themselves can tell."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

from tests.report.example import make_example
from tests.report.test_html import HOSTILE

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    long_word = "unbroken" * 40
    examples = {
        "signal": make_example(folder, rows=130, explained=20),
        "none": make_example(folder, rows=60, explained=5, verdict="none"),
        "captions": make_example(folder, rows=60, explained=5, images=False, features=False),
        "bare": make_example(folder, rows=40, explained=0, images=False, drivers=False, verdict="weak"),
        "videos": make_example(folder, rows=60, explained=12, videos=True, lost=True),
        "hostile": make_example(folder, rows=60, explained=8, hostile=HOSTILE + long_word),
    }
    for name, example in examples.items():
        (folder / f"{name}.html").write_text(example.html(), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in examples}


@pytest.fixture
def visit(browser: Any, reports: dict[str, Path]) -> Iterator[Callable[..., Any]]:
    """Open a report; at the end there must have been no error, no message, no dialog and no request."""
    seen: list[str] = []
    contexts = []

    def open_page(name: str, *, width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        own = reports[name].as_uri()
        page.on("console", lambda message: seen.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                request.url.startswith("data:")
                or request.url.partition("#")[0] == own
                or seen.append(f"request: {request.url}")
            ),
        )
        page.goto(own)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


def concepts(page: Any) -> list[str]:
    found: list[str] = page.locator("button.concept").all_inner_texts()
    return found


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_sorting_by_click(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    lift = page.get_by_role("button", name="Lift")
    head = page.locator("th", has=lift)
    lift.click()
    assert head.get_attribute("aria-sort") == "descending"
    values = page.locator("tr[data-driver] td:nth-child(3)").evaluate_all("cells => cells.map(c => +c.dataset.value)")
    assert values == sorted(values, reverse=True)
    lift.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.locator("th[aria-sort]").count() == 1
    again = page.locator("tr[data-driver] td:nth-child(3)").evaluate_all("cells => cells.map(c => +c.dataset.value)")
    assert again == sorted(values)


def test_sorting_by_keyboard_keeps_an_open_driver_with_its_row(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    page.locator("button.concept").first.click()
    opened = concepts(page)[0]
    page.get_by_role("button", name="Concept").focus()
    page.keyboard.press("Enter")
    names = concepts(page)
    assert names == sorted(names, key=str.casefold)
    row = page.locator("tr[data-driver]", has=page.get_by_role("button", name=opened, exact=True))
    assert "inside" in row.evaluate("row => row.nextElementSibling.className")


def test_a_driver_opens_its_images_and_captions_and_closes(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    button = page.get_by_role("button", name="warm palette", exact=True)
    button.focus()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-expanded") == "true"
    inside = page.locator(f"#{button.get_attribute('aria-controls')}")
    assert inside.locator(".shots img").count() == 12
    assert inside.locator("mark").count() == 6
    assert set(inside.locator("mark").all_inner_texts()) == {"The palette is warm, mostly orange and red"}
    page.keyboard.press("Space")
    assert button.get_attribute("aria-expanded") == "false"
    assert not inside.is_visible()


def test_marks_stay_right_behind_an_emoji(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    page.get_by_role("button", name="large face", exact=True).click()
    assert set(page.locator("tr.inside mark").all_inner_texts()) == {"A large face fills the centre 🙂 of the picture"}


def test_an_image_opens_with_its_explanation_and_leads_to_its_drivers(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    page.locator("#only").check()
    shot = page.locator("#gallery .shot").first
    shot.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible()
    assert dialog.locator(".picture img").evaluate("image => image.naturalWidth") > 50
    assert dialog.locator(".caption .u, .caption .d").count() > 0
    assert dialog.locator(".legend").is_visible()
    rows = dialog.locator(".falls tr").all_inner_texts()
    assert [row.split("\t")[0] for row in (rows[0], rows[-2], rows[-1])] == ["Base value", "Prediction", "Actual"]
    dialog.locator("summary", has_text="Phrases together").click()
    players = dialog.locator(".pairs thead th").all_inner_texts()
    assert players[-1] == "all the rest"
    assert dialog.locator(".pairs tbody th").all_inner_texts() == players
    assert dialog.locator(".pairs td.alone").count() == len(players)
    assert dialog.locator(".pairs tbody td:not(:empty)").count() == len(players) * (len(players) + 1) // 2
    chip = dialog.locator(".chips button").first
    concept = chip.inner_text()
    chip.click()
    assert not dialog.is_visible()
    button = page.get_by_role("button", name=concept, exact=True)
    assert button.get_attribute("aria-expanded") == "true"
    assert page.evaluate("document.activeElement.textContent") == concept


def test_the_pieces_of_a_caption_are_the_caption(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    page.locator("#only").check()
    for _ in range(6):
        page.locator("#gallery .shot").first.click()
        for _ in range(5):
            name = page.locator("#detail-title").text_content()
            row = page.evaluate("name => { const d = JSON.parse(document.getElementById('data').textContent);"
                                "return d.caption[d.label.indexOf(name)] }", name)  # fmt: skip
            assert page.locator("dialog .caption").text_content() == row
            page.get_by_role("button", name="Next").click()
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog").is_visible()


def test_escape_gives_the_focus_back(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    page.locator("#gallery .shot").nth(2).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("[...document.querySelectorAll('#gallery .shot')].indexOf(document.activeElement)") == 2


def test_the_gallery_pages_filters_and_sorts(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    assert page.locator("#gallery .shot").count() == 60
    page.get_by_role("button", name="Show more").click()
    page.get_by_role("button", name="Show more").click()
    assert page.locator("#gallery .shot").count() == 130
    assert not page.get_by_role("button", name="Show more").is_visible()
    page.locator("#order").select_option("high")
    shown = [float(text) for text in page.locator("#gallery .shot b").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    page.locator("#filter").fill("dark symmetric")
    captions = page.evaluate("JSON.parse(document.getElementById('data').textContent).caption")
    expected = sum("dark" in caption and "symmetric" in caption for caption in captions)
    page.get_by_text(f"{expected} of {expected} shown").wait_for()
    assert page.locator("#gallery .shot").count() == expected
    page.locator("#filter").fill("no such caption")
    page.get_by_text("Nothing matches.").wait_for()


@pytest.mark.parametrize("name", ["signal", "none", "captions", "bare", "videos", "hostile"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_is_never_wider_than_the_screen(visit: Callable[..., Any], name: str, width: int) -> None:
    page = visit(name, width=width)
    assert overflow(page) <= 0
    for summary in page.locator("summary").all():
        summary.click()
    if page.locator("button.concept").count():
        page.locator("button.concept").first.click()
    assert overflow(page) <= 0
    page.locator("#gallery .shot").first.click()
    assert overflow(page) <= 0
    dialog = page.get_by_role("dialog")
    assert dialog.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


FIRST, SECOND = ("Lift", "Adjusted", "q", "With it"), ("Importance", "Agreement", "A/B test")  # all but "Unique"


@pytest.mark.parametrize("name", ["signal", "none", "hostile"])
@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1200])
def test_the_drivers_are_read_without_scrolling_sideways(visit: Callable[..., Any], name: str, width: int) -> None:
    page = visit(name, width=width)
    box = page.get_by_role("region", name="Drivers", exact=True)
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    row = page.locator("tr[data-driver]").first
    parts = [row.locator(f"td[data-head='{head}']") for head in FIRST]
    for part in (row.locator("button.concept"), row.locator(".chart-of svg"), *parts):
        assert part.is_visible()
        found = part.bounding_box()
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= width
    assert page.locator("td.why:not(:empty)").first.is_visible()
    # What has no room stands in the opened row, for the keyboard too.
    assert not row.locator(".second").first.is_visible()
    row.locator("button.concept").focus()
    page.keyboard.press("Enter")
    further = page.locator("tr.inside dl.further")
    assert further.locator("dt").all_inner_texts() == list(SECOND)
    for one in further.locator("dt, dd").all():
        assert one.is_visible()
    said = further.locator("dd").evaluate_all("parts => parts.map(part => part.textContent)")
    assert said == row.locator(".second").evaluate_all("parts => parts.map(part => part.textContent)")
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    assert overflow(page) <= 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_drivers_stay_a_table_that_sorts(visit: Callable[..., Any], width: int) -> None:
    page = visit("signal", width=width)
    table = page.get_by_role("table", name="Drivers, by q")
    head = table.get_by_role("columnheader", name="Lift")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert table.get_by_role("row").count() == 1 + page.locator("tr[data-driver]").count()
    first = table.get_by_role("row").nth(1)
    assert first.get_by_role("rowheader").inner_text().startswith(concepts(page)[0])
    values = page.locator("td[data-head='Lift']").evaluate_all("cells => cells.map(cell => +cell.dataset.value)")
    assert values == sorted(values, reverse=True)


def test_a_wide_screen_and_paper_have_every_column(visit: Callable[..., Any]) -> None:
    page = visit("signal", width=1280)
    page.locator("button.concept").first.click()
    assert not page.locator("dl.further").is_visible()
    for width in (1280, 718):
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(media="print" if width == 718 else "screen")
        for head in (*FIRST, *SECOND):
            assert page.locator(f"td[data-head='{head}']").first.is_visible(), (width, head)
        assert not page.locator("dl.further").is_visible()
        assert page.locator("tr[data-driver]").first.evaluate("row => getComputedStyle(row).display") == "table-row"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_lost_images_are_seen_with_what_they_say(visit: Callable[..., Any], width: int, scheme: str) -> None:
    page = visit("videos", width=width, color_scheme=scheme)
    warning = page.locator("section.warning[aria-labelledby='missing-title']")
    assert warning.get_by_text("There is no such image.").is_visible()
    warning.get_by_role("link").click()
    page.locator("#left-out").wait_for()
    assert page.get_by_role("list", name="The way of the rows").locator("li").count() == 4
    table = page.locator("table.lost")
    assert table.locator("tbody tr").count() == 5
    box = table.bounding_box()
    for cell in table.locator("th, td").all():
        assert cell.is_visible()
        found = cell.bounding_box()
        # all of it on the screen, without scrolling sideways, on a phone too
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= width
    assert box["height"] < 700
    row = table.locator("tbody tr").first
    assert row.inner_text().split() == "There is no such image. Clearly lower. 34 5.38 −0.82 −1.23 to −0.41".split()


def seen(page: Any, mark: Any, inside: Any) -> None:
    """``mark`` is drawn inside ``inside``, on top of it, in ink that stands out."""
    assert mark.is_visible()
    own, outer = mark.bounding_box(), inside.bounding_box()
    assert own["width"] > 20
    assert outer["x"] <= own["x"]
    assert own["x"] + own["width"] <= outer["x"] + outer["width"]
    assert outer["y"] <= own["y"]
    assert own["y"] + own["height"] <= outer["y"] + outer["height"]
    assert mark.evaluate(
        "mark => { const box = mark.getBoundingClientRect();"
        " return mark.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); }"
    )
    rgb = mark.evaluate("mark => [getComputedStyle(mark).color, getComputedStyle(mark).backgroundColor]")
    ink, back = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in rgb)
    assert abs(ink - back) > 500


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_video_is_seen_to_be_one_and_how_long_it_is(visit: Callable[..., Any], width: int, scheme: str) -> None:
    page = visit("videos", width=width, color_scheme=scheme)
    shots = page.locator("#gallery .shot")
    shots.first.scroll_into_view_if_needed()
    first = shots.first.locator(".length")
    seen(page, first, shots.first.locator(".frame"))
    assert " ".join(first.inner_text().split()) == "▶ Video, 4.2 s"
    assert shots.nth(1).locator(".length").count() == 0
    # Its name says it too, to those who do not see it.
    assert page.get_by_role("button", name="Video, 4.2 s").count() == 1
    shots.first.click()
    dialog = page.get_by_role("dialog")
    seen(page, dialog.locator(".picture .length"), dialog.locator(".picture"))
    frames = dialog.locator(".strip img")
    assert frames.count() == 6
    for frame in frames.all():
        assert frame.is_visible()
        assert frame.evaluate("image => image.naturalWidth") > 50
    assert dialog.get_by_role("img", name="Frame 1", exact=True).count() == 1
    assert dialog.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    page.get_by_role("button", name="Next").click()
    assert dialog.locator(".length, .strip").count() == 0
    page.keyboard.press("Escape")
    mark = page.locator(".preview .length").first
    mark.scroll_into_view_if_needed()
    assert mark.is_visible()


def test_hostile_text_is_inert(visit: Callable[..., Any]) -> None:
    page = visit("hostile")
    for button in page.locator("button.concept").all():
        button.click()
    for number in range(3):
        page.locator("#gallery .shot").nth(number).click()
        page.keyboard.press("Escape")
    assert page.locator("script").count() == 2
    assert page.locator("img[src='x'], [onerror], [onmouseover], [style], iframe").count() == 0
    assert page.locator("tr.inside mark").count() > 0


def test_the_policy_stops_a_foreign_script(browser: Any, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["signal"].as_uri())
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s)"
    )
    assert page.evaluate("window.broken") is None
    assert page.evaluate("fetch('data:text/plain,x').then(() => 'sent', () => 'refused')") == "refused"
    assert any("Content Security Policy" in text or "content security policy" in text.lower() for text in refused)
    page.close()


def test_everything_is_reached_by_tab(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    reached = []
    for _ in range(70):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.className + '|' + document.activeElement.textContent.slice(0, 30)")
        )
        # what has the focus shows it
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    names = " ".join(reached)
    assert reached[0].startswith("skip|")
    for part in ("Verdict", "How to read", "Lift", "concept|warm palette", "shot|"):
        assert part in names


def test_dark_mode_is_dark_and_print_is_white(visit: Callable[..., Any]) -> None:
    page = visit("signal", color_scheme="dark")
    brightness = "(() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number))()"
    assert max(page.evaluate(brightness)) < 60
    page.emulate_media(media="print", color_scheme="dark")
    assert min(page.evaluate(brightness)) == 255
    assert not page.locator("#gallery .tools").is_visible()
    assert page.locator("#verdict").is_visible()
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    assert overflow(page) <= 0


def test_without_scripts_the_words_and_numbers_are_there(visit: Callable[..., Any]) -> None:
    page = visit("signal", java_script_enabled=False)
    words = ("#verdict", "#missing-title", ".cards", "#left-out table", "#more", "#how pre")
    for part in (*words, "#models table", "#models svg", "table.drivers", ".preview img"):
        assert page.locator(part).first.is_visible(), part
    page.set_viewport_size({"width": 390, "height": 900})
    for head in (*FIRST, *SECOND):  # no row opens, so that none of them may hide
        assert page.locator(f"td[data-head='{head}']").first.is_visible(), head
    assert page.get_by_text("need JavaScript").is_visible()
    assert page.locator("button").count() == 0


def test_text_from_right_to_left_keeps_its_direction(visit: Callable[..., Any]) -> None:
    page = visit("signal")
    cell = page.locator(".preview td", has_text="שלום")
    assert cell.evaluate("cell => getComputedStyle(cell).direction") == "rtl"


def test_in_the_frame_of_a_notebook_links_and_images_work(browser: Any, reports: dict[str, Path]) -> None:
    report = escape(reports["signal"].read_text("utf-8"), quote=True)
    notebook = f'<!doctype html><iframe sandbox="allow-scripts" srcdoc="{report}"></iframe>'
    page = browser.new_page()
    asked: list[str] = []
    page.route(
        "http://notebook.invalid/**",
        lambda route: (
            asked.append(route.request.url),
            route.fulfill(body=notebook, content_type="text/html; charset=utf-8"),
        ),
    )
    page.goto("http://notebook.invalid/")
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="Drivers", exact=True).click()
    page.wait_for_timeout(300)  # a navigation, were there one, has begun by then
    frame.locator("#gallery .shot").first.click()
    assert frame.get_by_role("dialog").is_visible()
    assert asked == ["http://notebook.invalid/"]
    page.close()
