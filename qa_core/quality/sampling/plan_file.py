"""Parser of listening plans (docs/contract.md, section 7)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from qa_core.base.errors import Refusal, build_unlisted
from qa_core.base.i18n import _, format_refusal
from qa_core.compliance.conditions.gates import PURPOSES
from qa_core.metrics.law.sampling_frame import DIMENSIONS, FILTERS

MAX_NAME = 80
MAX = 1000
YEARS = range(2000, 2100)
"""Years allowed for the days of a plan."""
LIMITS = ("minimum_seconds", "maximum_seconds")


@dataclass(frozen=True)
class PlanContent:
    """Plan as declared. `filters`: dimension → values, and limits in seconds."""

    name: str
    purpose: str
    starts_on: date
    ends_on: date
    grid_key: str
    per_advisor: int
    maximum_per_advisor: int
    strata: tuple[str, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    evaluators: tuple[str, ...] = ()
    most_per_evaluator: int | None = None
    due_on: date | None = None
    publish_after_days: int = 0
    dispute_days: int = 14


def refuse(name: str, expected: str) -> Refusal:
    """Build the refusal of a field; `expected` is in the reader's language."""
    return Refusal(
        "bad_plan", "The plan's field {field}: {expected}", field=name, expected=expected
    )


def describe_unknown(name: Any, known: Iterable[str]) -> str:
    return format_refusal(build_unlisted("bad_plan", name, known))


def parse_plan(content: Mapping[str, Any]) -> PlanContent:
    """Parse a plan. Raise Refusal `bad_plan`, naming field and expectation."""
    known = (*NEEDED, *READERS)
    if unknown := [name for name in content if name not in known]:
        raise refuse(str(unknown[0]), describe_unknown(unknown[0], known))
    if missing := [name for name in NEEDED if name not in content]:
        raise refuse(missing[0], _("missing. A plan needs {fields}.", fields=", ".join(NEEDED)))
    read = {name: (NEEDED | READERS)[name](name, value) for name, value in content.items()}
    for name in ("to", "due"):
        if read.get(name, read["from"]) < read["from"]:
            first = read["from"].isoformat()
            raise refuse(name, _("a day from {day}, the start of the plan.", day=first))
    for low, high in (("per_advisor", "maximum_per_advisor"), LIMITS):
        if read.get(low) is not None and read.get(high, read[low]) < read[low]:
            raise refuse(high, _("at least {n} ({name}).", n=read[low], name=low))
    filters = {name: list(read.pop(name)) for name in FILTERS if name in read} | {
        name: read.pop(name) for name in LIMITS if name in read
    }
    return PlanContent(
        starts_on=read.pop("from"),
        ends_on=read.pop("to"),
        grid_key=read.pop("grid"),
        due_on=read.pop("due", None),
        filters={name: value for name, value in filters.items() if value != []},
        **read,
    )


def _text(name: str, value: Any) -> str:
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value.strip()) > MAX_NAME
        or not value.strip().isprintable()
    ):
        raise refuse(name, _("a text of 1 to {n} characters.", n=MAX_NAME))
    return value.strip()


def _purpose(name: str, value: Any) -> str:
    if value not in PURPOSES:
        raise refuse(name, _("one of {known}.", known=", ".join(PURPOSES)))
    return value


def _day(name: str, value: Any) -> date:
    # TOML and forms give dates; scripts may write them as text.
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime) or value.year not in YEARS:
        expected = _("a day, such as {example}", example="2026-11-01") + "."
        raise refuse(name, expected)
    return value


def _number(low: int, high: int) -> Callable[[str, Any], int]:
    def read(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refuse(name, _("a whole number from {low} to {high}.", low=low, high=high))
        return value

    return read


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(text, str) and text.strip() for text in value
    ):
        raise refuse(name, _('a list of texts, such as ["…", "…"].'))
    return tuple(dict.fromkeys(text.strip() for text in value))


def _strata(name: str, value: Any) -> tuple[str, ...]:
    strata = _texts(name, value)
    if unknown := [stratum for stratum in strata if stratum not in DIMENSIONS]:
        raise refuse(name, describe_unknown(unknown[0], DIMENSIONS))
    return strata


NEEDED: dict[str, Callable[[str, Any], Any]] = {
    "name": _text,
    "purpose": _purpose,
    "from": _day,
    "to": _day,
    "grid": _text,
    "per_advisor": _number(1, MAX),
    "maximum_per_advisor": _number(1, MAX),
    "evaluators": _texts,
}
READERS: dict[str, Callable[[str, Any], Any]] = {
    "strata": _strata,
    "due": _day,
    **dict.fromkeys(FILTERS, _texts),
    **dict.fromkeys(LIMITS, _number(0, 86_400)),
    "most_per_evaluator": _number(1, 100 * MAX),
    "publish_after_days": _number(0, 365),
    "dispute_days": _number(0, 365),
}
