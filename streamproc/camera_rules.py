"""What a camera's rule file says before anything is started: where it is, what score alarms, what to know of that."""

from __future__ import annotations

from pathlib import Path

from streamproc.config import CameraSettings, VoterWeights
from streamproc.deduction.calibration import keyword_alone, support
from streamproc.deduction.voters import strength_of
from streamproc.errors import ConfigError, Fault
from streamproc.rules.schema import parse_rules
from streamproc.site import LoadedSite
from streamproc.types import RuleSet
from streamproc.yamlfile import read_bytes


def rules_path(loaded: LoadedSite, camera: CameraSettings) -> Path:
    """The camera's rule file.

    Raises:
        ConfigError: the site file names none, or it is not there yet; says how to make one.
    """
    remedy = f"write it with: streamproc induce {loaded.path} --camera {camera.id} --clips 'normal/*.mp4'"
    if camera.rules is None:
        message = f"without rules nothing can be decided; add e.g. `rules: ../rules/{camera.id}.yaml` and {remedy}"
    elif not camera.rules.exists():
        message = f"there is no rule file {camera.rules} yet; {remedy}"
    else:
        return camera.rules
    number = [one.id for one in loaded.settings.cameras].index(camera.id)
    raise ConfigError(faults=(Fault(str(loaded.path), None, None, f"cameras.{number}.rules", message),))


def alarm_score(loaded: LoadedSite, camera: CameraSettings) -> float:
    """The smoothed score that raises an alarm: what the preset says, or more where normal footage came near it.

    Raises:
        ConfigError: the rule file does not load, or the preset asks for a rate of false alarms that the camera's
            normal footage cannot speak for.
    """
    settings = loaded.pipeline.deduction
    path = rules_path(loaded, camera)
    rules, model, _ = parse_rules(read_bytes(path), str(path))
    provenance = model.provenance
    if settings.max_false_alarms_per_hour is not None:
        try:
            hours, seen = (provenance.hours_observed, provenance.alarms) if provenance else (0.0, 0)
            support(settings.max_false_alarms_per_hour, hours, seen)
        except ConfigError as error:
            raise ConfigError(faults=(Fault(str(path), None, None, "", error.message),)) from None
    return max(settings.alarm_score, rules.alarm_score or 0.0)


def set_without_llm(loaded: LoadedSite, camera: CameraSettings) -> str | None:
    """What to know of the camera's alarm threshold where a language model votes that had no part in setting it.

    Raises:
        ConfigError: the rule file does not load.
    """
    if loaded.pipeline.deduction.llm is None:
        return None
    path = rules_path(loaded, camera)
    provenance = parse_rules(read_bytes(path), str(path))[1].provenance
    if provenance is not None and any(model.role == "deduction" for model in provenance.models):
        return None
    return (
        "the alarm threshold was calibrated without the language model that votes here: what its votes make of normal "
        "footage is not known"
    )


def hints(rules: RuleSet, weights: VoterWeights, threshold: float) -> list[str]:
    """The ids of anomaly rules whose best keyword alone does not reach ``threshold``: weak signs, which add up."""
    return [
        rule.id
        for rule in rules.rules
        if rule.enabled and rule.says == "anomaly" and (rule.keywords or rule.more_people_than is not None)
        if keyword_alone(weights, strength_of([(rule.id, rule.weight * max(rule.strengths, default=1.0))])) < threshold
    ]
