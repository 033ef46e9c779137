"""Prompts: what a captioner is asked for, built in or from the user's own file.

A built-in prompt is a text file beside this one, ``NAME.LANG.txt``: a header (name, version, purpose), a blank line,
and then the same as a file of the user's own, which is

* either the whole text to send with each image,
* or, where its first line is ``[system]``, the system prompt up to a line ``[user]``, and after it the text to send.

A file of the user's own is sent as it is, whatever the language asked for: it says itself in which one to answer.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from yoin.errors import UsageError

MAX_BYTES = 100_000  # of the user's own file
_SYSTEM, _USER = "[system]", "[user]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is sent with each image.

    Attributes:
        name: the built-in one's name, or the file's name.
        lang: the language asked for, "en" or "ja".
        id: SHA-256 in hex of ``system``, a NUL and ``user``: another word, another id.
        system: the system prompt; "" where there is none.
        user: the text beside the image; never blank.
        built_in: whether it is one of ours.
    """

    name: str
    lang: str
    id: str
    system: str
    user: str
    built_in: bool = False


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The built-in prompts' names, sorted."""
    found = {item.name.partition(".")[0] for item in files(__name__).iterdir() if item.name.endswith(".txt")}
    return tuple(sorted(found))


def load(name_or_file: str, lang: str = "en") -> Prompt:
    """Return a built-in prompt by its name, or the user's own by the path of a UTF-8 text file.

    A built-in name always means the built-in one; ``./general`` is a file.

    Args:
        name_or_file: one of `names`, or a path.
        lang: "en" or "ja", of the built-in one.

    Raises:
        UsageError: no such prompt or file, or a file that is empty, too large or not UTF-8 text.
    """
    if name_or_file in names():
        return _built_in(name_or_file, lang)
    path = Path(name_or_file)
    if not name_or_file.strip() or not exists(path):
        raise _unknown(name_or_file)
    system, user = _sections(read_text(path, "prompt file"), str(path))
    return Prompt(name=path.name, lang=lang, id=_id(system, user), system=system, user=user)


def purpose(name: str, lang: str = "en") -> str:
    """What a built-in prompt is for, from its header.

    Raises:
        UsageError: it is not written in this language.
    """
    header = _text(name, lang).partition("\n\n")[0].split("\n")
    return next(line.removeprefix("for:").strip() for line in header if line.startswith("for:"))


def _built_in(name: str, lang: str) -> Prompt:
    _, _, text = _text(name, lang).partition("\n\n")
    system, user = _sections(text, name)
    return Prompt(name=name, lang=lang, id=_id(system, user), system=system, user=user, built_in=True)


def _text(name: str, lang: str) -> str:
    """A built-in prompt's file."""
    resource = files(__name__) / f"{name}.{lang}.txt"
    if not resource.is_file():
        raise UsageError(f"no built-in prompt is written in {lang!r}", stage="captions", remedy="use en or ja")
    return resource.read_text(encoding="utf-8").replace("\r\n", "\n")


def exists(path: Path) -> bool:
    """Whether there is something at ``path``, which may be no possible path at all."""
    try:
        return path.exists()
    except (OSError, ValueError):  # no possible name: too long, or with a NUL
        return False


def read_text(path: Path, what: str) -> str:
    """The text of a file of the user's own, with plain line ends; ``what`` it is, for messages.

    Raises:
        UsageError: it is no file, cannot be read, is too large, or not UTF-8 text.
    """
    if not path.is_file():
        raise _wrong(f"{path} is no file", f"give the {what} as UTF-8 text")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _wrong(f"the {what} {path} cannot be read ({error.strerror})", "see to its permissions") from error
    if len(data) > MAX_BYTES:
        raise _wrong(f"the {what} {path} is larger than {MAX_BYTES:,} bytes", "use a shorter one")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(f"the {what} {path} is not UTF-8 text", "save it as UTF-8 text") from error
    if "\0" in text:
        raise _wrong(f"the {what} {path} is not a text file", "use a UTF-8 text file")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _sections(text: str, where: str) -> tuple[str, str]:
    """The system prompt and the user prompt, each without white space around it."""
    lines = text.strip().split("\n")
    marks = [number for number, line in enumerate(lines) if line.strip() == _USER]
    if lines[0].strip() != _SYSTEM:
        system, user = "", "\n".join(lines)
    elif marks:
        system, user = "\n".join(lines[1 : marks[0]]), "\n".join(lines[marks[0] + 1 :])
    else:
        raise _wrong(f"the prompt file {where} starts with {_SYSTEM} and has no line {_USER}", f"add a line {_USER}")
    if not user.strip():
        raise _wrong(f"the prompt file {where} has no text to send", "write what the captions are to describe")
    return system.strip(), user.strip()


def _id(system: str, user: str) -> str:
    # No prompt holds a NUL, so that no two prompts meet in one text.
    return hashlib.sha256(f"{system}\0{user}".encode()).hexdigest()


def _unknown(text: str) -> UsageError:
    near = difflib.get_close_matches(text, names(), n=1)
    remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(names())}, or the path of a text file"
    return _wrong(f"{text!r} is neither a built-in prompt nor a file", remedy)


def _wrong(problem: str, remedy: str) -> UsageError:
    return UsageError(problem, stage="captions", remedy=remedy)
