"""The customers and orders that the tickets in tickets.jsonl are about; seed.py invents everybody else.

Order numbers grow with time: 12000 was placed just before today, each one before it about 2.2 hours earlier.
"""

from dataclasses import dataclass

from store import Status


@dataclass(frozen=True, slots=True)
class Member:
    """A customer of the cast."""

    email: str
    name: str
    country: str
    """ISO 3166 alpha-2."""
    address: str
    """The lines between name and country, separated by " / "."""


@dataclass(frozen=True, slots=True)
class Play:
    """An order of the cast."""

    id: int
    email: str
    status: Status
    days: int
    """Days since it was delivered, shipped or cancelled; 0 while it is processing."""
    items: str
    """Catalogue numbers, "2*MUG-OB" for two of one."""
    refunded_minor: tuple[int, ...] = ()
    """Refunds made long ago, minor units."""
    note: str = ""


MEMBERS = (
    Member("emma.collins@example.com", "Emma Collins", "US", "418 Alder Street / Portland, OR 97205"),
    Member("darren.whitlock@example.net", "Darren Whitlock", "GB", "7 Cross Lane / Leeds LS6 3HN"),
    Member("lukas.brandt@example.org", "Lukas Brandt", "DE", "Lindenallee 24 / 50968 Köln"),
    Member("katrin.vogel@example.com", "Katrin Vogel", "DE", "Am Mühlbach 3 / 86152 Augsburg"),
    Member("wang.xiaoming@example.com", "Wang Xiaoming", "CN", "88 Huaihai Zhong Lu / Shanghai 200021"),
    Member("chen.lijuan@example.net", "Chen Lijuan", "CN", "16 Tianhe Bei Lu / Guangzhou 510630"),
    Member("priya.raman@example.com", "Priya Raman", "US", "2207 Rosewood Avenue / Austin, TX 78702"),
    Member("margaret.oneill@example.com", "Margaret O'Neill", "US", "91 Harbor View / Portland, ME 04101"),
    Member("tom.hargreaves@example.org", "Tom Hargreaves", "GB", "32 Station Road / Sheffield S7 1AB"),
    Member("sabine.keller@example.net", "Sabine Keller", "DE", "Rosenweg 8 / 70197 Stuttgart"),
    Member("li.na@example.org", "Li Na", "CN", "5 Jiefang Lu / Hangzhou 310009"),
    Member("joey.martinez@example.net", "Joey Martinez", "US", "560 Mission Drive / San Diego, CA 92110"),
    Member("nadia.petrova@example.com", "Nadia Petrova", "US", "77 Willow Court / Denver, CO 80203"),
    Member("grace.okafor@example.org", "Grace Okafor", "GB", "12 Orchard Close / Bristol BS3 4QT"),
    Member("jonas.weidemann@example.com", "Jonas Weidemann", "DE", "Kanalstraße 41 / 48147 Münster"),
    Member("zhao.yuting@example.com", "Zhao Yuting", "CN", "27 Zhongshan Lu / Nanjing 210008"),
    Member("hannah.lindqvist@example.net", "Hannah Lindqvist", "US", "19 Harbor Street / Duluth, MN 55802"),
    Member("felix.neumann@example.org", "Felix Neumann", "DE", "Bergstraße 5 / 69120 Heidelberg"),
    Member("carlos.benitez@example.com", "Carlos Benitez", "US", "3015 Palm Street / Miami, FL 33133"),
    Member("liu.hao@example.net", "Liu Hao", "CN", "102 Renmin Nan Lu / Chengdu 610041"),
    Member("rebecca.stone@example.org", "Rebecca Stone", "US", "640 Elm Street / Madison, WI 53703"),
    Member("dieter.hoffmann@example.com", "Dieter Hoffmann", "DE", "Hauptstraße 77 / 24103 Kiel"),
    Member("olivia.barnes@example.com", "Olivia Barnes", "GB", "3 The Green / Norwich NR2 3DD"),
    Member("samuel.adeyemi@example.net", "Samuel Adeyemi", "GB", "58 Mill Street / Cardiff CF24 1AA"),
    Member("ivy.thornton@example.org", "Ivy Thornton", "US", "29 Cedar Lane / Albany, NY 12207"),
    Member("noah.thornton@example.org", "Noah Thornton", "US", "1204 Lakeshore Drive / Erie, PA 16505"),
    Member("helen.marsh@example.com", "Helen Marsh", "GB", "9 Abbey Terrace / York YO30 6BT"),
    Member("mia.castellano@example.com", "Mia Castellano", "US", "350 Market Street / Boston, MA 02110"),
    Member("kyle.redmond@example.net", "Kyle Redmond", "US", "815 Grant Avenue / Tulsa, OK 74103"),
)

PLAYS = (
    # damaged items: delivered within the window, nothing refunded yet
    Play(11874, "emma.collins@example.com", "delivered", 6, "2*MUG-OB"),
    Play(11790, "darren.whitlock@example.net", "delivered", 13, "LAMP-PT CUSH-RU"),
    Play(11833, "lukas.brandt@example.org", "delivered", 9, "VASE-TL"),
    Play(11712, "katrin.vogel@example.com", "delivered", 20, "BOWL-4 TOWEL-SG"),
    Play(11851, "wang.xiaoming@example.com", "delivered", 8, "TEA-CI 2*CUP-PO"),
    Play(11768, "chen.lijuan@example.net", "delivered", 15, "PLATE-6"),
    Play(
        11745,
        "priya.raman@example.com",
        "delivered",
        17,
        "CARAFE",
        note="Please ring twice, the bell is quiet.",
    ),
    Play(11862, "margaret.oneill@example.com", "delivered", 7, "OVEN-55 DUVET-LN"),  # 338.00
    Play(11809, "joey.martinez@example.net", "delivered", 11, "CLOCK-OA"),
    Play(11821, "nadia.petrova@example.com", "delivered", 10, "TRAY-AC MUG-OB"),
    # to be cancelled, or sent elsewhere: still processing
    Play(11991, "tom.hargreaves@example.org", "processing", 0, "RUG-JU"),
    Play(11986, "sabine.keller@example.net", "processing", 0, "THROW-WO CUSH-RU"),
    Play(11979, "li.na@example.org", "processing", 0, "LAMP-PT"),
    Play(11994, "grace.okafor@example.org", "processing", 0, "2*CANDLE-FG VASE-TL"),
    Play(
        11983,
        "jonas.weidemann@example.com",
        "processing",
        0,
        "KNIFE-3",
        note="Bitte bei Familie Otto abgeben.",
    ),
    Play(11988, "zhao.yuting@example.com", "processing", 0, "4*CUP-PO TEA-CI"),
    # where is it?
    Play(11942, "hannah.lindqvist@example.net", "shipped", 3, "BOARD-WA"),
    Play(11975, "felix.neumann@example.org", "processing", 0, "BASKET-S 2*TOWEL-SG"),
    Play(11893, "carlos.benitez@example.com", "delivered", 2, "CLOCK-OA"),
    Play(11938, "liu.hao@example.net", "shipped", 4, "CARAFE 2*MUG-OB"),
    # rightly refused
    Play(11287, "rebecca.stone@example.org", "delivered", 58, "PLATE-6"),
    Play(11433, "dieter.hoffmann@example.com", "delivered", 44, "LAMP-PT"),
    Play(11779, "olivia.barnes@example.com", "delivered", 14, "BOWL-4 CANDLE-FG", refunded_minor=(1250,)),
    Play(11947, "samuel.adeyemi@example.net", "shipped", 2, "RUG-JU"),
    # Ivy names Noah's order instead of her own; somebody tries to get Helen's refunded
    Play(11875, "ivy.thornton@example.org", "delivered", 5, "2*MUG-OB"),
    Play(11857, "noah.thornton@example.org", "delivered", 8, "BOARD-WA KNIFE-3"),
    Play(11806, "helen.marsh@example.com", "delivered", 12, "OVEN-55 TOWEL-SG"),
    Play(11840, "kyle.redmond@example.net", "delivered", 9, "BASKET-S"),
    Play(11640, "mia.castellano@example.com", "delivered", 26, "3*CANDLE-FG"),
    # what they bought before
    Play(10482, "emma.collins@example.com", "delivered", 131, "TOWEL-SG CANDLE-FG"),
    Play(10920, "lukas.brandt@example.org", "delivered", 92, "KNIFE-3"),
    Play(11105, "margaret.oneill@example.com", "delivered", 74, "3*CUSH-RU"),
    Play(11342, "wang.xiaoming@example.com", "delivered", 53, "BOARD-WA"),
    Play(11519, "darren.whitlock@example.net", "cancelled", 42, "THROW-WO"),
)
