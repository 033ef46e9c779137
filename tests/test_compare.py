"""Prompts compared on captions of a real client from a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import yoin
from tests.captions.answers import by_prompt, planted, prompt_of
from tests.captions.gemini_server import GeminiServer, blocked
from yoin.compare import Comparison, compare_prompts
from yoin.errors import ConsentError, NothingLeftError, StudyError, UsageError, YoinError
from yoin.files import digest_file
from yoin.study import Study
from yoin.values import COMPARED_COLUMNS

ROWS, SAMPLE = 100, 40
QUIET = {"model": "tfidf", "explain": 0}


@dataclass
class Place:
    """A study whose images were fetched, the two prompts, and the server that knows what each of them sees."""

    server: GeminiServer
    table: Path
    folder: Path
    telling: str
    idle: str

    @property
    def captioner(self) -> str:
        return f"gemini@{self.server.url}"

    def compare(self, **changes: object) -> Comparison:
        options: dict[str, object] = {"sample": SAMPLE, "captioner": self.captioner, **changes}
        return compare_prompts(self.folder, (self.idle, self.telling), **options)  # type: ignore[arg-type]

    def run(self, prompt: str, **changes: object) -> Study:
        options = {"image": "image", "metric": "score", "captioner": self.captioner, "prompt": prompt, **QUIET}
        return yoin.run(self.table, out=self.folder, **{**options, **changes})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    table, telling, idle = planted(tmp_path, ROWS)
    for name, text in (("telling", "Say what goes well."), ("idle", "Say what is there.")):
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    with GeminiServer() as server:
        server.on(by_prompt({"goes well": telling.__getitem__, "is there": idle.__getitem__}))
        made = Place(server, table, tmp_path / "s", str(tmp_path / "telling.txt"), str(tmp_path / "idle.txt"))
        with pytest.raises(ConsentError):  # the images are there now, and nothing was paid for
            made.run(made.telling, ask=True)
        yield made


def test_the_prompt_that_sees_what_matters_wins_and_is_judged_on_other_rows(place: Place) -> None:
    with pytest.raises(ConsentError, match=f"{3 * SAMPLE} captions by gemini"):
        place.compare(ask=True)
    assert not place.server.calls
    found = place.compare()
    assert found.winner.prompt == place.telling
    assert found.winner.behind == 0
    assert found.winner.r2 > 0.3
    loser = found.ranked[1]
    assert loser.r2 < 0.1
    assert loser.behind == pytest.approx(found.winner.r2 - loser.r2)
    assert loser.behind_low > 0
    assert found.r2_low > 0
    assert (found.rows, found.locked_rows) == (SAMPLE, SAMPLE)
    assert found.winner.cost_usd == pytest.approx(loser.cost_usd, rel=0.2)
    assert found.winner.cost_usd > 0
    assert "telling.txt is ahead on the 40 rows that choose; on 40 rows that played no part" in found.sentences[0]
    # The locked rows were captioned with the winner alone, and nothing twice.
    assert len(place.server.calls) == 3 * SAMPLE
    asked = pd.Series([prompt_of(call) for call in place.server.calls]).value_counts()
    assert asked.to_dict() == {"Say what goes well.": 2 * SAMPLE, "Say what is there.": SAMPLE}

    kept = Study(place.folder).frame("prompt_captions.parquet")
    assert tuple(kept) == COMPARED_COLUMNS
    assert kept.groupby(["prompt", "part"]).size().to_dict() == {
        (place.telling, "locked"): SAMPLE, (place.telling, "selection"): SAMPLE, (place.idle, "selection"): SAMPLE,
    }  # fmt: skip
    chose = set(kept.loc[kept["part"] == "selection", "row_id"])
    assert not chose & set(kept.loc[kept["part"] == "locked", "row_id"])

    manifest = json.loads((place.folder / "study.json").read_text("utf-8"))["stages"]["prompts"]
    assert [one["ranked"][0]["prompt"] for one in manifest["facts"]["comparisons"]] == [place.telling]
    assert manifest["made"]["prompt_captions.parquet"].endswith(digest_file(place.folder / "prompt_captions.parquet"))

    again = place.compare(ask=True)  # all there: no call, and no consent needed
    assert again == found
    assert len(place.server.calls) == 3 * SAMPLE
    pd.testing.assert_frame_equal(Study(place.folder).frame("prompt_captions.parquet"), kept)


def test_the_rows_that_chose_are_left_out_of_the_analysis_and_the_report_says_so(place: Place) -> None:
    before = place.run(place.telling)
    assert before.summary.choice is None
    assert before.summary.rows.used == ROWS
    calls = len(place.server.calls)
    place.compare()
    assert len(place.server.calls) == calls + SAMPLE  # the other prompt's

    after = place.run(place.telling)
    assert after.ran == ("fit", "explain", "drivers", "report")
    chose = after.frame("prompt_captions.parquet").query("part == 'selection'")["row_id"].unique()
    assert after.summary.rows.dropped == {"chose_prompt": SAMPLE}
    assert after.summary.rows.used == ROWS - SAMPLE
    assert not set(chose) & set(after.predictions["row_id"])
    assert not set(chose) & set(after.frame("concepts.parquet")["row_id"])
    assert (after.drivers["n_with"] + after.drivers["n_without"] == ROWS - SAMPLE).all()
    choice = after.summary.choice
    assert choice is not None
    assert (choice.prompt, choice.rows, choice.judged) == (place.telling, SAMPLE, SAMPLE)
    assert "the 40 rows that helped to choose are left out" in choice.sentence
    page = after.report.read_text("utf-8")
    assert "40 rows that helped to choose are left out" in page
    assert "played no part in choosing the prompt" in page
    assert place.run(place.telling).ran == ()

    # A prompt that took no part in the comparison was not chosen by it.
    other = place.folder.parent / "other.txt"
    other.write_text("Say what goes well, please.", "utf-8")
    assert place.run(str(other)).summary.rows.used == ROWS


def test_an_interrupted_comparison_goes_on_and_rows_that_chose_are_never_locked(place: Place) -> None:
    with pytest.raises(YoinError, match="requests a day are used up"):
        place.compare(rpd=70, workers=1)
    assert len(place.server.calls) == 70
    assert "prompts" not in Study(place.folder).seconds
    found = place.compare()
    assert len(place.server.calls) == 3 * SAMPLE

    third = place.folder.parent / "third.txt"
    third.write_text("Say what is there, all of it.", "utf-8")
    compare_prompts(place.folder, (place.telling, str(third)), sample=32, captioner=place.captioner)
    study = Study(place.folder)
    kept = study.frame("prompt_captions.parquet")
    assert study.facts("prompts")["comparisons"][0]["id"] == found.id
    assert kept["comparison"].nunique() == 2
    first, second = (kept[kept["comparison"] == one] for one in kept["comparison"].unique())
    chose = set(first.loc[first["part"] == "selection", "row_id"])
    assert set(second.loc[second["part"] == "selection", "row_id"]) < chose
    assert not chose & set(second.loc[second["part"] == "locked", "row_id"])


@pytest.mark.slow
def test_with_features_the_gain_over_them_ranks(place: Place) -> None:
    place.run(place.telling, features=["era"])
    found = place.compare()
    assert found.quantity == "gain"
    assert found.rung.endswith("+features")
    assert found.winner.prompt == place.telling
    assert "beyond the other columns" in found.sentences[0]


def test_images_without_a_caption_do_not_choose(place: Place) -> None:
    table = pd.read_csv(place.table)
    place.compare()
    chose = Study(place.folder).frame("prompt_captions.parquet").query("part == 'selection'")["row_id"].unique()
    other = place.folder.parent / "other.txt"
    other.write_text("Say what goes well, please.", "utf-8")
    for row in chose[::3]:
        place.server.on(blocked("SAFETY"), media=(place.table.parent / table.at[row, "image"]).read_bytes())
    with pytest.raises(NothingLeftError, match=r"only 26 of 40 rows .* fewest have one with '.*other.txt' \(26\)"):
        compare_prompts(place.folder, (place.telling, str(other)), sample=SAMPLE, captioner=place.captioner)


@pytest.mark.parametrize(
    ("prompts", "changes", "message"),
    [
        (("general",), {}, "one prompt is nothing to compare; name at least two"),
        (("general", "thumbnal"), {}, "neither a built-in prompt nor a file; did you mean thumbnail"),
        (("general", "general"), {}, "are the same text"),
        (("general", "thumbnail"), {"sample": 3}, "sample cannot be 3"),
        (("general", "thumbnail"), {"captioner": "gemni"}, "there is no captioner named 'gemni'"),
    ],
)
def test_wrong_usage_is_one_sentence(
    place: Place, prompts: tuple[str, ...], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        compare_prompts(place.folder, prompts, **{"captioner": place.captioner, **changes})  # type: ignore[arg-type]
    assert not place.server.calls


def test_a_study_that_cannot_be_compared(place: Place, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="the describer is not installed")
    with pytest.raises(UsageError, match="describe takes no prompt"):
        compare_prompts(place.folder, captioner="describe", sample=SAMPLE)
    with pytest.raises(StudyError, match="is not a study"):
        compare_prompts(tmp_path / "nowhere")


def test_given_captions_and_too_few_rows(place: Place, tmp_path: Path) -> None:
    table = pd.read_csv(place.table).head(50)
    table["text"] = [f"A cat, {number}." for number in np.arange(50) % 7]
    table.to_csv(tmp_path / "few.csv", index=False)
    yoin.run(tmp_path / "few.csv", caption="text", metric="score", out=tmp_path / "given", **QUIET)
    with pytest.raises(UsageError, match="the captions of this study were given"):
        compare_prompts(tmp_path / "given", captioner=place.captioner)
    with pytest.raises(ConsentError):
        yoin.run(tmp_path / "few.csv", image="image", metric="score", captioner=place.captioner, ask=True,
                 out=tmp_path / "few", **QUIET)  # fmt: skip
    with pytest.raises(NothingLeftError, match="50 rows are too few"):
        compare_prompts(tmp_path / "few", captioner=place.captioner)
    assert not place.server.calls
