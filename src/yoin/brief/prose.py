"""The brief in a language model's words: asked for, and held against the brief that is ours.

A model adds what sounds good. So a sentence of its own may hold only numbers of the drivers that it names, or of the
study; only words that stand in the brief, or that any brief has; and nothing that says what causes what. Else nothing
of it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from yoin.brief.check import Line, unsupported
from yoin.brief.text import neutral, plain
from yoin.language import FUNCTION_WORDS, NEGATIONS, lemma, sentences, words

LONGEST = 3000  # characters of an answer
ASKED = """Rewrite the creative brief below as two or three short paragraphs that a designer reads with ease.
Use only what stands in it: no other element, color, place, style, number, name or claim. Numbers stay as they are,
beside the element that they belong to. Say that something "goes with" a higher or lower value, never that it causes it.
Plain text without headings, lists or markup; in the language of the brief.

"""
_CAUSAL = re.compile(
    r"\b(caus\w*|because|due to|lead\w* to|driv(?:es?|ing)|mak(?:es?|ing)|increas\w*|boost\w*|improv\w*|rais\w*"
    r"|reduc\w*|result\w* in|guarant\w*|prov(?:es?|en)|ensur\w*)\b",
    re.IGNORECASE,
)
_UP, _DOWN = (re.compile(rf"\b({words})\b", re.IGNORECASE) for words in ("higher|more|greater", "lower|less|avoid"))
# What any brief may say, as lemmas; everything else has to stand in ours.
_COMMON = frozenset(
    """
    brief creative designer design image picture visual element feature include including use show featuring avoid keep
    leave consider favor prefer choose aim focus combine pair together alongside beside both go higher lower high low
    value more less most least than average mean find study data row caption suggest indicate appear seem tend associate
    association effect difference interval range test idea try clear strong weak little small large first second third
    next also however while one each other all overall note please should could may might can would will need want let
    such as well rather instead within about around only
    """.split()
)


def unfit(answer: str, lines: Sequence[Line], facts: Mapping[str, Sequence[float]]) -> str:
    """Why a model's ``answer`` is no brief of ours, one reason; "" where it may stand.

    Args:
        answer: what it wrote.
        lines: our brief.
        facts: the numbers that a line may hold, by what it speaks of, as `yoin.brief.make.facts_of` gives them.
    """
    if not answer.strip() or len(answer) > LONGEST:
        return "it wrote nothing" if not answer.strip() else "it wrote far more than was asked for"
    if causal := _CAUSAL.search(answer):
        return f"“{causal.group()}” says more than a study can"
    known = {form for line in lines for form in _lemmas(line.text)} | _COMMON
    for form in sorted(_lemmas(answer) - known):
        return f"“{plain(form)}” stands nowhere in the study’s brief"
    drivers = {line.names[0]: line.subject for line in lines if line.subject.startswith("driver: ")}
    for start, end in sentences(answer):
        sentence = answer[start:end]
        named = [subject for name, subject in drivers.items() if _lemmas(name) <= _lemmas(sentence)]
        values = [value for subject in ("study", *named) for value in facts.get(subject, ())]
        bare = _without(drivers, sentence).replace("{", "(").replace("}", ")")
        if unsupported([Line(bare, "said")], {"said": values}):
            return "it holds a number that is not in the study, or not of what it is said of"
        up, down = bool(_UP.search(sentence)), bool(_DOWN.search(sentence))
        if up != down and any((facts[subject][0] > 0) != up for subject in named):
            return "it turns the direction of an element round"
    return ""


def paragraphs(answer: str, model: str) -> list[Line]:
    """The lines of a fit answer, and whose words they are."""
    said = [neutral(part) for part in re.split(r"\n\s*\n", answer.strip()) if part.strip()]
    lines = [Line(""), Line("## In short"), Line("")]
    for part in said:
        lines += [Line("{0}", names=(part,)), Line("")]
    return [
        *lines,
        Line("These words are {0}’s. All they say, and every number, stands below.", names=(neutral(model),)),
    ]


def _without(names: Iterable[str], sentence: str) -> str:
    """``sentence`` without the names in it: "three" in "three people" is no statement."""
    for name in names:
        bare = re.sub(r"\\(.)", r"\1", name)  # as a reader sees it
        if any(character.isalpha() for character in bare):
            pattern = rf"(?<![a-z\d]){re.escape(bare)}(?![a-z\d])"
            sentence = re.sub(pattern, " ", sentence, flags=re.IGNORECASE)
    return sentence


def _lemmas(text: str) -> set[str]:
    """The lemmas of the words that say something; numbers are held against the tables."""
    forms = {lemma(word.text) for word in words(text)}
    return {form for form in forms if form not in FUNCTION_WORDS and form not in NEGATIONS and not _number(form)}


def _number(form: str) -> bool:
    return form.replace(",", "").replace(".", "").isdecimal()
