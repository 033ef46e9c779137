"""Answers that are filled-in forms: checked, asked for once more, kept as they came, told as sentences and columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.captions.attributes.forms import ANSWER, FORM, TOLD
from tests.captions.scripted import Act, Scripted, media_of
from yoin.captions import attributes, caption
from yoin.captions.base import Passing
from yoin.errors import UsageError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption, Captions, Medium


class Filling(Scripted):
    """Fills in a form, as ``act`` says."""

    takes_attributes = True
    endpoint = "a service"

    def __init__(self, options: CaptionOptions, *, act: Act | None = None) -> None:
        super().__init__(act=act)
        schema = attributes.asked(options)
        assert schema is not None
        self.settings = {"attributes": schema.id}

    async def describe(self, medium: Medium) -> Caption:
        return answer(ANSWER)


def answer(text: str, **more: object) -> Caption:
    return Caption(**{"text": text, "status": "ok", "tokens_in": 10, "tokens_out": 2, "cost_usd": 0.5, **more})


def in_turn(*outcomes: Caption | Exception) -> Act:
    """One after the other, whatever the medium."""
    left = iter(outcomes)

    async def act(medium: Medium) -> Caption:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return act


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


Run = Callable[..., tuple[Captions, Filling]]


@pytest.fixture
def run(ledger: Ledger, tmp_path: Path) -> Run:
    def go(*names: str | None, act: Act | None = None, form: str = FORM, lang: str = "en") -> tuple[Captions, Filling]:
        (tmp_path / "form.toml").write_text(form, encoding="utf-8")
        options = CaptionOptions(captioner="filling", attributes=str(tmp_path / "form.toml"), lang=lang, workers=1)
        captioner = Filling(options, act=act)
        return caption(media_of(*names), ledger=ledger, options=options, captioner=captioner), captioner

    return go


def test_sentences_go_on_columns_are_typed_and_the_ledger_has_the_answer(run: Run, ledger: Ledger) -> None:
    made, _ = run("a", None, "a", "b")
    assert made.frame["caption"].tolist() == [TOLD, "", TOLD, TOLD]
    assert made.frame["status"].tolist() == ["ok", "missing", "ok", "ok"]
    columns = made.attributes
    assert columns is not None
    assert {name: str(kind) for name, kind in columns.dtypes.items()} == {
        "row_id": "int64", "people": "string", "space": "Float64", "lamps": "Int64", "smoke": "boolean",
    }  # fmt: skip
    assert columns["row_id"].tolist() == [10, 11, 12, 13]
    assert columns.isna().sum(axis=1).tolist() == [0, 4, 0, 0]
    assert columns.iloc[0].tolist() == [10, "one", 70.0, 0, False]
    names, rows = ledger.caption_rows()
    assert {row[names.index("text")] for row in rows} == {ANSWER}


def test_where_no_row_has_an_answer_the_columns_keep_their_types(run: Run) -> None:
    made, _ = run(None, None)
    assert made.attributes is not None
    assert [str(kind) for kind in made.attributes.dtypes] == ["int64", "string", "Float64", "Int64", "boolean"]
    assert made.attributes.drop(columns="row_id").isna().all(axis=None)


def test_without_attributes_there_are_none(ledger: Ledger) -> None:
    options = CaptionOptions(captioner="scripted")
    assert caption(media_of("a"), ledger=ledger, options=options, captioner=Scripted()).attributes is None


def test_a_second_run_and_another_way_to_tell_it_make_no_calls(run: Run) -> None:
    first, _ = run("a", "b")
    again, captioner = run("a", "b")
    assert not captioner.asked
    pd.testing.assert_frame_equal(first.frame, again.frame)
    retold, captioner = run("a", "b", form=FORM.replace('"one person"', '"a lonely person"'))
    assert not captioner.asked
    assert retold.frame["caption"].tolist() == [TOLD.replace("One", "A lonely")] * 2
    pd.testing.assert_frame_equal(first.attributes, again.attributes)
    pd.testing.assert_frame_equal(first.attributes, retold.attributes)


def test_another_word_asked_makes_new_calls_and_back_again_costs_nothing(run: Run) -> None:
    run("a", "b")
    _, captioner = run("a", "b", form=FORM.replace("are lit", "burn"))
    assert len(captioner.asked) == 2
    made, captioner = run("a", "b")
    assert not captioner.asked
    assert made.cost_usd == 1.0


def test_an_answer_that_is_not_as_asked_is_asked_for_once_more(run: Run) -> None:
    made, captioner = run("a", act=in_turn(answer("Sorry, here it is:"), answer(ANSWER)))
    assert made.frame["caption"].tolist() == [TOLD]
    assert captioner.asked["a"] == 2
    assert (made.calls, made.tokens_in, made.tokens_out, made.cost_usd) == (2, 20, 4, 1.0)


def test_twice_not_as_asked_is_a_failed_caption_and_the_next_run_asks_again(run: Run) -> None:
    wrong = json.dumps({**json.loads(ANSWER), "people": "crowd"})
    made, captioner = run("a", act=in_turn(answer("?"), answer(wrong)))
    assert made.frame[["caption", "status", "reason"]].iloc[0].tolist() == [
        "", "failed", "people is 'crowd', none of the words to choose from",
    ]  # fmt: skip
    assert (captioner.asked["a"], made.cost_usd) == (2, 1.0)
    assert made.attributes is not None
    assert made.attributes.iloc[0].isna().sum() == 4
    made, captioner = run("a")
    assert captioner.asked["a"] == 1
    assert made.frame["caption"].tolist() == [TOLD]


def test_a_fault_between_the_two_calls_loses_nothing(run: Run) -> None:
    made, captioner = run("a", act=in_turn(answer("?"), Passing("503"), answer(ANSWER)))
    assert made.frame["status"].tolist() == ["ok"]
    assert (captioner.asked["a"], made.calls, made.tokens_in, made.cost_usd) == (3, 3, 20, 1.0)


def test_what_came_of_the_second_call_counts(run: Run) -> None:
    made, _ = run("a", act=in_turn(answer("?"), answer("", status="blocked", reason="SAFETY")))
    assert made.frame[["status", "reason"]].iloc[0].tolist() == ["blocked", "SAFETY"]
    assert made.cost_usd == 1.0


@pytest.mark.parametrize("status", ["blocked", "refused", "truncated"])
def test_what_is_no_answer_is_not_asked_for_again(run: Run, status: str) -> None:
    text = '{"people": "o' if status == "truncated" else ""
    made, captioner = run("a", act=in_turn(answer(text, status=status, reason="why")))
    assert captioner.asked["a"] == 1
    assert made.frame[["caption", "status", "reason"]].iloc[0].tolist() == [text, status, "why"]


def test_a_model_on_this_machine_is_not_asked_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Filling, "endpoint", "")
    made, captioner = run("a", act=in_turn(answer("?"), answer(ANSWER)))
    assert captioner.asked["a"] == 1
    assert made.frame["status"].tolist() == ["failed"]


def test_an_answer_that_came_into_the_ledger_unchecked_is_checked(run: Run, ledger: Ledger) -> None:
    run("a")
    names, ((row,)) = ledger.caption_rows()[0], ledger.caption_rows()[1]
    record = dict(zip(names, row, strict=True))
    ledger.put_caption(record["key"], record["media_id"], "filling", "p", answer('{"people": "\\ud800"}'))
    made, captioner = run("a")
    assert captioner.asked["a"] == 1
    assert made.frame["caption"].tolist() == [TOLD]


def test_japanese_sentences(run: Run) -> None:
    form = '[a]\nkind = "enum"\nabout = "人数"\nvalues = ["一人", "なし"]\nsays = "人物{}"\n'
    form += '["煙"]\nkind = "bool"\nabout = "煙が見えるか。"\n'
    made, _ = run("a", form=form, lang="ja", act=in_turn(answer('{"a": "一人", "煙": false}')))
    assert made.frame["caption"].tolist() == ["人物一人。煙なし。"]
    assert made.attributes is not None
    assert made.attributes["煙"].tolist() == [False]


def test_a_captioner_that_cannot_is_closed_and_one_sentence(ledger: Ledger) -> None:
    options = CaptionOptions(captioner="scripted", attributes="general")
    captioner = Scripted()
    with pytest.raises(UsageError, match="the captioner scripted cannot fill in attributes"):
        caption(media_of("a"), ledger=ledger, options=options, captioner=captioner)
    assert captioner.closed == 1
    assert not captioner.asked
