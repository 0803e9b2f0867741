# Longer than 300 lines: all that a rule file may hold is looked up on one page, with the texts of its schema.
"""The rule set as it stands in YAML, and what it is to the rest of the program."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from streamproc.config import Day, Form, Hours, Settings, Slug
from streamproc.rules.prohibition import forbidden
from streamproc.rules.strength import blamed, strength
from streamproc.types import About, Rule, RuleSet, Says, Severity, Support, When
from streamproc.yamlfile import check_model, read_bytes
from streamproc.yamltree import Node


def _one_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise ValueError("must be one line")
    return text


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Form("64 hexadecimal digits")]
Sentence = Annotated[str, StringConstraints(min_length=3, max_length=400), AfterValidator(_one_line)]
Keyword = Annotated[str, StringConstraints(min_length=1, max_length=80), AfterValidator(_one_line)]
AlertId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$"), Form("32 hexadecimal digits")]
Count = Annotated[int, Field(ge=0)]
_ALL_IN_FULL: Mapping[str, float] = {}


class WhenModel(Settings):
    """Where and when a rule holds; what is left out does not limit it."""

    zones: tuple[Slug, ...] = ()
    """Zones of the camera, by name."""
    hours: Hours | None = None
    """HH:MM-HH:MM in the camera's time zone; may pass midnight. Put it in quotes."""
    days: tuple[Day, ...] = ()
    """Days of the week; the hours after midnight belong to the day on which they began."""


class SupportModel(Settings):
    """How many batches of the normal footage speak for the rule."""

    k: Count
    """Batches that speak for it: met in them (a normal rule), not met in them (an anomaly rule)."""
    n: Annotated[int, Field(ge=1)]
    """Batches looked at."""

    @model_validator(mode="after")
    def _k_of_n(self) -> SupportModel:
        if self.k > self.n:
            raise PydanticCustomError("k_of_n", "k is more than n", {"at": ("k",)})
        return self


class RuleModel(Settings):
    """One rule: what is said in one sentence, and the words to know it by."""

    id: Slug
    """Short id, unique in the file; alerts cite it: lower-case letters, digits, - and _."""
    about: About
    """What it is about: human (what people do) or environment (all else)."""
    says: Says
    """normal or anomaly."""
    text: Sentence
    """The rule in one sentence; what is seen is compared with its meaning. It may forbid: "No cycling here."."""
    keywords: tuple[Keyword, ...] = ()
    """Words that meet the rule in any inflection (run: runs, running, ran); never where they are negated. A rule
    that forbids needs none."""
    more_people_than: Count | None = None
    """A number: the rule is also met where more people are seen than that, in its zones where it has some."""
    weight: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What meeting the rule is worth. Below 0.6 it adds to other signs and raises no alert by itself; above,
    that depends on the alarm's threshold."""
    severity: Severity = "warning"
    """Of alerts that cite it: critical, error, warning or info."""
    support: SupportModel | None = None
    """Counted by induction; a person who writes a rule leaves it out."""
    when: WhenModel | None = None
    """Where and when it holds; always and everywhere if left out."""
    enabled: bool = True
    """false keeps the rule in the file and out of use."""

    def noun(self, strengths: Mapping[str, float] = _ALL_IN_FULL) -> Rule:
        """The rule as the other stages know it; ``strengths`` are of keywords that do not weigh in full.

        One that forbids ("No cycling here.") says anomaly of what it forbids, however it is put, and without keywords
        is known by the words of what it forbids.
        """
        forbids, about, says, keywords = "", self.about, self.says, self.keywords
        if (found := forbidden(self.text, self.says)) is not None:
            forbids, says = found.text, "anomaly"
            if not keywords and self.more_people_than is None:
                about, keywords = found.about, found.keywords
        return Rule(
            id=self.id,
            about=about,
            says=says,
            text=self.text,
            keywords=keywords,
            severity=self.severity,
            support=None if self.support is None else Support(self.support.k, self.support.n),
            when=None if self.when is None else When(self.when.zones, self.when.hours, self.when.days),
            enabled=self.enabled,
            strengths=tuple(strengths.get(word, 1.0) for word in keywords) if strengths else (),
            weight=self.weight,
            more_people_than=self.more_people_than,
            forbids=forbids,
        )


class ClipModel(Settings):
    """A clip of normal footage that was learned from."""

    name: str
    """File name."""
    sha256: Sha256
    """Of the file."""
    seconds: Annotated[float, Field(gt=0)]
    """How much of it was looked at."""


class ModelModel(Settings):
    """A model that had a part in the induction."""

    role: str
    """detector, perception, embedding, …"""
    name: str
    """Its name."""
    revision: str
    """Its version."""
    prompt_sha256: Sha256 | None = None
    """Of the prompt templates, where there are any."""


class MetKeyword(Settings):
    """A keyword that normal footage meets."""

    rule: Slug
    """The rule that it belongs to, or would have."""
    keyword: Keyword
    """The word."""
    captions: Annotated[int, Field(ge=1)]
    """Normal captions that hold it."""


class ContradictedRule(Settings):
    """An anomaly rule that induction left out."""

    text: str
    """Its sentence."""
    normal: str
    """What says that it is normal here: a normal rule's sentence, or what the footage holds."""


class InducedRule(Settings):
    """What the last induction wrote, so that the next one knows people's edits from its own words."""

    id: Slug
    """The rule."""
    sha256: Sha256
    """Of its fields as induced, without support and enabled."""


class ProvenanceModel(Settings):
    """Where the rules come from; written by induction, not meant to be edited."""

    how: str
    """The way of induction."""
    created_at: datetime
    """When, UTC."""
    clips: tuple[ClipModel, ...] = ()
    """The normal footage."""
    videos: tuple[str, ...] = ()
    """Videos of a file of captions, where rules were learned from one: leave them out when you measure."""
    captions: Count = 0
    """Captions that were counted."""
    models: tuple[ModelModel, ...] = ()
    """Models that had a part."""
    calibration: str | None = None
    """File beside this one with the camera's calibration."""
    calibration_sha256: Sha256 | None = None
    """Of that calibration, as its file says."""
    hours_observed: Annotated[float, Field(ge=0)] = 0.0
    """Hours of normal footage."""
    false_alarms_per_hour_max: Annotated[float, Field(ge=0)] | None = None
    """95 % upper bound of the rate of false alarms that this much footage, with ``alarms`` in it, supports."""
    alarms: Count = 0
    """Alarms that the normal footage itself raises, judged by what was learned from the rest of it."""
    alarm_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """Score that raises an alarm: above what normal footage scored with what was learned from the rest of it,
    but never so high that a keyword could raise none by itself."""
    dropped_keywords: tuple[MetKeyword, ...] = ()
    """Keywords that induction left out, because normal footage meets them too often."""
    doubted_keywords: tuple[MetKeyword, ...] = ()
    """Keywords that normal footage meets now and then: they weigh less. Take one out to have it weigh in full."""
    contradicted: tuple[ContradictedRule, ...] = ()
    """Anomaly rules that induction left out, as what they are about is normal here."""
    proposed: tuple[Slug, ...] = ()
    """Rules that too few batches speak for: switched off until a person switches them on, or more batches do."""
    retired: tuple[Slug, ...] = ()
    """Rules that an earlier induction wrote and the last one did not; they are switched off, not deleted."""
    removed: tuple[Slug, ...] = ()
    """Induced rules that people deleted; they are not written again. Take one out to have it back."""
    induced: tuple[InducedRule, ...] = ()
    """What the last induction wrote."""


class BlamedKeyword(Settings):
    """A keyword that raised alerts which operators called false, and none that they called right."""

    rule: Slug
    """The rule that it belongs to."""
    keyword: Keyword
    """The word."""
    false_alarms: Annotated[int, Field(ge=1)]
    """Alerts that it raised; each leaves it a quarter of its weight."""


class FeedbackModel(Settings):
    """What operators said of alerts, as far as the rules take it in; take it out to have the rules as they were."""

    right: tuple[AlertId, ...] = ()
    """Alerts that were right: none of them is given up."""
    false_alarms: tuple[AlertId, ...] = ()
    """Alerts that were false."""
    unresolved: tuple[AlertId, ...] = ()
    """False alarms that the rules would raise again; `streamproc rules recalibrate` says why."""
    alarm_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """Score that raises an alarm: above what false alarms scored, and at most what right ones did."""
    blamed_keywords: tuple[BlamedKeyword, ...] = ()
    """Keywords that weigh less for it."""


class RuleSetModel(Settings):
    """What is normal on one camera, and what is not."""

    schema_version: Literal[1]
    """Version of this file's form."""
    id: Slug | None = None
    """Name of the rule set; site and camera if left out."""
    site: Slug
    """Site, by its id."""
    camera: Slug
    """Camera, by its id."""
    version: Annotated[int, Field(ge=1)]
    """Counts up with each induction. An edit need not count it up: `rules history` and alerts tell it by its hash."""
    provenance: ProvenanceModel | None = None
    """Where the rules come from."""
    rules: tuple[RuleModel, ...]
    """The rules."""
    feedback: FeedbackModel | None = None
    """What operators said of alerts; written by `streamproc rules recalibrate`."""

    @model_validator(mode="after")
    def _ids_are_unique(self) -> RuleSetModel:
        first: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            if rule.id in first:
                message = f"the id {rule.id} is used twice"
                raise PydanticCustomError("ids_are_unique", message, {"at": ("rules", index, "id")})
            first[rule.id] = index
        return self

    def noun(self, sha256: str) -> RuleSet:
        """The rule set as the other stages know it; ``sha256`` is that of the file's bytes."""
        strengths: dict[str, dict[str, float]] = defaultdict(dict)
        for one in self.provenance.doubted_keywords if self.provenance else ():
            strengths[one.rule][one.keyword] = strength(
                one.captions, self.provenance.captions if self.provenance else 0
            )
        for blame in self.feedback.blamed_keywords if self.feedback else ():
            weighs = strengths[blame.rule].get(blame.keyword, 1.0)
            strengths[blame.rule][blame.keyword] = weighs * blamed(blame.false_alarms)
        scores = [
            part.alarm_score for part in (self.provenance, self.feedback) if part and part.alarm_score is not None
        ]
        return RuleSet(
            id=self.id or f"{self.site}-{self.camera}",
            site=self.site,
            camera=self.camera,
            version=self.version,
            sha256=sha256,
            rules=tuple(rule.noun(strengths.get(rule.id, _ALL_IN_FULL)) for rule in self.rules),
            calibration_sha256=self.provenance.calibration_sha256 if self.provenance else None,
            alarm_score=max(scores, default=None),
        )


def load_rules(path: Path) -> RuleSet:
    """The rule set in the file at ``path``.

    Raises:
        ConfigError: with all faults of the file.
    """
    return parse_rules(read_bytes(path), str(path))[0]


def parse_rules(data: bytes, name: str) -> tuple[RuleSet, RuleSetModel, Node]:
    """The rule set in a file's bytes, with its model and the tree of places; ``name`` stands in the faults.

    Raises:
        ConfigError: with all faults of the file.
    """
    model, root = check_model(data, RuleSetModel, name)
    return model.noun(hashlib.sha256(data).hexdigest()), model, root
