"""Subscriptions to begin with: those of the people who write tickets, and others. The same ones on every day.

Ages are counted in days before today, so that the story is the same whenever the example is tried.
"""

import random
from datetime import date, timedelta

from subscriptions_app.plans import PLANS, period_around
from subscriptions_app.store import Seeded, Store

OTHERS = 48
"""Subscriptions of people who never write."""

# number, e-mail address, name, plan, seats, paid by, days since it began, days since it was cancelled, ... was offered
CAST = """
20417 | olivia.hart@example.com     | Olivia Hart     | team     |  12 | month |  412 |    |
20433 | chen.siyuan@example.net     | 陈思远          | team     |   5 | month |  233 |    |
20458 | marcus.bell@example.org     | Marcus Bell     | business |   8 | month |  158 |    |
20466 | zhou.min@example.com        | 周敏            | starter  |   2 | month |  301 |    |
20471 | hannah.weiss@example.net    | Hannah Weiss    | team     |   6 | year  |  260 |    |
20489 | sun.hao@example.org         | 孙浩            | team     |   4 | month |   24 |    |
20502 | daniel.okoye@example.com    | Daniel Okoye    | team     |  10 | month |  130 |    |
20516 | lin.jiayi@example.net       | 林佳怡          | business |   6 | month |  199 |    |
20523 | sofia.marino@example.org    | Sofia Marino    | team     |   7 | month |  340 |    |
20537 | gu.wenbo@example.com        | 顾文博          | team     |   9 | month |  275 |    |
20544 | peter.lang@example.net      | Peter Lang      | starter  |   3 | month |   88 |    |
20551 | aisha.rahman@example.org    | Aisha Rahman    | team     |  15 | month |  510 |    | 120
20568 | he.yulin@example.com        | 何雨霖          | business |  40 | month |  366 |    |
20579 | grace.kim@example.net       | Grace Kim       | business | 160 | month |  705 |    |
20583 | tang.ruoxi@example.org      | 唐若曦          | team     |  30 | month |  182 |  11 |
20596 | noah.fischer@example.com    | Noah Fischer    | team     | 220 | month |  278 |    |
20604 | wei.lan@example.net         | 魏岚            | starter  |   1 | month |  150 |    |
20612 | emily.ross@example.org      | Emily Ross      | team     |   3 | month |  610 |    |
20625 | xu.zhiyuan@example.com      | 许志远          | team     |  20 | month |  455 |    |
"""
GIVEN = "Alice Bruno Clara David Elena Farid Greta Hugo Irene Jonas Kavya Liam Meilin Nora Oscar Petra Ruth Stefan Tara"
FAMILY = "Adler Brooks Costa Duan Evans Fang Gomez Hale Ito Jansen Kaur Lopez Ma Novak Owens Park Quinn Ricci Sato Tan"


def seed(store: Store) -> None:
    """Fill an empty store; one that has customers is left as it is."""
    if not store.empty():
        return
    today = store.today()
    chance = random.Random(20417)
    for one in [*_cast(today), *_others(today, chance)]:
        store.add(one, _invoices(one, today))


def _cast(today: date) -> list[Seeded]:
    found = []
    for line in CAST.strip().splitlines():
        number, email, name, plan, seats, period, began, cancelled, offered = (part.strip() for part in line.split("|"))
        found.append(
            Seeded(
                id=number, email=email, name=name, plan=plan, seats=int(seats), period=period,
                started_on=today - timedelta(days=int(began)),
                cancelled_on=today - timedelta(days=int(cancelled)) if cancelled else None,
                offered_on=today - timedelta(days=int(offered)) if offered else None,
            )
        )  # fmt: skip
    return found


def _others(today: date, chance: random.Random) -> list[Seeded]:
    given, family = GIVEN.split(), FAMILY.split()
    found = []
    for n in range(OTHERS):
        first, last, plan = chance.choice(given), chance.choice(family), chance.choice(list(PLANS.values()))
        began = chance.randint(5, 900)
        found.append(
            Seeded(
                id=str(21000 + n), email=f"{first}.{last}{n}@mail.example".casefold(), name=f"{first} {last}",
                plan=plan.id, seats=chance.randint(1, min(plan.most_seats, 60)),
                period=chance.choice(("month", "month", "year")), started_on=today - timedelta(days=began),
                cancelled_on=today - timedelta(days=chance.randint(0, began)) if chance.random() < 0.15 else None,
            )
        )  # fmt: skip
    return found


def _invoices(one: Seeded, today: date) -> dict[str, tuple[date, int]]:
    """The newest invoice, of the period that is paid (or was the last one)."""
    start, _ = period_around(one.cancelled_on or today, one.started_on, one.period)
    total = PLANS[one.plan].price_minor(one.seats, one.period)
    return {f"LL-{start:%Y%m}-{one.id}": (start, total)}
