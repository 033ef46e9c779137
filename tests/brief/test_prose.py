"""The brief in a language model's words: a server on this machine that says what it is told to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import yoin
from tests.captions.openai_server import OpenAIServer, fails, says
from tests.e2e.conftest import Yoin, captions_and_metric
from tests.e2e.conftest import yoin as command  # noqa: F401 - a fixture
from yoin.brief import make_brief
from yoin.brief.check import Line, Share
from yoin.brief.prose import unfit
from yoin.errors import UsageError

LINES = [
    Line("# Creative brief for {0}", names=("score",)),
    Line("The captions explain 31.0% of the variance, over 120 rows.", "study"),
    Line("- **{0}**: +1.42 (95% interval +1.20 to +1.64).", "driver: red barn", ("red barn",)),
    Line("- **{0}**: -0.50 (95% interval -0.90 to -0.10).", "driver: stone wall", ("stone wall",)),
]
FACTS = {
    "study": [Share(0.31), 120],
    "driver: red barn": [1.42, 1.2, 1.64, Share(0.95)],
    "driver: stone wall": [-0.5, -0.9, -0.1, Share(0.95)],
    "driver: green tree": [2.0, 1.0, 3.0, Share(0.95)],
}


@pytest.mark.parametrize(
    "answer",
    [
        "A red barn goes with a higher score: +1.42 (95% interval +1.20 to +1.64).",
        "Over 120 rows captions explain 31% of the variance. Avoid the stone wall, which goes with less (-0.5).",
        "Consider red barns.\n\nStone walls go with less.",
    ],
)
def test_what_the_brief_says_may_be_said_otherwise(answer: str) -> None:
    assert unfit(answer, LINES, FACTS) == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "it wrote nothing"),
        ("A red barn. " * 400, "far more"),
        ("A red barn at sunset goes with a higher score.", "“sunset” stands nowhere"),
        ("A green tree goes with a higher score.", "“green” stands nowhere"),
        ("A red barn goes with a score twice as high.", "“twice” stands nowhere"),
        ("A red barn improves the score.", "“improves” says more"),
        ("A red barn goes with a higher score: +1.52.", "a number"),
        ("A stone wall goes with a lower score: +1.42.", "a number"),
        ("A score is higher by 1.42.", "a number"),
        ("A red barn goes with a higher score in 1 of 120 rows.", "a number"),
        ("Over 120 rows captions explain about 30% of the variance.", "a number"),
        ("A red barn goes with a score higher by 142%.", "a number"),
        ("A red barn goes with a lower score.", "direction"),
        ("Include a stone wall for a higher score.", "direction"),
        ("A red barn goes with a {higher} score: {7}.", "a number"),
    ],
)
def test_what_is_not_in_the_brief_is_found(answer: str, why: str) -> None:
    assert why in unfit(answer, LINES, FACTS)


def test_numbers_in_a_name_are_no_statement() -> None:
    lines = [*LINES, Line("- **{0}**: +1.42.", "driver: three red barns", ("three red barns",))]
    facts = {**FACTS, "driver: three red barns": [1.42]}
    assert unfit("Consider three red barns, which go with a higher score.", lines, facts) == ""
    assert "a number" in unfit("Consider three stone walls, which go with less.", lines, facts)


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> yoin.Study:
    folder = tmp_path_factory.mktemp("prose")
    captions_and_metric().to_csv(folder / "scores.csv", index=False)
    return yoin.run(
        folder / "scores.csv", caption="caption", metric="score", model="tfidf", explain=20, seed=7, out=folder / "s",
        captioner=f"openai:tiny-vlm@{server.url}",
    )  # fmt: skip


def calls_of(study: yoin.Study) -> int:
    with study.ledger() as ledger:
        return ledger.calls_since("openai", datetime.fromtimestamp(0, UTC))[0]


def test_a_fit_answer_stands_above_the_rest(study: yoin.Study, server: OpenAIServer) -> None:
    pytest.importorskip("openai")
    server.on(says("A red barn goes with a higher score. [Avoid] a *stone wall*."))
    before = calls_of(study)
    made = make_brief(study.folder, llm=True)
    assert calls_of(study) == before + 1
    assert made.cost_usd == 0  # nobody knows what this one takes
    first, rest = made.text.split("## In short")[1].split("## What goes with a higher", 1)
    assert first.strip().startswith("A red barn goes with a higher score\\. \\[Avoid\\] a \\*stone wall\\*\\.")
    assert "These words are tiny\\-vlm\\-0102’s." in first
    assert "**red barn**" in rest
    (asked,) = server.asked[-1:]
    assert not asked.images
    assert [one["role"] for one in asked.body["messages"]] == ["user"]
    assert "Use only what stands in it" in str(asked.body["messages"])
    plain = make_brief(study.folder)
    assert "In short" not in plain.text
    assert made.text.endswith(rest)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says("A red barn at sunset."), "“sunset” stands nowhere in the study’s brief"),
        (says(None), "empty answer"),
        (fails(500, "out of order"), "500"),
    ],
)
def test_else_the_brief_says_why_not(study: yoin.Study, server: OpenAIServer, answer: object, why: str) -> None:
    pytest.importorskip("openai")
    server.on(answer)
    text = make_brief(study.folder, llm=True).text
    said = re.search(r"The language model's own words are not used: (.*)\.\n$", text)
    assert said
    assert why in said[1].replace("\\", "")
    assert "sunset" not in text.replace(said[0], "")


def test_a_describer_has_no_words_of_its_own(tmp_path: Path, command: Yoin) -> None:  # noqa: F811
    captions_and_metric().to_csv(tmp_path / "scores.csv", index=False)
    study = yoin.run(
        tmp_path / "scores.csv",
        caption="caption",
        metric="score",
        model="tfidf",
        explain=20,
        seed=7,
        out=tmp_path / "s",
    )
    with pytest.raises(UsageError, match="describe writes captions only"):
        make_brief(study.folder, llm=True)
    done = command("brief", study.folder, "--llm")
    assert done.returncode == 2
    assert "writes captions only" in done.stderr
