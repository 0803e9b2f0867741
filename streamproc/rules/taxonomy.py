"""What is worth an operator's attention at most places, from which induction takes away what is normal at one.

It is general on purpose: it names no site and no data set. A category whose text holds ``{things}`` lists those of its
names that were not seen in normal footage. Words that can mean something harmless in a caption ("hit", "shot", "lie")
stand only in phrases.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.types import About, Severity


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

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The keywords, synonyms together."""
        return tuple(tuple(entry.split("|")) for entry in self.keywords)


ANOMALIES: tuple[Category, ...] = (
    Category(
        "people-hurry",
        "human",
        "Someone runs or hurries, moving much faster than people do here.",
        ("run", "hurry", "rush", "sprint", "dash", "jog", "race", "flee", "bolt"),
    ),
    Category(
        "people-fall",
        "human",
        "Someone falls, has fallen or lies on the ground.",
        (
            "fall",
            "collapse",
            "tumble",
            "stumble",
            "faint",
            "unconscious",
            "lie down",
            "lie on the ground",
            "lie on the floor",
            "lie motionless",
        ),
        "error",
    ),
    Category(
        "people-fight",
        "human",
        "People fight, strike or push each other.",
        ("fight", "brawl", "punch", "wrestle", "attack", "assault", "shove", "beat up", "hit someone", "kick someone"),
        "error",
    ),
    Category(
        "people-climb",
        "human",
        "Someone climbs or jumps over a fence, a wall or a barrier.",
        ("climb", "jump over", "vault", "clamber", "scale the fence", "scale the wall"),
    ),
    Category(
        "people-crawl",
        "human",
        "Someone crawls, crouches or hides.",
        ("crawl", "crouch", "creep", "hide", "lurk", "sneak"),
    ),
    Category(
        "people-throw",
        "human",
        "Someone throws something or breaks things.",
        ("throw", "hurl", "smash", "vandalize|vandalise", "spray paint", "break a window|break the window"),
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
        "cycles",
        "environment",
        "Someone rides or pushes a {things} here.",
        ("bicycle|bike|cyclist", "scooter", "skateboard", "moped", "roller skate", "segway"),
        names=("bicycle", "scooter", "skateboard", "moped"),
    ),
    Category(
        "vehicles",
        "environment",
        "A {things} is here.",
        ("car", "truck|lorry", "van", "bus", "motorcycle|motorbike", "forklift", "tractor", "train", "boat"),
        names=("car", "truck", "van", "bus", "motorcycle", "train", "boat"),
    ),
    Category(
        "animals",
        "environment",
        "An animal is here: a {things}.",
        ("dog|puppy", "cat|kitten", "horse", "cow|cattle", "sheep", "fox", "wild boar", "deer", "elephant", "zebra"),
        names=("dog", "cat", "horse", "cow", "sheep", "deer"),
    ),
    Category(
        "things-left-behind",
        "environment",
        "A bag, a suitcase or a parcel is left behind by its owner.",
        ("unattended", "abandoned", "left behind", "left alone", "parcel", "suitcase"),
    ),
    Category(
        "fire-smoke",
        "environment",
        "Something burns or smoke rises.",
        ("fire|flame|blaze", "smoke", "burn", "explode|explosion"),
        "critical",
    ),
    Category(
        "water",
        "environment",
        "Water or another liquid floods or leaks.",
        ("flood", "leak", "spill", "burst pipe"),
    ),
)

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
