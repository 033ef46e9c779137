"""Refusals: answers in which a model says that it will not help, and which are no captions.

The rule. A text is a refusal when it opens by saying so in the first person, with an apology or without ("I'm sorry,
but I can't help with that", 「お答えできません」), and when nothing else in it could be a description: each further
sentence or clause refuses again, apologises, asks the user or offers something. In doubt it is a caption: a refusal
that is not recognised is one odd caption, a caption taken for a refusal is a lost one.
"""

from __future__ import annotations

import re

_LONGEST = 800  # characters; refusals are short
_LONGEST_CLAUSE = 200  # of the sentence that refuses: longer ones describe as well

_APOLOGY = (
    r"(?:(?:i'?m|i am|we'?re) (?:very |so |really )?sorry|(?:i|we) apologi[sz]e|my apologies|apologies|sorry"
    r"|unfortunately|regrettably)"
)
_AS_A_MODEL = (
    r"(?:as an? (?:ai|artificial|assistant|(?:large )?language)[^.,!?]{0,60}|i'?m (?:just )?an ai[^.,!?]{0,60})"
)
_NOT = (
    r"(?:i|we) (?:can't|cannot|can not|won't|will not|am unable to|am not able to|are unable to|must decline to"
    r"|do not feel comfortable|don't feel comfortable|am not comfortable)"
    r"|i'm (?:unable to|not able to|not comfortable)"
)
# "I can't help but smile" and "I cannot help noticing" refuse nothing; "I cannot see any people" describes.
_TASK = (
    r"(?:help(?: you)?(?: out)?(?! but\b| \w+ing\b)|assist|describ\w+|identify\w*|recogni[sz]\w+|provid\w+|generat\w+"
    r"|creat\w+|caption\w*|comment\w*|discuss\w*|analy[sz]\w+|fulfil\w*|comply|process\w*|answer\w*|continue|engage"
    r"|do (?:this|that)|(?:see|view|access|open) (?:this|the|an|any|that|your)(?: attached| provided| uploaded)?"
    r" (?:image|picture|photo|video|file)s?)"
)
_REFUSES = re.compile(
    rf"(?:{_APOLOGY}[,.!]? ?(?:but |however,? )?)?(?:{_AS_A_MODEL},? ?(?:and |but )?)?"
    rf"(?:(?:{_NOT}) (?:\w+ly |currently |to )?{_TASK}\b)"
)
_TALKS = re.compile(
    rf"^{_APOLOGY}\W*$"
    r"|\b(?:if you(?:'d|'re| would| want| need| have| can| like| could)|would you like|could you|can you|do you have"
    r"|let me know|please (?:provide|upload|share|send|try|let|note|feel|consult)|feel free|happy to help|glad to help"
    r"|i(?:'d| would) be (?:happy|glad)|i(?:'m| am) (?:happy|glad) to|your (?:request|understanding|question)"
    r"|(?:my|our|content|safety|usage) (?:guidelines|polic))"
)
_CLAUSES = re.compile(r"(?<=[.!?])\s+|\n+|[;:]\s+|,? (?:but|however|though|although)\b,? ")

_JA_SORRY = re.compile(
    r"(?:大変|誠に)?(?:申し訳|すみません|すいません|ごめんなさい|恐れ入りますが|恐縮ですが|残念ながら)"
)
_JA_TASK = r"(?:説明|描写|記述|お手伝い|お答え|お応え|回答|対応|提供|支援|キャプション|リクエスト|ご要望|ご依頼)"
_JA_NOT = r"(?:でき(?:ません|ない)|出来ません|かねます|いたしかねます)"
_JA_ENDS = re.compile(rf"{_JA_NOT}(?:でした)?$")
_JA_REFUSES = re.compile(rf"{_JA_TASK}[^「」『』]{{0,16}}{_JA_NOT}(?:でした)?$")
_JA_QUOTES = re.compile("[「『“\"':：]|[A-Za-z]{3}")  # what a sign says, or another language around it
_JA_TALKS = re.compile(
    r"(?:ください|下さい|でしょうか|ますか|申し訳(?:あり|ござい)ません|すみません|ごめんなさい|幸いです)$"
)


def is_refusal(text: str) -> bool:
    """Whether ``text``, a model's whole answer in English or Japanese, refuses and describes nothing."""
    plain = text.strip().replace("’", "'")
    if not plain or len(plain) > _LONGEST:
        return False
    return _is_english(" ".join(plain.lower().split(" ")).replace("**", "")) or _is_japanese(plain)


def _is_english(text: str) -> bool:
    if not _REFUSES.match(text):
        return False
    clauses = [clause.strip() for clause in _CLAUSES.split(text) if clause.strip()]
    return all(
        len(clause) <= _LONGEST_CLAUSE and bool(_REFUSES.match(clause) or _TALKS.search(clause)) for clause in clauses
    )


def _is_japanese(text: str) -> bool:
    sentences = [sentence.strip() for sentence in re.split(r"[。!！?？\n]+", text) if sentence.strip()]
    said = [_japanese_refuses(sentence) for sentence in sentences]
    return any(said[:2]) and all(
        refuses or bool(_JA_TALKS.search(sentence) and not _JA_QUOTES.search(sentence))
        for sentence, refuses in zip(sentences, said, strict=True)
    )


def _japanese_refuses(sentence: str) -> bool:
    if len(sentence) > _LONGEST_CLAUSE or _JA_QUOTES.search(sentence):
        return False
    sorry = bool(_JA_SORRY.match(sentence))
    return bool(_JA_REFUSES.search(sentence) or (sorry and _JA_ENDS.search(sentence)))
