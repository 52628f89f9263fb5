"""Titles of dimensions, their values, states and reasons of draws."""

from qa_core.base import declared
from qa_core.base.i18n import _, uncapitalise
from qa_core.compliance.conditions import gates
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law.sampling_frame import REASONS

DECLARED = declared.read(__file__)
DIMENSION_TITLES: dict[str, str] = DECLARED["dimensions"]
STATE_TITLES: dict[str, str] = DECLARED["states"]
CAUSE_TITLES: dict[str, str] = DECLARED["causes"]
PICK_REASONS: dict[str, str] = DECLARED["picks"]
REPLACEMENT_REASONS: dict[str, str] = DECLARED["replacements"]


def name_dimension(dimension: str) -> str:
    return _(DIMENSION_TITLES[dimension])


def name_value(dimension: str, value: str | None) -> str:
    if value is None:
        return _("not known")
    if dimension in ("hour", "duration"):
        first, last = value.split("-")
        if dimension == "hour":
            return f"{first}:00–{last}:00"
        minutes = f"{int(first) // 60}–{int(last) // 60}" if last else f"≥ {int(first) // 60}"
        return f"{minutes} min"
    return formatting.name(dimension, int(value) if dimension == "weekday" else value)


def name_purpose(purpose: str) -> str:
    return _("picked by hand") if purpose == "targeted" else _(gates.PURPOSE_TITLES[purpose])


def name_cause(cause: str) -> str:
    """Return the title of a change since a draw."""
    return uncapitalise(_(CAUSE_TITLES.get(cause) or REASONS[cause]))


def name_reason(code: str | None) -> str:
    if code is None:
        return ""
    return _(REPLACEMENT_REASONS.get(code) or PICK_REASONS.get(code) or code)


def describe_replacement(new: int | None) -> str:
    """Describe what took the place of a contact: the new one, or None."""
    if new is None:
        return _(
            "No other contact of this advisor may be listened to. The plan is one contact short."
        )
    return _("Replaced by the next contact of the draw.")
