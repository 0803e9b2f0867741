# Longer than 300 lines: it is one table, reviewed as a whole.
"""What is worth an operator's attention at most places, from which induction takes away what is normal at one.

It is general on purpose: it names no site and no data set. It goes through how people move (manner and posture), what
people do to each other and to property, what moves on wheels, and what is dangerous by itself. What people do with
their hands, voices and each other that is no danger by itself goes through the 80 atomic actions of AVA (Gu et al.,
CVPR 2018), less those that are ordinary at most places, and is a weak sign (``WEAK``). A category whose text holds
``{things}`` lists those of its names that were not seen in normal footage. The words of human categories are looked
for only in what is said of people; words that can still mean something harmless ("smoke" of a fire, "break") stand
only in phrases.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.types import About, Severity

WEAK = 0.2
"""Weight of what is unusual and no danger: it adds to other signs, and never raises an alarm alone."""


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of thing to watch for."""

    id: str
    about: About
    text: str
    """The rule's sentence; ``{things}`` stands for names joined by commas and "or"."""
    keywords: tuple[str, ...]
    """Joined by ``|`` where they are synonyms, which normal footage takes away together."""
    severity: Severity = "warning"
    names: tuple[str, ...] = ()
    """For ``{things}``: those of the keywords that are named in the text, most common first."""
    weight: float = 1.0
    """Of its rule."""

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The keywords, synonyms together."""
        return tuple(tuple(entry.split("|")) for entry in self.keywords)


ANOMALIES: tuple[Category, ...] = (
    Category(
        "people-hurry",
        "human",
        "Someone runs or hurries, moving much faster than people do here.",
        ("run", "hurry", "rush", "sprint", "dash", "jog", "race", "chase", "flee", "bolt"),
    ),
    Category(
        "people-leap",
        "human",
        "Someone jumps, leaps or does acrobatics.",
        ("jump", "leap", "hop", "somersault|cartwheel|backflip", "dance"),
    ),
    Category(
        "people-ride",
        "human",
        "Someone rides, cycles or skates here.",
        ("ride|rider", "cycle|cyclist", "skate|skater|skateboard|skateboarder", "rollerblade|roller skate", "scoot"),
    ),
    Category(
        "people-fall",
        "human",
        "Someone falls, has fallen or lies on the ground.",
        ("fall", "collapse", "tumble", "stumble", "slip", "faint", "unconscious", "lie"),
        "error",
    ),
    Category(
        "people-bend",
        "human",
        "Someone bends down, crouches, kneels or crawls.",
        ("bend|stoop", "crouch|squat", "kneel", "crawl|creep"),
    ),
    Category(
        "people-fight",
        "human",
        "People fight, strike, push or drag each other.",
        (
            "fight|brawl",
            "push|shove",
            "punch|hit|strike|slap",
            "kick",
            "wrestle|struggle|grapple",
            "grab|snatch",
            "drag|pull",
            "attack|assault",
            "argue|quarrel|altercation",
        ),
        "error",
    ),
    Category(
        "people-throw",
        "human",
        "Someone throws or drops something.",
        ("throw|toss|hurl|fling", "drop"),
    ),
    Category(
        "people-climb",
        "human",
        "Someone climbs over a fence, a wall or a barrier.",
        ("climb|clamber", "jump over|vault", "scale the fence|scale the wall"),
    ),
    Category(
        "people-lurk",
        "human",
        "Someone loiters, hides or sneaks about.",
        ("loiter|linger", "hide|lurk|sneak", "trespass|break in"),
    ),
    Category(
        "people-damage",
        "human",
        "Someone steals, breaks or defaces something.",
        ("steal|rob", "smash|break a window|break the window", "damage|vandalize|vandalise", "spray paint", "tamper"),
        "error",
    ),
    Category(
        "people-crowd",
        "human",
        "A crowd gathers, many more people than are usual here.",
        ("crowd", "mob", "riot", "stampede"),
    ),
    Category(
        "people-weapon",
        "human",
        "Someone holds a weapon.",
        ("weapon", "gun|rifle|pistol|handgun", "machete", "knife", "axe", "baseball bat"),
        "critical",
    ),
    Category(
        "people-handle",
        "human",
        "Someone picks something up, puts it down, hands it over or reaches for it.",
        (
            "pick",
            "put down|set down|lay down",
            "place",
            "lift",
            "catch",
            "reach",
            "take",
            "give|hand over",
            "exchange",
            "extract",
        ),
        "info",
        weight=WEAK,
    ),
    Category(
        "people-gesture",
        "human",
        "Someone waves, gestures, shouts or signals to others.",
        (
            "wave",
            "gesture|signal|beckon",
            "raise",
            "clap|applaud",
            "shake hands",
            "shout|scream|yell",
            "sing",
            "laugh",
        ),
        "info",
        weight=WEAK,
    ),
    Category(
        "people-touch",
        "human",
        "People hug, kiss, help or touch each other.",
        ("hug|embrace", "kiss", "help|assist", "touch"),
        "info",
        weight=WEAK,
    ),
    Category(
        "people-posture",
        "human",
        "Someone gets up, stretches, spins round, sleeps or swims here.",
        ("get up|stand up", "stretch", "spin|twirl", "sleep", "swim", "dress|undress"),
        "info",
        weight=WEAK,
    ),
    Category(
        "people-work",
        "human",
        "Someone digs, cuts, paints, cooks, smokes or takes pictures here.",
        (
            "dig|shovel",
            "cut|chop",
            "paint|draw",
            "cook|stir",
            "smoke",
            "photograph|take a photo|film|record",
            "press",
            "fish",
            "row|sail",
            "shoot",
            "clink",
        ),
        "info",
        weight=WEAK,
    ),
    Category(
        "cycles",
        "environment",
        "A {things} is here.",
        ("bicycle|bike", "scooter", "skateboard", "moped", "tricycle|unicycle", "segway|hoverboard"),
        names=("bicycle", "scooter", "skateboard", "moped"),
    ),
    Category(
        "vehicles",
        "environment",
        "A {things} is here.",
        (
            "vehicle",
            "car",
            "truck|lorry",
            "van",
            "bus",
            "motorcycle|motorbike",
            "forklift",
            "tractor",
            "trailer",
            "train",
            "boat",
        ),
        names=("vehicle", "car", "truck", "van", "bus", "motorcycle", "train", "boat"),
    ),
    Category(
        "handcarts",
        "environment",
        "Goods are moved on a {things} here.",
        ("cart", "trolley", "wagon|wheelbarrow", "hand truck|dolly"),
        names=("cart", "trolley", "wheelbarrow"),
    ),
    Category(
        "animals",
        "environment",
        "An animal is here: a {things}.",
        ("dog|puppy", "cat|kitten", "horse", "cow|cattle", "sheep", "fox", "wild boar", "deer"),
        names=("dog", "cat", "horse", "cow", "sheep", "deer"),
    ),
    Category(
        "things-left-behind",
        "environment",
        "A bag or a parcel is left behind by its owner.",
        ("unattended", "abandoned", "left behind", "left alone"),
    ),
    Category(
        "fire-smoke",
        "environment",
        "Something burns or smoke rises.",
        ("flame|on fire|blaze", "smoke rises|cloud of smoke|thick smoke|black smoke", "burn", "explode|explosion"),
        "critical",
    ),
    Category(
        "accident",
        "environment",
        "A vehicle crashes into another one or into a wall.",
        ("accident", "crash|collide|collision"),
        "error",
    ),
    Category(
        "water",
        "environment",
        "Water or another liquid floods or leaks.",
        ("flood", "leak", "spill", "burst pipe"),
    ),
)
_STANDS_FOR = {"vehicle": "vehicles", "animal": "animals", "weapon": "people-weapon", "ride": "people-ride"}
_HURRY = frozenset(word for one in ANOMALIES if one.id == "people-hurry" for words in one.words for word in words)
"""A camera cannot tell running from hurrying: each stands for all."""


def synonyms_of(word: str) -> tuple[str, ...]:
    """The words of all kinds that hold ``word``, a base form; empty where it is unusual by no kind."""
    found = (synonyms for category in ANOMALIES for synonyms in category.words if word in synonyms)
    return tuple(dict.fromkeys(one for synonyms in found for one in synonyms))


def kind_of(word: str) -> tuple[str, ...]:
    """All words of the category that ``word``, a base form, stands for; empty where it stands for itself alone."""
    return tuple(
        one
        for category in ANOMALIES
        if category.id == _STANDS_FOR.get(word, "people-hurry" if word in _HURRY else None)
        for synonyms in category.words
        for one in synonyms
    )


def is_unusual(word: str) -> bool:
    """Whether ``word``, a base form, names something that is worth attention at most places."""
    return bool(synonyms_of(word) or kind_of(word))


ORDINARY_ACTIONS: tuple[str, ...] = (
    "walk",
    "stand",
    "sit",
    "wait",
    "talk",
    "read",
    "queue",
    "shop",
    "eat",
    "drink",
    "enter",
    "cross",
    "ride",
    "drive",
    "play",
    "dance",
    "exercise",
)
"""What people do, to be found in captions that are free text."""

ORDINARY_THINGS: tuple[str, ...] = (
    "bench",
    "tree",
    "sign",
    "door",
    "staircase",
    "fence",
    "wall",
    "building",
    "shelf",
    "counter",
    "table",
    "chair",
    "lamp",
    "trash can",
    "umbrella",
    "bag",
    "backpack",
    "handbag",
    "stroller",
    "shopping cart",
    "traffic light",
    "potted plant",
    "phone",
    "box",
    "pallet",
    "container",
    "machine",
    "conveyor",
    "ladder",
    "gate",
    "barrier",
    "cone",
)
"""What stands around, to be found in captions that are free text, beside the names of the anomalies' things."""
