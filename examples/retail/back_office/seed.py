"""Fill an empty database: 500 customers and 2,000 orders of the homeware shop Acme Home, always the same.

Everything is relative to one date, which is kept in the database. The cast of the tickets is in cast.py; the
rest is drawn from a random generator with a fixed seed.
"""

import json
import random
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from cast import MEMBERS, PLAYS, Play
from store import SCHEMA, Status, Store

CUSTOMERS, FIRST_ORDER, LAST_ORDER = 500, 10001, 12000
BETWEEN_ORDERS = timedelta(days=180) / (LAST_ORDER - FIRST_ORDER + 1)

CATALOGUE = {  # number: title, price in minor units
    "MUG-OB": ("Stoneware mug, ocean blue", 1745),
    "CUP-PO": ("Porcelain tea cup", 1290),
    "TEA-CI": ("Cast iron teapot, 0.8 l", 5900),
    "BOWL-4": ("Cereal bowls, set of 4", 3680),
    "PLATE-6": ("Dinner plates, set of 6", 7450),
    "CARAFE": ("Glass carafe with oak stopper", 4290),
    "VASE-TL": ("Ribbed vase, tall", 3950),
    "TRAY-AC": ("Serving tray, acacia", 2995),
    "BOARD-WA": ("Chopping board, walnut", 5490),
    "KNIFE-3": ("Kitchen knives, set of 3", 8900),
    "OVEN-55": ("Enamelled Dutch oven, 5.5 l", 18900),
    "LAMP-PT": ("Table lamp, pleated shade", 8450),
    "CLOCK-OA": ("Wall clock, oak", 6490),
    "CUSH-RU": ("Cushion cover, rust", 2450),
    "THROW-WO": ("Wool throw, grey", 7990),
    "RUG-JU": ("Jute rug, 120 x 180 cm", 12900),
    "DUVET-LN": ("Linen duvet set", 14900),
    "TOWEL-SG": ("Bath towels, sage, pair", 3290),
    "BASKET-S": ("Seagrass basket, small", 2690),
    "CANDLE-FG": ("Scented candle, fig", 2190),
}

# country: its name, share, given names, family names, streets, "postcode pattern|town" (# is a digit)
COUNTRIES: dict[str, tuple[str, int, str, str, str, str]] = {
    "US": (
        "United States", 42,
        "Ava Ethan Madison Tyler Chloe Jordan Brianna Marcus Natalie Sophia Logan Aaliyah Caleb Megan",
        "Walker Reyes Nguyen Bennett Coleman Hughes Ramirez Price Sanders Whitaker Doyle Patterson Ortiz",
        "Maple Street|Oak Avenue|Park Place|Chestnut Drive|Highland Avenue",
        "Seattle, WA 98###|Columbus, OH 43###|Atlanta, GA 30###|Phoenix, AZ 85###|Chicago, IL 60###",
    ),
    "GB": (
        "United Kingdom", 18,
        "Harriet Callum Imogen Rhys Poppy Alistair Bethan Declan Freya Gareth Isla Oliver Zainab Kieran",
        "Pemberton Hughes Fletcher Ahmed Sinclair Prescott Mackenzie Dawson Kaur Ellison Barlow Whitfield",
        "Church Lane|Victoria Road|Mill Close|King Street|The Crescent|Meadow View",
        "Manchester M## 4WT|Glasgow G## 8AX|Nottingham NG# 5FB|Exeter EX# 1DR|Liverpool L## 9JH",
    ),
    "DE": (
        "Germany", 18,
        "Annika Matthias Franziska Jürgen Leonie Sebastian Ulrike Moritz Heike Tobias Nele Svenja Thorsten",
        "Schneider Lehmann Krüger Baumann Winkler Schäfer Lorenz Böhm Seidel Graf Pohl Yildiz Albrecht",
        "Gartenstraße|Schillerstraße|Am Markt|Bahnhofstraße|Goethestraße|Wiesenweg",
        "20### Hamburg|80### München|04### Leipzig|60### Frankfurt am Main|28### Bremen|90### Nürnberg",
    ),
    "CN": (
        "China", 12,
        "Wei Fang Jing Lei Min Yan Tao Xiuying Jun Mengyao Bo Ziwei Haoran Yuxuan",
        "Zhang Huang Zhou Wu Xu Sun Hu Zhu Gao Lin He Guo Ma Luo",
        "Nanjing Xi Lu|Jianguo Lu|Changjiang Lu|Wuyi Lu|Xinhua Lu|Heping Lu",
        "Beijing 1000##|Shenzhen 5180##|Wuhan 4300##|Suzhou 2150##|Xiamen 3610##",
    ),
    "FR": (
        "France", 6,
        "Camille Julien Élodie Baptiste Manon Théo Inès Quentin",
        "Lefèvre Moreau Girard Fontaine Chevalier Renaud Dubois Marchand",
        "rue des Lilas|avenue Victor Hugo|place du Marché|rue de la Gare",
        "69### Lyon|31### Toulouse|44### Nantes|59### Lille",
    ),
    "IN": (
        "India", 4,
        "Ananya Rohan Kavya Arjun Meera Vikram Ishita Aditya",
        "Sharma Iyer Mehta Kulkarni Das Nair Kapoor Reddy",
        "MG Road|Park Street|Lake View Road|Station Road",
        "Bengaluru 5600##|Pune 4110##|Chennai 6000##|Kolkata 7000##",
    ),
}  # fmt: skip
DOMAINS = ("example.com", "example.net", "example.org", "mail.example", "post.example")
CARRIERS = {"US": "UPS FedEx USPS", "GB": "Royal#Mail DPD", "DE": "DHL DPD Hermes", "CN": "SF#Express EMS"}
STAFF = ("m.reyes", "j.okafor", "s.lindholm")
REASONS = ("damaged", "wrong_item", "goodwill", "returned", "not_received")
NOTES = (
    "Please leave the parcel with the neighbour at number 4.",
    "It's a present, please no invoice in the box!",
    "Doorbell is broken -> call me when you are here",
    "Bitte erst nach 17 Uhr liefern, vielen Dank.",
    "pls pack well, last time a corner was chipped :(",
    "No rush with this one, we are away until the weekend.",
    "<b>FRAGILE</b> & handle with care",
)
ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "É": "e"})

Row = tuple[object, ...]


def seed(store: Store, *, today: date) -> None:
    """Make and fill the database in one transaction, unless it is there already (`today` is then ignored)."""
    store.path.parent.mkdir(parents=True, exist_ok=True)
    store.switch_to_wal()
    with store.transaction(write=True) as connection:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
            return
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('today', ?)", (today.isoformat(),))
        _fill(connection, datetime.combine(today, time(), UTC))


def _fill(connection: sqlite3.Connection, midnight: datetime) -> None:
    rng = random.Random(20260)
    people = _people(rng)
    since = [midnight - timedelta(minutes=rng.randint(190 * 1440, 1400 * 1440)) for _ in people]
    connection.executemany(
        "INSERT INTO customers (email, name, country, created_at) VALUES (?, ?, ?, ?)",
        [(*person[:3], _iso(at)) for person, at in zip(people, since, strict=True)],
    )
    addresses = {email: (country, f"{name}\n{address}") for email, name, country, address in people}
    strangers = [email for email, *_ in people[len(MEMBERS) :]]
    plays = {play.id: play for play in PLAYS}
    orders: list[Row] = []
    refunds: list[Row] = []
    for number in range(FIRST_ORDER, LAST_ORDER + 1):
        placed = midnight - (LAST_ORDER - number) * BETWEEN_ORDERS - timedelta(minutes=rng.randint(5, 120))
        play = plays.get(number) or _improvised(rng, number, strangers, (midnight - placed).days)
        order, total_minor = _order_row(rng, play, midnight, placed, *addresses[play.email])
        orders.append(order)
        amounts = play.refunded_minor or (_refunds(rng, total_minor) if number not in plays else ())
        for nth, amount in enumerate(amounts if play.status == "delivered" else ()):
            at = midnight - timedelta(days=max(play.days - 1 - nth, 0), minutes=rng.randint(10, 600))
            row = (f"R-{rng.getrandbits(40):010x}", str(number), amount, rng.choice(REASONS))
            refunds.append((*row, f"CS-{rng.randint(20000, 98000)}", _iso(at), rng.choice(STAFF)))
    connection.executemany(
        "INSERT INTO orders (id, customer_email, status, currency, items, total_minor, address, placed_at,"
        " shipped_at, delivered_at, expected_on, cancelled_at, cancel_reason, cancel_reference, carrier,"
        " tracking_number, customer_note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        orders,
    )
    connection.executemany(
        "INSERT INTO refunds (id, order_id, amount_minor, reason, reference, created_at, actor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        refunds,
    )


def _people(rng: random.Random) -> list[tuple[str, str, str, str]]:
    """(e-mail, name, country, address lines): the cast, then strangers with other e-mail addresses."""
    people = []
    for one in MEMBERS:
        lines = [*one.address.split(" / "), COUNTRIES[one.country][0]]
        people.append((one.email, one.name, one.country, "\n".join(lines)))
    taken = {email for email, *_ in people}
    shares = [facts[1] for facts in COUNTRIES.values()]
    while len(people) < CUSTOMERS:
        code = rng.choices(list(COUNTRIES), shares)[0]
        country, _, given, family, streets, towns = COUNTRIES[code]
        first, last = rng.choice(given.split()), rng.choice(family.split())
        user = f"{first}.{last}".lower().translate(ASCII)
        email = f"{user}{rng.choice(('', '', rng.randint(2, 99)))}@{rng.choice(DOMAINS)}"
        if email in taken:
            continue
        taken.add(email)
        street, house = rng.choice(streets.split("|")), rng.randint(2, 240)
        street = f"{street} {house}" if code == "DE" else f"{house} {street}"
        town = re.sub("#", lambda _: str(rng.randint(1, 9)), rng.choice(towns.split("|")))
        name = f"{last} {first}" if code == "CN" else f"{first} {last}"
        people.append((email, name, code, f"{street}\n{town}\n{country}"))
    return people


def _improvised(rng: random.Random, number: int, emails: Sequence[str], age: int) -> Play:
    """An order of a stranger, `age` days old, in a state that fits its age."""
    status: Status = "delivered"
    if rng.random() < 0.045:
        status = "cancelled"
    elif age < 2 or (age < 4 and rng.random() < 0.4):
        status = "processing"
    elif age < 7 or (age < 9 and rng.random() < 0.4):
        status = "shipped"
    since_placed = {"processing": age, "cancelled": 1, "shipped": 2, "delivered": rng.randint(5, 6)}[status]
    days = max(age - since_placed, 0)
    chosen = rng.sample(list(CATALOGUE), rng.choices((1, 2, 3, 4), (50, 28, 15, 7))[0])
    items = " ".join(f"{rng.choices((1, 2, 3), (75, 18, 7))[0]}*{sku}" for sku in chosen)
    note = rng.choice(NOTES) if rng.random() < 0.06 else ""
    return Play(number, rng.choice(emails), status, days, items, note=note)


def _order_row(
    rng: random.Random, play: Play, midnight: datetime, placed: datetime, country: str, address: str
) -> tuple[Row, int]:
    """The columns of one order, and its total in minor units."""
    items = []
    for text in play.items.split():
        count, _, sku = text.rpartition("*")
        title, unit_minor = CATALOGUE[sku]
        items.append({"sku": sku, "title": title, "quantity": int(count or 1), "unit_minor": unit_minor})
    total_minor = sum(int(str(item["quantity"])) * int(str(item["unit_minor"])) for item in items)

    last = midnight - timedelta(days=play.days, minutes=rng.randint(200, 900))
    shipped = delivered = cancelled = expected = None
    carrier = tracking = reason = reference = ""
    if play.status == "cancelled":
        cancelled = max(last, placed + timedelta(minutes=4))
        reason = rng.choice(("customer_request", "out_of_stock"))
        reference = f"CS-{rng.randint(20000, 98000)}"
    elif play.status == "processing":
        expected = midnight + timedelta(days=rng.randint(4, 6))
    else:
        shipped, expected = last, midnight + timedelta(days=rng.randint(1, 3))
        if play.status == "delivered":
            delivered, shipped = last, placed + (last - placed) * 0.3
            expected = delivered + timedelta(days=rng.randint(-1, 1))
        carrier = rng.choice(CARRIERS.get(country, "DHL UPS").split()).replace("#", " ")
        tracking = f"{carrier[:2].upper()}{rng.randint(10**11, 10**12 - 1)}"
    row = (
        str(play.id), play.email, play.status, "USD", json.dumps(items), total_minor, address, _iso(placed),
        shipped and _iso(shipped), delivered and _iso(delivered), expected and expected.date().isoformat(),
        cancelled and _iso(cancelled), reason, reference, carrier, tracking, play.note,
    )  # fmt: skip
    return row, total_minor


def _refunds(rng: random.Random, total_minor: int) -> tuple[int, ...]:
    """Of a delivered order: mostly none, sometimes one or two in part, seldom in full."""
    draw = rng.random()
    if draw < 0.94:
        return ()
    if draw < 0.97:
        return (total_minor * rng.randint(10, 50) // 100,)
    if draw < 0.985:
        return (total_minor * rng.randint(10, 30) // 100, total_minor * rng.randint(10, 30) // 100)
    return (total_minor,)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
