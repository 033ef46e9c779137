"""From the measurements of a video's frames to one description, in the words that images are described in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from yoin.captions.describe.measurements import Measurements
from yoin.captions.describe.sentences import Phrases, phrases, sentences

_LENGTHS = ((8.0, "very short video"), (30.0, "short video"), (120.0, "long video"))  # seconds, below which
_LONGEST = "very long video"
_RARE = 0.1  # of the frames: what fewer of them show is not told
_AT_TIMES = 6  # phrases: what most frames do not show is told in a few words
_OF_A_FACT = 2  # phrases
# What may be told of some frames, the most telling first, and how it is put there. Places and the size of letters
# belong to another phrase, and the format is that of the whole video.
_TELLING: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("thing", str),
    ("faces", str),
    ("text", str),
    ("black_and_white", str),
    ("brightness", str),
    ("background", str),
    ("main", "mainly {}".format),
    ("warmth", str),
    ("saturation", str),
    ("contrast", str),
    ("detail", str),
    ("empty", str),
    ("symmetry", str),
)
# Said of some frames they would tell nothing: that something is not there, and what lies between two extremes.
_NOTHING_TO_TELL = frozenset({
    "no faces", "no text", "image of medium brightness", "medium contrast", "neutral palette",
    "colors of medium saturation", "midtone background", "some empty areas", "moderate detail",
})  # fmt: skip


def describe_video(frames: Sequence[Measurements], *, seconds: float, several_scenes: bool) -> str:
    """The caption of a video: what it is, what holds in more than half of its frames, and what is seen in some.

    Args:
        frames: at least one.
        seconds: the video's length.
        several_scenes: whether its frames show more than one scene.
    """
    said = [phrases(frame) for frame in frames]
    usual = _usual(said)
    seldom = _seldom(said, usual)
    return " ".join([
        f"It is a {_length(seconds)} with {'several scenes' if several_scenes else 'one scene'}.",
        *sentences(usual),
        *([f"At times: {', '.join(seldom)}."] if seldom else []),
    ])  # fmt: skip


def _length(seconds: float) -> str:
    kind = next((name for limit, name in _LENGTHS if seconds < limit), _LONGEST)
    whole = max(1, round(seconds))
    return f"{kind} of {whole} {'second' if whole == 1 else 'seconds'}"


def _usual(said: Sequence[Phrases]) -> Phrases:
    """Each phrase that more than half of the frames share; a phrase that hangs on another goes with it."""
    shared: dict[str, Any] = {}
    for field in fields(Phrases):
        ranked = _votes(said, field.name).most_common()
        kept = tuple(phrase for phrase, frames in ranked if phrase and 2 * frames > len(said))
        if kept:
            shared[field.name] = kept[:2] if field.name == "main" else kept[0]
    for name, nothing in (("faces", "no faces"), ("text", "no text")):
        if name not in shared and 2 * _votes(said, name)[nothing] < len(said):  # most have some, but not the same
            shared[name] = name
    if shared.get("faces") in {None, "faces"}:
        shared.pop("face_place", None)
    if "text" not in shared:
        shared.pop("text_place", None)
        shared.pop("letters", None)
    if "main" not in shared:
        shared.pop("accents", None)
    return Phrases(**shared)


def _seldom(said: Sequence[Phrases], usual: Phrases) -> list[str]:
    """What some frames show and most do not; what more of them show comes first."""
    found: list[tuple[int, str]] = []
    for name, put in _TELLING:
        told = {*getattr(usual, name)} if name == "main" else {getattr(usual, name), ""}
        if name == "text" and usual.text != "no text":
            told.add("some text")  # between two extremes
        others = [
            (frames, put(phrase))
            for phrase, frames in _votes(said, name).most_common()
            if phrase not in told | _NOTHING_TO_TELL and frames >= _RARE * len(said)
        ]
        found += others[:_OF_A_FACT]
    return [phrase for _, phrase in sorted(found, key=lambda one: -one[0])[:_AT_TIMES]]


def _votes(said: Sequence[Phrases], name: str) -> Counter[str]:
    """In how many frames each phrase of a fact is said, in the order of time."""
    return Counter(phrase for one in said for phrase in (one.main if name == "main" else (getattr(one, name),)))
