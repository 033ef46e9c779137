"""Attributes from the command line, against a server on this machine: sentences, columns, nothing paid for twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import yoin
from tests.captions.gemini_server import GeminiServer, caption
from tests.e2e.conftest import KEY, Yoin
from tests.e2e.test_captioners import ROWS, pictures  # noqa: F401 - a fixture
from yoin import pipeline

FORM = """
[hue]
kind = "enum"
about = "The main color."
values = ["red", "dark"]
says = "{} hue"

[people]
kind = "number"
about = "How many people can be seen."
min = 0
max = 10
whole = true
levels = ["few", "many"]

[frame]
kind = "bool"
about = "Whether there is a frame."
"""


def filled(number: int) -> str:
    """The form of the image with this number, as a model would fill it in."""
    return json.dumps({"hue": "red" if number % 2 else "dark", "people": number % 11, "frame": number % 3 == 0})


def test_a_form_is_filled_in_told_and_kept(
    pictures: Path,  # noqa: F811
    tmp_path: Path,
    call: Yoin,
) -> None:
    form = tmp_path / "form.toml"
    form.write_text(FORM)
    images = [(tmp_path / f"{number}.png").read_bytes() for number in range(ROWS)]
    with GeminiServer(keys=[KEY]) as server:
        for number, image in enumerate(images):
            server.on(caption(filled(number)), media=image)
        server.on(caption("A red square."), caption(filled(3)), media=images[3])
        server.on(caption(f"```json\n{filled(7)}\n```"), media=images[7])
        command = ("run", pictures.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--explain", "0",
                   "--captioner", f"gemini@{server.url}", "--out", "s", "--yes")  # fmt: skip
        done = call(*command, "--attributes", form.name)
        assert done.returncode == 0, done.stderr
        assert len(server.asked) == ROWS + 1  # one was not as asked, and asked for once more
        sent = server.asked[0]
        assert sent.body["generationConfig"]["responseJsonSchema"]["properties"]["hue"] == {
            "type": "string", "enum": ["red", "dark"], "description": "The main color.",
        }  # fmt: skip
        assert '- hue: The main color. One of: "red", "dark".' in sent.parts[-1]["text"]

        study = yoin.Study(tmp_path / "s")
        columns = pd.read_parquet(tmp_path / "s" / "attributes.parquet")
        pd.testing.assert_frame_equal(study.attributes, columns)
        assert list(columns) == ["row_id", "hue", "people", "frame"]
        assert [str(kind) for kind in columns.dtypes] == ["int64", "string", "Int64", "boolean"]
        assert columns["row_id"].tolist() == list(range(ROWS))
        assert columns.drop(columns="row_id").to_dict("records") == [json.loads(filled(n)) for n in range(ROWS)]
        captions = pd.read_parquet(tmp_path / "s" / "captions.parquet")
        assert set(captions["status"]) == {"ok"}
        assert captions["caption"][[0, 1, 7]].tolist() == [
            "Dark hue. Few people. Frame.", "Red hue. Few people. No frame.", "Red hue. Many people. No frame.",
        ]  # fmt: skip
        assert {"red hue", "dark hue"} & set(study.drivers.query("q < 0.05")["concept"])

        again = call(*command, "--attributes", form.name)
        assert "nothing to do" in again.stdout
        assert len(server.asked) == ROWS + 1

        # Told otherwise: other captions, the same columns, and no call.
        form.write_text(FORM.replace("{} hue", "{} tint"))
        pipeline.run_stage("s", "caption")
        assert len(server.asked) == ROWS + 1
        assert yoin.Study(tmp_path / "s").captions["caption"][0] == "Dark tint. Few people. Frame."
        pd.testing.assert_frame_equal(yoin.Study(tmp_path / "s").attributes, columns)
        # Another word asked: other calls, and an answer that is never as asked is a failed caption.
        form.write_text(FORM.replace("main color", "strongest color"))
        server.on(caption(filled(5).replace("red", "blue")), media=images[5])
        pipeline.run_stage("s", "caption")
        assert len(server.asked) == 2 * ROWS + 2
        lost = yoin.Study(tmp_path / "s").captions.query("status == 'failed'")
        assert lost["row_id"].tolist() == [5]
        assert lost["reason"].tolist() == ["hue is 'blue', none of the words to choose from"]
        assert yoin.Study(tmp_path / "s").attributes.loc[5].isna().tolist() == [False, True, True, True]
        # Other stages need the form no more.
        form.unlink()
        (tmp_path / "s" / "report.html").unlink()
        assert pipeline.run_stage("s", "report").ran == ("report",)
        # Free text again: the columns go.
        pipeline.run_stage("s", "caption", attributes=None)
        assert not (tmp_path / "s" / "attributes.parquet").exists()


@pytest.mark.parametrize(
    ("form", "options", "said"),
    [
        (FORM.replace("enum", "list"), {}, "is of an unknown kind, 'list'; use enum, number, bool"),
        ("", {}, "has no attributes"),
        (FORM, {"captioner": "describe"}, "the captioner describe cannot fill in attributes"),
        (FORM, {"caption": "score"}, "captions that are there already have no attributes"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(
    pictures: Path,  # noqa: F811
    tmp_path: Path,
    form: str,
    options: dict[str, str],
    said: str,
) -> None:
    (tmp_path / "form.toml").write_text(form)
    chosen = {"captioner": "gemini", **options, "attributes": str(tmp_path / "form.toml")}
    with pytest.raises(yoin.UsageError) as failed:
        yoin.run(pictures, image="image", metric="score", model="tfidf", out=tmp_path / "s", **chosen)
    assert said in str(failed.value)
    assert not (tmp_path / "s").exists()
