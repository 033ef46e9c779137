from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from yoin.errors import StudyError
from yoin.files import digest, digest_code, digest_file, digest_given, digest_model, mark_of, neutralise, put


def test_put_leaves_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    place = tmp_path / "a.txt"
    put(place, lambda path: path.write_text("old"))

    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        put(place, fail)
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "a.txt"
    put(place, lambda path: path.write_text("old"))

    def fill(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StudyError, match="the disk is full"):
        put(place, fill)
    assert place.read_text() == "old"


def test_marks_tell_contents_apart(tmp_path: Path) -> None:
    one, other, folder = tmp_path / "one", tmp_path / "other", tmp_path / "folder"
    one.write_text("a")
    other.write_text("b")
    assert mark_of(one) != mark_of(other)
    assert mark_of(tmp_path / "absent") == ""
    folder.mkdir()
    (folder / "x").write_text("1")
    before = mark_of(folder)
    (folder / "x").write_text("2")
    assert mark_of(folder) != before


def test_digests_are_stable_and_differ() -> None:
    assert digest("a", {"b": 1, "c": 2}) == digest("a", {"c": 2, "b": 1}) != digest("a", {"b": 1, "c": 3})
    assert digest_code("errors.py") == digest_code("errors.py") != digest_code("values.py")


def test_formulas_become_text() -> None:
    frame = pd.DataFrame({"concept": ["=1+1", "+x", "-y", "@z", " =a", "plain", None], "n": [-1, 2, 3, 4, 5, 6, 7]})
    safe = neutralise(frame)
    assert safe["concept"].tolist()[:6] == ["'=1+1", "'+x", "'-y", "'@z", "' =a", "plain"]
    assert safe["n"].tolist() == frame["n"].tolist()
    assert frame["concept"][0] == "=1+1"


def test_what_was_given_is_known_by_its_bytes_where_it_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"x")
    names = (tmp_path / "a.toml", str(tmp_path / "a.toml"), None, "general", tmp_path, "no\0path", "x" * 5000)
    first, second, *others = digest_given(*names)
    assert first == second == digest_file(tmp_path / "a.toml")
    assert others == [""] * 5


def test_a_model_is_known_by_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    known = digest_model(str(tmp_path))
    (tmp_path / "README.md").write_text("nothing that counts")
    assert digest_model(str(tmp_path)) == known != ""
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    assert digest_model(str(tmp_path)) != known
    monkeypatch.chdir(tmp_path)
    assert digest_model("") == digest_model("organisation/name") == ""  # nothing, and one of a hub
