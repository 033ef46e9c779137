"""The words of Japanese captions: nouns, adjectives and verbs with their endings, apart from the particles.

BudouX says where words start. It knows no parts of speech: particles and endings are told by the lists here, and a verb
is put together again with what follows its stem (走っ, て, いる). What denies stays a word of its own, for
`yoin.drivers.negation`.
"""

from __future__ import annotations

import re
from itertools import pairwise

from yoin.japanese import is_cjk, is_japanese, word_starts
from yoin.language import Word, words

# Between two words of a phrase: 男性の顔, 静かな海.
LINKS = frozenset("の な".split())
# Words in kana alone that describe nothing: particles, copulas, pronouns, adverbs of degree, joining words.
_FUNCTION = frozenset(
    """
    が を は に へ と で も や か ね よ から まで より など だけ ほど しか ずつ ながら でも とか では には とは への
    からの での との について において における による により によって として とともに ため ための よう ように ような
    こと もの ところ さま ほか うち とき それ これ あれ その この あの ここ そこ どこ
    また そして しかし さらに ただし つまり とても かなり やや すべて ほぼ まるで いわゆる さまざま いくつ すぐ もう
    だ です である であり ます でし だっ まし ある あり あっ いる おり い いて する し して され さ なる なり なっ
    なって まだ そう らしい たい ない なく なし
    """.split()
)
# Verbs with which captions introduce what they describe; stems, in all their forms.
_TELLING = tuple(
    """
    写っ 映っ 写り 写さ 映し 描か 描い 見え 見られ 書か 示さ 示し 含ま 用い 使わ 使用 配置 表示 表現 撮影 感じ 与え
    置か 並べ 構成 作ら 行わ 持たせ
    """.split()
)
# Endings that belong to the verb before them.
_ENDINGS = frozenset("て た てる てい ている ていた れ れる られ られる せ せる おり ます まし ました".split())
_AFTER_TE = frozenset("いる い いた おり おら ある あり き くる しまう いて".split())
_SURU = frozenset("し さ する せ した して され される させ している されている".split())
# Where BudouX leaves a particle at its noun: ロゴ|や, や|ロゴ, の|子. A word ends after each match.
_STUCK = re.compile(
    r"[\u30a0-\u30ff](?=[やがをはもにでとの])"
    r"|(?<![\u3040-\u309f])[やがをはもにでとの](?=[\u30a0-\u30ff])|(?<![\u3040-\u309f])の(?=[\u3400-\u9fff])"
)
_KANA_ONLY = re.compile(r"^[\u3040-\u309f]+$")
_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff々]+")
_NOUN_END = re.compile(r"[\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff々]$")
_INFLECTED = re.compile(r"^([\u3040-\u309f]{2,}?|.*[\u30a0-\u30ff\u3400-\u9fff々][\u3040-\u309f]*?)"
                        r"(?:(?:て|で)(?:いる|いた|い|おり|いて|ある|あり)|た|て)$")  # fmt: skip


def caption_words(text: str) -> list[Word]:
    """The words of a caption in any language; Japanese ones by BudouX, with verbs whole."""
    if not is_japanese(text):
        return words(text)
    starts = word_starts(text)
    found = [word for word in words(text) if not is_cjk(word.text[0])]
    for run in _RUN.finditer(text):
        loose = {run.start() + match.end() for match in _STUCK.finditer(run.group())}
        inner = sorted(at for at in starts | loose if run.start() < at < run.end())
        edges = [run.start(), *inner, run.end()]
        pieces: list[tuple[int, int]] = []
        for start, end in pairwise(edges):
            if pieces and _continues(text[pieces[-1][0] : pieces[-1][1]], text[start:end]):
                pieces[-1] = (pieces[-1][0], end)
            else:
                pieces.append((start, end))
        found.extend(Word(start, end, text[start:end]) for start, end in pieces)
    return sorted(found, key=lambda word: word.start)


def _continues(before: str, piece: str) -> bool:
    """Whether ``piece`` is an ending of the word ``before``."""
    if before == "ませ":
        return piece == "ん"
    if before == "な":  # BudouX cuts なし, ない and なく
        return piece in ("し", "い", "く")
    if piece in ("的", "気") and _NOUN_END.search(before):  # 神秘的, 雰囲気
        return True
    if before in _FUNCTION or before in LINKS:
        return False
    if _NOUN_END.search(before):
        return piece in _SURU or (len(before) == 1 and piece in ("て", "た"))  # 配置されている; 着た
    if piece in _ENDINGS or (piece == "で" and before.endswith("ん")):
        return True
    return piece in _AFTER_TE and before.endswith(("て", "で"))


def describes(word: str) -> bool:
    """Whether ``word``, which has kana, is about something: no particle, ending or verb of telling."""
    if _KANA_ONLY.match(word):
        return len(word) > 1 and word not in _FUNCTION
    return not word.startswith(_TELLING) or bool(_NOUN_END.search(word))


def tells(word: str) -> bool:
    """Whether ``word`` only says that what stands before it is there: 写って, 見え."""
    return word.startswith(_TELLING) or word in ("あり", "い", "おり", "見当たら")


def stem(word: str) -> str:
    """What the forms of a verb share (走っ of 走っている, 走って and 走った); any other word as it is."""
    match = _INFLECTED.match(word)
    return match[1] if match else word
