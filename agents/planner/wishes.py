"""Is a wish really one? Words that name an effect may forbid it, take it back, ask about it or make it depend.

Rules over the sentence that names it, in English, German and Chinese: coarse, and on the side of doubt. A wish in doubt
is for a person; no rule here ever makes a wish out of words that hold none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SENTENCE = re.compile(r"(?<=[.!?。！？;；\n])")
_NOT_BEFORE = re.compile(
    r"\b(?:do not|don['’]?t|not|never|no|without|instead of|nicht|kein|keine|keinen|statt)\b(?:\s+\w+){0,3}\s*$"
    r"|(?:不要|不用|不想|不需要|无需|无须|别|不必|不是要)[^，。！？,.!?]{0,6}$",
    re.IGNORECASE,
)
_PAST_BEFORE = re.compile(
    r"\b(?:been|already|had an?|got (?:a|my|the)|received (?:a|my|the)|wurde|bereits|schon)\b(?:\s+\w+){0,5}\s*$"
    r"|已经[^，。！？]{0,4}$",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(r"^\w*(?:\W+\w+){0,8}?\W+nicht\b(?!\s+mehr)", re.IGNORECASE)
"""Every repeated part begins where the one before it cannot go on, so that no text takes long."""
_DEPENDS = re.compile(r"\b(?:if|whether|just asking|only asking|should i|falls|wenn|ob)\b|如果|是否", re.IGNORECASE)
_TAKEN_BACK = re.compile(
    r"\b(?:never ?mind|forget it|just kidding|disregard|ignore (?:my|this|that|the)|changed my mind|keep it|no need"
    r"|just asking|only asking|do nothing|don['’]?t do anything|i can come after all)\b"
    r"|\b(?:doch nicht|hat sich erledigt|vergessen sie|nur eine frage|behalte)\b"
    r"|算了|不用了|当我没说|改变主意|只是问|开玩笑",
    re.IGNORECASE,
)


def doubt(words: Sequence[str], phrases: Sequence[str]) -> str:
    """Why nobody can be sure that ``words`` ask for what ``phrases`` name; empty where nothing speaks against it.

    Args:
        words: what the requester wrote, oldest first.
        phrases: words by which the wish is known, lower case; they may hold a negation of their own.
    """
    text = "\n".join(words)
    said = [found.start() for phrase in phrases for found in re.finditer(re.escape(phrase), text, re.IGNORECASE)]
    if not said:
        return ""
    back = _TAKEN_BACK.search(text, min(said))
    if back is not None:
        return f"the requester wrote {back.group()!r}"
    told = [(sentence, _against(sentence, phrase)) for sentence, phrase in _sentences(text, phrases)]
    forbids = next((sentence for sentence, _ in told if _denies(sentence, phrases)), "")
    unclear = forbids or ("" if any(not against for _, against in told) else told[0][0])
    return f"the requester wrote {' '.join(unclear.split())[:160]!r}" if unclear else ""


def denied(words: Sequence[str], phrases: Sequence[str]) -> bool:
    """True if every sentence of ``words`` that names the wish forbids it: nobody can say that it was asked for."""
    told = [sentence for sentence, _ in _sentences("\n".join(words), phrases)]
    return bool(told) and all(_denies(sentence, phrases) for sentence in told)


def _sentences(text: str, phrases: Sequence[str]) -> list[tuple[str, str]]:
    """(sentence, phrase) wherever a sentence holds a phrase."""
    found = [(sentence, phrase) for sentence in _SENTENCE.split(text) for phrase in phrases]
    return [(sentence, phrase) for sentence, phrase in found if phrase in sentence.casefold()]


def _parted(sentence: str, phrase: str) -> tuple[str, str]:
    at = sentence.casefold().find(phrase)
    return sentence[:at], sentence[at + len(phrase) :]


def _against(sentence: str, phrase: str) -> bool:
    ahead, _ = _parted(sentence, phrase)
    return bool(_PAST_BEFORE.search(ahead) or _DEPENDS.search(sentence)) or _denies(sentence, [phrase])


def _denies(sentence: str, phrases: Sequence[str]) -> bool:
    parted = [_parted(sentence, phrase) for phrase in phrases if phrase in sentence.casefold()]
    return any(_NOT_BEFORE.search(ahead) or _NOT_AFTER.search(behind) for ahead, behind in parted)
