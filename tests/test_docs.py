"""The documentation names what the code has, and nothing that it has not."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.metadata import entry_points, metadata
from pathlib import Path

import pytest
import typer.main

import yoin
from yoin import errors, values
from yoin.cli import app
from yoin.media import REASONS

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FILES = {
    "CAPTION_COLUMNS": "captions.parquet",
    "REPEAT_COLUMNS": "caption_repeats.parquet",
    "COMPARED_COLUMNS": "prompt_captions.parquet",
    "PREDICTION_COLUMNS": "predictions.parquet",
    "HISTORY_COLUMNS": "history.parquet",
    "EXPLANATION_COLUMNS": "explanations.parquet",
    "INTERACTION_COLUMNS": "interactions.parquet",
    "DRIVER_COLUMNS": "drivers.csv",
    "DRIVER_INTERACTION_COLUMNS": "driver_interactions.csv",
    "OCCURRENCE_COLUMNS": "concepts.parquet",
    "CORRECTED_COLUMNS": "corrected.csv",
}
COMMANDS = typer.main.get_command(app).commands


def section(heading: str, text: str = REFERENCE) -> str:
    """What stands under the heading that starts with ``heading``, up to the next one of its rank or above."""
    rank = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}.*?\n(.*?)(?=^#{{1,{len(rank)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference.md has no section {heading!r}"
    return found[1]


def listed(text: str) -> list[str]:
    """The names in backticks in the first cells of the tables of ``text``."""
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_command_has_a_section_and_no_other_has() -> None:
    assert re.findall(r"^### `yoin (\w+)", section("## Commands"), re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_names_exactly_the_options_of_its_command(name: str) -> None:
    options = [param for param in COMMANDS[name].params if param.param_type_name == "option"]
    spelled = {word for option in options for word in (*option.opts, *option.secondary_opts)} - {"--help", "-h"}
    text = section(f"### `yoin {name}")
    words = set(re.findall(r"`(--?[a-z][a-z-]*)", text))
    if "[options of\n`run`]" in text:
        words = set(re.findall(r"`(--?[a-z][a-z-]*)", section("### `yoin run"))) - {"--caption", "--dry-run", "-y"}
        words -= {"--yes", "--quiet", "-q"}
    assert words == spelled


def test_options_of_all_commands_are_named() -> None:
    start = section("## Commands").partition("###")[0]
    for option in typer.main.get_command(app).params:
        assert any(f"{word}`" in start for word in option.opts)
    assert "`--help` (`-h`)" in start


def test_every_kind_of_table_is_covered() -> None:
    assert {name for name in vars(values) if name.endswith("_COLUMNS")} == set(FILES)


@pytest.mark.parametrize(("columns", "file"), FILES.items())
def test_columns_stand_in_their_order(columns: str, file: str) -> None:
    assert listed(section(f"### `{file}`")) == list(getattr(values, columns))


def test_reasons_stand_in_their_words() -> None:
    text = section("## Why a row is not used")
    for reason, sentence in REASONS.items():
        assert f"| `{reason}` | {sentence} |" in text
    images = text.partition("No usable image")[2]
    assert listed(images) == list(REASONS)


def test_the_error_tree_is_whole() -> None:
    classes = {name for name, item in vars(errors).items() if inspect.isclass(item) and issubclass(item, Exception)}
    tree = section("## Exit codes and errors")
    assert set(re.findall(r"\w+Error\b", tree)) == classes
    for error in (errors.UsageError, errors.NothingLeftError):
        assert re.search(rf"{error.__name__}.*exit code {error.exit_code}$", tree, re.MULTILINE)
        assert re.search(rf"^\| {error.exit_code} \|", tree, re.MULTILINE)


def test_every_public_name_is_there_and_no_other() -> None:
    assert set(re.findall(r"`yoin\.(\w+)`", section("## Python"))) == set(yoin.__all__)


@pytest.mark.parametrize("group", ["captioners", "models"])
def test_built_in_captioners_and_models_are_listed(group: str) -> None:
    points = entry_points(group=f"yoin.{group}")
    built_in = {point.name for point in points if point.dist is not None and point.dist.name == "yoin"}
    assert built_in
    assert built_in <= set(listed(section("## Captioners, models, extras")))


def test_extras_are_listed() -> None:
    extras = metadata("yoin").get_all("Provides-Extra") or []
    text = section("## Captioners, models, extras").partition("| extra |")[2]
    assert sorted(listed(text)) == sorted(f"yoin[{extra}]" for extra in extras)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_use_what_there_is(page: Path) -> None:
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yoin":
                assert node.attr in yoin.__all__
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("yoin."):
                taken = inspect.signature(getattr(yoin, ast.unparse(node.func).removeprefix("yoin."))).parameters
                assert {keyword.arg for keyword in node.keywords} <= set(taken)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(place), f"{page.name} links to {link}, a heading that is not there"
