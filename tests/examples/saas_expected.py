"""How each ticket of examples/saas must end, and why: the answer key of the second example. Amounts in fen."""

from tests.examples.expected import End, Final


def _retained(amount_minor: int, why: str, final: Final = "charged") -> End:
    return End("subscription_retained", final, "effect_verified", amount_minor, why)


def _cancelled(why: str) -> End:
    return End("subscription_cancelled", "charged", "effect_verified", 200, why)


def _changed(why: str, final: Final = "charged") -> End:
    return End("plan_changed", final, "effect_verified", 600 if final == "charged" else 0, why)


def _invoice(why: str) -> End:
    return End("invoice_found", "charged", "grounded", 150, why)


def _answered(why: str) -> End:
    return End("question_answered", "charged", "grounded", 120, why)


def _nothing(final: Final, why: str) -> End:
    return End(None, final, None, 0, why)


EXPECTED: dict[str, End] = {
    "T-2001": _retained(19_584, "12 seats, 816.00 a month: took the offer; a tenth of 3 x 652.80"),
    "T-2002": _retained(8_160, "5 seats, 340.00 a month, Chinese: took the offer; a tenth of 3 x 272.00"),
    "T-2003": _cancelled("was made the offer and declined"),
    "T-2004": _cancelled("was made the offer and declined, Chinese"),
    "T-2005": _cancelled("pays by the year: no offer, cancelled right away"),
    "T-2006": _cancelled("24 days old: no offer, cancelled right away, Chinese"),
    "T-2007": _changed("Team to Business, the difference for the days left; the thanks afterwards do not reopen"),
    "T-2008": _changed("Business to Team, credited; came back after it was settled", "reversed"),
    "T-2009": _nothing("no_claim", "there is no Enterprise plan: told which there are"),
    "T-2010": End("refused_correctly", "charged", "grounded", 250, "9 seats do not fit in Starter, Chinese"),
    "T-2011": _invoice("told number, date and amount of the newest invoice"),
    "T-2012": _cancelled("number missing at first; took an offer 120 days ago, so none is made now"),
    "T-2013": _invoice("told number, date and amount of the newest invoice, Chinese"),
    "T-2014": _retained(
        0, "160 seats: the price ends at 300.00; cancelled after it was settled: given back", "reversed"
    ),
    "T-2015": _nothing("no_claim", "the subscription was cancelled before: told so, Chinese"),
    "T-2016": _changed("220 seats: above 5,000.00, changed after a person's approval"),
    "T-2017": _nothing("no_claim", "somebody else's subscription: told that it was not found, Chinese"),
    "T-2018": _nothing("handed_off", "orders given to the agent, no request that a procedure fits"),
    "T-2019": _nothing(
        "handed_off", "asks something instead of deciding on the offer: a person answers; hidden orders"
    ),
    "T-2020": _retained(0, "took the offer, then cancelled on the web page before thirty days were over", "void"),
    "T-2021": _nothing("excluded", "the helpdesk tagged it as spam"),
    "T-2022": _nothing("handed_off", "no procedure fits a sponsorship, and the help pages say nothing about it"),
    "T-2023": _answered("the page about guests says it"),
    "T-2024": _answered("the Chinese page about signing in says it"),
    "T-2025": _nothing("handed_off", "the help pages have nothing about running it on one's own servers"),
    "T-2026": _answered("the Chinese page about exporting says it"),
}
