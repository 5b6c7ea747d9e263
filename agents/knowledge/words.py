"""Words as they are looked up: one form for both databases, so that an index in either finds the same.

Latin and similar scripts: words without accents, endings and stop words. Chinese, Japanese and Thai, which put no
spaces between words: pairs of characters, so that a word of two characters is found and no segmenter is needed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from agents.language import FUNCTION_WORDS

_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_FIRST = re.compile(rf"[{_UNSPACED}]")
_ASKING = (
    "how what when where which who why do does did can could would should will may am been had has as at by or so if"
    " me us our your they them there here any some get got want need like know tell help hey dear regards"
    " wie was wann wo welche welcher welches wer warum kann können koennen möchte habt ihr euch uns dass den dem des im"
    " am auf von bei oder wenn noch auch man wird werden gibt viele grüße gruß liebe lieber"
)
STOP = frozenset(_ASKING.split()).union(*FUNCTION_WORDS.values())
_PARTICLES = re.compile(
    "请问|怎么|什么|可以|如何|是否|能否|谢谢|你好|您好|多少|多久|时候|哪里|一下|是不是|能不能|这个|那个|我们|你们"
    "|[的了吗呢吧啊呀我你您]"
)
"""What Chinese questions are made of, whatever they are about."""
_STEM = 7
"""Letters of a word that count: what follows is inflection, or the rest of a German compound."""
_ENDINGS = ("ing", "ed", "en", "er", "es", "em", "e", "n", "s")


def tokens(text: str) -> list[str]:
    """The words of ``text`` in the order they stand, for looking up; a word that stands twice is there twice."""
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _FIRST.match(run):
            for part in filter(None, _PARTICLES.split(run)):
                found += [part[at : at + 2] for at in range(max(len(part) - 1, 1))]
        elif run not in STOP and (len(run) > 1 or run.isdigit()):
            found.append(_stem(run))
    return found


def _unaccented(word: str) -> str:
    if word.isascii():
        return word
    return "".join(char for char in unicodedata.normalize("NFD", word) if unicodedata.category(char) != "Mn")


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    word = _unaccented(word)
    if not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    while (shorter := _shorter(word)) != word:
        word = shorter
    if len(word) > 4 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:_STEM]


def _shorter(word: str) -> str:
    """``word`` without one ending, where enough is left of it."""
    if word.endswith("ss"):
        return word
    if len(word) == 4 and word.endswith("s"):
        return word[:3]
    return next((word[: -len(end)] for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 4), word)
