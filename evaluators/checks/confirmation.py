"""What a later message of the requester is: thanks, a machine's answer, or something to look at. Rules over text only.

Thanks count only when nothing but thanks and courtesies is left of the message, word for word from closed lists in
English, German and Chinese. Anything else is substantive: mistaking thanks for a complaint costs a look, mistaking a
complaint for thanks costs the customer.
"""

from __future__ import annotations

import re
from enum import StrEnum

from agents.ticket import Message
from evaluators.text import folded, unquoted

MAX_COURTESY = 400
"""Characters; nobody thanks at greater length without saying something else."""


class Followup(StrEnum):
    """What a message after the reply is."""

    THANKS = "thanks"
    AUTOMATIC = "automatic"
    SUBSTANTIVE = "substantive"


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.casefold().split())


_THANKS = _listed("thanks thank thx ty tysm cheers appreciated danke dank merci dankeschön bedanke")
_COURTESIES = _listed(
    """
    a all also and awesome best brilliant cool day dear everyone everything excellent evening fantastic fast for
    friendly from good got great greetings have help helpful helping hello hey hi i in is it kind lot lots lovely many
    message much nice now ok okay perfect quick quickly received regards reply response resolved service so
    solved solving sorted sorting speedy sincerely solution super support swift team that that's thats the there this
    very warm weekend well with wonderful works yay you your yours
    alle alles abend angekommen antwort auch bearbeitung beste besten bestens bis bin das dass den der die
    dir einen erhalten erledigt es euch eure euer für ganz gelöst geklappt gern gerne gruß grüße guten habe hallo hat
    herzlich herzliche herzlichen hilfe hilfreich ich ihnen ihr ihre in ist ja klasse liebe lg mfg vg mich mit nett
    nochmal nochmals perfekt prima prompte rasche rückmeldung schnell schnelle schnellen schöne schönen schönes sehr
    sie so spitze super tag tausend team toll tolle top unterstützung und viele vielen von wie wochenende wunderbar
    """
)
_CHINESE = (
    "非常感谢|十分感谢|感谢您的帮助|感谢你的帮助|感谢|谢谢|多谢|谢了|谢|"
    "您的帮助|你的帮助|问题已解决|问题解决了|已经解决了|解决了|已收到|收到了|收到|太好了|太棒了|好的|没问题|辛苦了|辛苦|"
    "很满意|满意|非常|您好|你好|你们|您们|大家|您|你|了|啦|呀|啊|哦|很好|真好|棒|祝好"
)
_CHINESE_COURTESY = re.compile(_CHINESE)
_CHINESE_THANKS = ("谢", "感谢")
_GRATEFUL_SIGNS = ("\U0001f44d", "\U0001f64f", "\u2764")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_WORDS_AND_SHORT_FORMS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_HAN = re.compile(r"[\u3400-\u9fff]")
_CLOSING = re.compile(
    r"(?:(?:kind|best|warm) regards|regards|best|cheers|sincerely|yours|"
    r"(?:viele|liebe|beste|herzliche|schöne) grüsse|mit freundlichen grüssen|gruss|lg|mfg|vg)[,.!]?"
)
_COMPLAINTS = _listed(
    """
    again broken but cancel complaint damaged defect defective error fail failed false however incorrect lost missing
    money never no none not nothing order paid please refund return still unfortunately unresolved unsolved wait
    waiting when where why wrong yet
    aber bestellung bitte defekt doch fehlt fehler falsch geld immer kaputt kein keine keinen leider nicht nichts nie
    noch offen storno trotzdem wann warte warum wo zurück
    """
)
_FURTHER = _listed("also another additionally else too auch außerdem noch weitere")
_FURTHER_CHINESE = ("谢", "另外", "还有", "也", "再问")
_FAULTS = _listed(
    """
    again although answer answered asked but contradict contradicts complaint confused disappointed false however
    incorrect mean meant never no none nope nor not nothing previous question really refund seriously sorry still though
    unclear unfortunately useless why wrong yet without cannot
    aber antwort beantwortet beschwerde doch erneut falsch frage gefragt immer kein keine keinen keinem leider meinte
    nein nicht nichts nie nochmal ohne trotzdem unklar warum wieso wirklich
    """
)
_FAULTS_CHINESE = ("不", "没", "错", "但", "可是", "投诉", "为什么", "怎么还", "未", "无")
_MATTERS = _listed(
    "broken complaint damaged money refund wrong beschwerde defekt erstattung falsch geld kaputt rückerstattung"
)
_MATTERS_CHINESE = ("退款", "投诉", "订单", "没收到")
_MACHINE = (
    "automatic reply",
    "automatic response",
    "auto reply",
    "auto-reply",
    "autoreply",
    "out of office",
    "out of the office",
    "out-of-office",
    "i am out of office",
    "i am out of the office",
    "i am currently out of",
    "i'm out of office",
    "i'm out of the office",
    "i'm currently out of",
    "thank you for your email. i am currently out of",
    "automatische antwort",
    "abwesenheitsnotiz",
    "abwesenheitsassistent",
    "abwesend:",
    "ich bin nicht im büro",
    "ich bin derzeit nicht im büro",
    "ich bin zurzeit nicht im büro",
    "ich bin zur zeit nicht im büro",
    "ich bin momentan nicht im büro",
    "自动回复",
    "自动答复",
    "我目前不在办公室",
    "我不在办公室",
)


def is_automatic(text: str, automatic_flag: bool) -> bool:
    """True if the mail system marked the message, or it begins as absence notices do and names no matter of money."""
    if automatic_flag:
        return True
    start = folded(unquoted(text[:4_000]))
    if not start.lstrip("[(【*").startswith(_MACHINE):
        return False
    return _MATTERS.isdisjoint(_WORD.findall(start)) and not any(matter in start for matter in _MATTERS_CHINESE)


def is_thanks(text: str) -> bool:
    """True if the message thanks and says nothing else; quoted lines and a signature after a closing do not count."""
    text = unquoted(text[: MAX_COURTESY * 20]).strip()
    body = folded(_without_signature(text))
    if not body or len(body) > MAX_COURTESY or re.search(r"[0-9?]", body):
        return False
    chinese = bool(_HAN.search(body))
    grateful = any(sign in body for sign in _CHINESE_THANKS if chinese) or any(sign in body for sign in _GRATEFUL_SIGNS)
    words = _WORD.findall(_CHINESE_COURTESY.sub(" ", body))
    grateful = grateful or not _THANKS.isdisjoint(words)
    left = [word for word in words if word not in _THANKS and word not in _COURTESIES]
    return grateful and (not left or _is_name(left, text))


def is_further_question(text: str) -> bool:
    """True if the message thanks, or says that it goes on to something else, asks, and finds fault with nothing.

    Such words do not say that what was answered before is unanswered; anything that could say so is no such message.
    """
    body = folded(unquoted(text[: MAX_COURTESY * 20]))
    words = set(_WORDS_AND_SHORT_FORMS.findall(body))
    goes_on = not words.isdisjoint(_THANKS | _FURTHER) or any(sign in body for sign in _FURTHER_CHINESE)
    faults = not words.isdisjoint(_FAULTS) or any(sign in body for sign in _FAULTS_CHINESE)
    short = any(word.endswith(("n't", "n’t")) for word in words)
    return "?" in body and goes_on and not faults and not short and len(body) <= MAX_COURTESY


def classify(message: Message) -> Followup:
    """What ``message`` is; a message that thanks and complains is substantive."""
    if is_automatic(message.text, message.automatic):
        return Followup.AUTOMATIC
    return Followup.THANKS if is_thanks(message.text) else Followup.SUBSTANTIVE


def _without_signature(text: str) -> str:
    """``text`` up to a closing formula on a line of its own, if after it come at most two short lines of names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        rest = lines[number + 1 :]
        if number and _CLOSING.fullmatch(folded(line)) and len(rest) <= 2 and all(map(_name_line, rest)):
            return "\n".join(lines[:number])
    return text


def _name_line(line: str) -> bool:
    words = _WORD.findall(line)
    plain = not re.search(r"[0-9?!]", line)
    return plain and len(words) <= 3 and all(_nameable(word) for word in words)


def _is_name(left: list[str], text: str) -> bool:
    """True if the one word left is a name addressed right after the thanks: ``Thanks, Lena!``"""
    if len(left) != 1:
        return False
    said = re.match(r"(?i:many thanks|thanks|thank you|danke|vielen dank)(?: so much| sehr)?,? ([^\W\d_]+)\b", text)
    return said is not None and said.group(1).casefold() == left[0] and _nameable(said.group(1))


def _nameable(word: str) -> bool:
    return word[:1].isupper() and not word.isupper() and word.casefold() not in _COMPLAINTS
