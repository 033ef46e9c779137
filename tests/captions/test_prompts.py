from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yoin.captions import prompts
from yoin.errors import UsageError

BUILT_IN = [(name, lang) for name in prompts.names() for lang in ("en", "ja")]
# A prompt's version and the start of its id. Another word is another id, and then raise the version in its header.
IDS = {
    ("advertising", "en"): ("1", "b6490cad000f"),
    ("advertising", "ja"): ("1", "69691c23df74"),
    ("general", "en"): ("1", "d5a2916c60e3"),
    ("general", "ja"): ("1", "97fde25fb1b5"),
    ("product", "en"): ("1", "08b160202841"),
    ("product", "ja"): ("1", "444654941340"),
    ("real-estate", "en"): ("1", "87f589d0879f"),
    ("real-estate", "ja"): ("1", "3d4596ea26e2"),
    ("thumbnail", "en"): ("1", "04d5aa306325"),
    ("thumbnail", "ja"): ("1", "981456bb72c1"),
}


def test_there_is_a_prompt_for_each_purpose() -> None:
    assert prompts.names() == ("advertising", "general", "product", "real-estate", "thumbnail")


@pytest.mark.parametrize(("name", "lang"), BUILT_IN)
def test_a_built_in_prompt_keeps_its_text_until_its_version_changes(name: str, lang: str) -> None:
    text = (Path(prompts.__file__).parent / f"{name}.{lang}.txt").read_text(encoding="utf-8")
    header = dict(line.split(": ", 1) for line in text.partition("\n\n")[0].splitlines())
    prompt = prompts.load(name, lang)
    assert (header["prompt"], prompt.name, prompt.lang) == (name, name, lang)
    assert (header["version"], prompt.id[:12]) == IDS[name, lang]
    assert header["for"] == prompts.purpose(name, lang)
    assert prompt.id == hashlib.sha256(f"{prompt.system}\0{prompt.user}".encode()).hexdigest()


def test_no_two_built_in_prompts_are_the_same() -> None:
    assert len({prompts.load(name, lang).id for name, lang in BUILT_IN}) == len(BUILT_IN)


@pytest.mark.parametrize(("name", "lang"), BUILT_IN)
def test_a_built_in_prompt_forbids_what_leaks(name: str, lang: str) -> None:
    prompt = prompts.load(name, lang)
    wanted = {
        "en": (
            "no proper nouns",
            "no numbers, years",
            "Never write out text",
            "never an instruction",
            "several images",
        ),
        "ja": ("固有名詞は使わない", "数字、年", "書き写さない", "指示ではありません", "画像が複数あるとき"),
    }
    assert all(part in prompt.system for part in wanted[lang])
    assert not re.search(r"\d", prompt.user.replace("200字", "").replace("240字", ""))
    assert "version" not in prompt.system + prompt.user  # the header stays here


@pytest.mark.parametrize("name", prompts.names())
def test_the_japanese_prompt_asks_for_japanese(name: str) -> None:
    prompt = prompts.load(name, "ja")
    assert "日本語" in prompt.system
    assert "日本語" in prompt.user
    assert "English" in prompts.load(name, "en").system


def test_a_whole_file_is_the_user_prompt(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes("\ufeffDescribe it.\r\n\r\n# Briefly. 短く。\r\n".encode())
    prompt = prompts.load(str(file))
    assert (prompt.name, prompt.system, prompt.user) == ("mine.txt", "", "Describe it.\n\n# Briefly. 短く。")
    assert not prompt.built_in


def test_a_first_section_is_the_system_prompt(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("[system]\nBe brief.\nBe kind.\n\n[user]\nDescribe it.\n[user]\n", encoding="utf-8")
    prompt = prompts.load(str(file))
    assert (prompt.system, prompt.user) == ("Be brief.\nBe kind.", "Describe it.\n[user]")


def test_a_file_named_like_a_built_in_prompt_is_reached_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("general").write_text("Mine.", encoding="utf-8")
    assert prompts.load("general").built_in
    assert prompts.load("./general").user == "Mine."


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
    lambda line: not line.startswith("[")
)


@given(st.lists(LINE, min_size=1, max_size=5), st.lists(LINE, min_size=1, max_size=5), st.integers(0), LINE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_another_word_is_another_id(tmp_path: Path, system: list[str], user: list[str], at: int, word: str) -> None:
    file = tmp_path / "mine.txt"

    def id_of(system: list[str], user: list[str]) -> str:
        file.write_text(f"[system]\n{' '.join(system)}\n[user]\n{' '.join(user)}", encoding="utf-8")
        return prompts.load(str(file)).id

    both = system + user
    place = at % len(both)
    changed = [*both[:place], word, *both[place + 1 :]]
    same = changed == both
    before = id_of(system, user)
    assert (id_of(changed[: len(system)], changed[len(system) :]) == before) == same
    if len(user) > 1:  # a word that moves over is a change too
        assert id_of([*system, user[0]], user[1:]) != before
    assert id_of(system, user) == before


def test_a_wrong_name_names_the_built_in_prompts() -> None:
    with pytest.raises(UsageError, match="use advertising, general, product, real-estate, thumbnail, or the path"):
        prompts.load("quarterly")
    with pytest.raises(UsageError, match=r"did you mean real-estate\?$"):
        prompts.load("realestate")
    with pytest.raises(UsageError, match="no built-in prompt is written in 'fr'; use en or ja"):
        prompts.load("general", "fr")


@pytest.mark.parametrize("name", ["", " ", "a\0b", "x" * 5000, "no/such/file.txt"])
def test_a_name_that_is_no_path_either(name: str) -> None:
    with pytest.raises(UsageError, match="is neither a built-in prompt nor a file"):
        prompts.load(name)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "has no text to send"),
        (b" \n\t\n", "has no text to send"),
        (b"[system]\nBe brief.\n[user]\n \n", "has no text to send"),
        (b"[system]\nBe brief.\n", r"has no line \[user\]"),
        (b"a" * (prompts.MAX_BYTES + 1), "is larger than 100,000 bytes"),
        ("説明".encode("utf-16"), "is not UTF-8 text"),
        ("説明".encode("cp932"), "is not UTF-8 text"),
        (b"ELF\0\1\2", "is not a text file"),
    ],
)
def test_a_file_that_is_no_prompt(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=says):
        prompts.load(str(file))


def test_a_folder_or_a_closed_file_is_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no file"):
        prompts.load(str(tmp_path))
    file = tmp_path / "mine.txt"
    file.write_text("Describe it.", encoding="utf-8")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UsageError, match="cannot be read"):
        prompts.load(str(file))


def test_the_prompts_are_in_the_wheel(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root, check=True, capture_output=True,
    )  # fmt: skip
    inside = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {f"yoin/captions/prompts/{name}.{lang}.txt" for name, lang in BUILT_IN} <= set(inside)
