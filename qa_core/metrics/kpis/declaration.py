"""Declaration of a KPI: its words, its unit, and what each row contributes to it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.centre.settings import Settings
from qa_core.metrics.kpis import dimensions

Predicate = sa.ColumnElement[bool]
Amount = sa.ColumnElement[float]


class KpiKind(StrEnum):
    """Only totals and ratios add up over slices; a ratio through its two sums."""

    TOTAL = "total"
    RATIO = "ratio"
    MEAN = "mean"
    DISTINCT = "distinct"
    STATISTIC = "statistic"


class Unit(StrEnum):
    COUNT = "count"
    RATE = "rate"  # 0–1
    SECONDS = "seconds"
    SCORE = "score"  # 0–100
    NPS = "nps"  # −100…100
    RATING = "rating"  # 1–5
    EFFORT = "effort"  # 1–7
    MONEY = "money"
    COEFFICIENT = "coefficient"  # −1…1


BOUNDS: Mapping[Unit, tuple[float, float]] = {
    Unit.RATE: (0.0, 1.0),
    Unit.SECONDS: (0.0, math.inf),
    Unit.NPS: (-100.0, 100.0),
    Unit.SCORE: (0.0, 100.0),
    Unit.EFFORT: (1.0, 7.0),
    Unit.RATING: (1.0, 5.0),
    Unit.COEFFICIENT: (-1.0, 1.0),
}


CHANGED_ON = "2026-11-29"
"""Day since which KPIs of waits and handling leave out machines; part of a note."""


class FactTable(StrEnum):
    """The table whose rows are summed: each table alone, the sums joined afterwards."""

    CONTACTS = "contacts"
    MISSED = "missed_contacts"
    CUSTOMERS = "customers"
    LISTENED = "listened_contacts"
    SELLING = "sales_calls"
    RETURNS = "contacts_of_machines"
    EVALUATION_ANSWERS = "evaluation_answers"
    ADVISORS = "advisors"
    SPEND = "spend"
    # marks of closed calibrations, from the records; `kpi.calibration_metrics`
    # counts them
    CALIBRATED = "calibrated"


COMPONENTS = ("talk", "hold", "wrap")
OPTIONAL_COMPONENTS = COMPONENTS[1:]
"""Parts of the handling time that a contact may lack."""


@dataclass(frozen=True)
class KpiInputs:
    """Inputs of a KPI besides the row: the settings of the row's day, the
    first and last start in the whole lake (UTC), for each component of the handling
    time the source systems that never give it (their contacts, their intervals) and
    those whose blank means none, and the ends of each scale that ratings use.
    """

    settings: Settings
    span: tuple[datetime, datetime] | None = None
    absent_components: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent_of_intervals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sparse_components: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    has_machines: bool = False
    """True: machines took contacts of the lake; else nothing is asked about them."""

    @cached_property
    def short_seconds(self) -> sa.BindParameter[float]:
        # One object for all uses in a statement: two equal parameters would be two
        # different expressions to the engine.
        return sa.literal(float(self.settings.short_abandon_seconds), sa.Double)

    @cached_property
    def level_seconds(self) -> sa.BindParameter[float]:
        return sa.literal(float(self.settings.service_level_seconds), sa.Double)

    @cached_property
    def window(self) -> timedelta:
        return timedelta(days=self.settings.first_contact_days)

    @cached_property
    def window_seconds(self) -> sa.BindParameter[float]:
        return sa.literal(self.window.total_seconds(), sa.Double)

    @cached_property
    def recovery_seconds(self) -> sa.BindParameter[float]:
        return sa.literal(self.settings.recovery_hours * 3600.0, sa.Double)


@dataclass(frozen=True)
class KpiNote:
    """Something to say beside a value when rows match: `code`, or `code:count`."""

    code: str
    rows: Predicate
    with_count: bool = False


@dataclass(frozen=True)
class Contribution:
    """Contribution of rows to a KPI.

    `denominator`: the rows counted, which are n; `hits`: rows of the numerator;
    `negative`: rows that count −1 in it; `amount`: the number averaged or summed, null
    where the row is left out; `identity`: what is counted once. `required_rows`:
    without such a row there is no data (default: the rows counted);
    `contributing_advisors`: the rows whose advisors count for suppression (default: the
    rows counted).
    """

    denominator: Predicate
    hits: Predicate | None = None
    negative: Predicate | None = None
    amount: Amount | None = None
    identity: sa.ColumnElement[Any] | None = None
    required_rows: Predicate | None = None
    contributing_advisors: Predicate | None = None
    pending: Predicate | None = None
    unknown_identity: Predicate | None = None
    notes: tuple[KpiNote, ...] = ()


@dataclass(frozen=True)
class IntervalContribution:
    """Contribution of an interval that no contact covers: totals instead of rows.

    `usable`: the intervals that say enough. `denominator` goes to n; `hits` (of a total or
    ratio) or `amount` (of a mean) to the numerator. `required_rows`: contacts without
    which there is no data (default: those counted). The notes count contacts of
    intervals, usable or not.
    """

    usable: Predicate
    denominator: Amount
    hits: Amount | None = None
    amount: Amount | None = None
    required_rows: Amount | None = None
    notes: tuple[tuple[str, Amount], ...] = ()


@dataclass(frozen=True)
class Exclusion:
    """Reason why rows that a KPI looks at are left out: a code for scripts, the words
    for people, and the rows, by what the KPI is given.

    `rows` None: further rows of what is counted once, after everything else; or what
    `kpi.calibration_metrics` counts.
    """

    code: str
    title: str
    rows: Callable[[KpiInputs], Predicate] | None


@dataclass(frozen=True)
class Kpi:
    """One KPI. `better`: `up`, `down` or `neither`; `needs`: the permission to see it;
    `settings`: the settings that change it; `parts` None: it is not summed from rows of
    a table (`FactTable.CALIBRATED`).
    """

    key: str
    title: str
    meaning: str
    formula: str
    kind: KpiKind
    unit: Unit
    better: str
    parts: Callable[[KpiInputs], Contribution] | None
    needs: Permission
    dimensions: tuple[str, ...]
    subject: FactTable = FactTable.CONTACTS
    settings: tuple[str, ...] = ()
    has_percentiles: bool = False
    excluded_counts: tuple[str, ...] = ()
    """Counted beside n because it cannot be judged: `pending`, `unknown_identity`."""
    sums: Callable[[KpiInputs], IntervalContribution] | None = None
    """Share of it from the intervals of platforms that export only totals; None: nothing."""
    short_title: str = ""
    """Title of a tile, where `title` is too long for one."""
    heading: str = ""
    """Heading of a table column, where the short title is too long for one."""
    needs_missed: Callable[[Settings], bool] | None = None
    """Whether it is wrong without missed contacts, by the settings of a day (None: never): it
    then has no value for a viewer who sees none of them (`query.populations`).
    """
    counts_people: bool = False
    """Counts, since `CHANGED_ON`, contacts that people took, from the hand-over on."""
    includes_missed: bool = False
    """Counts missed contacts; the value of a viewer who does not see them has a note."""
    exclusions: tuple[Exclusion, ...] = ()
    """What is left out, in order: of a row, the first that applies is the reason. With
    what is counted they make up everything in the viewer's scope, period and filters:
    contacts of any direction, missed contacts, evaluations, advisors evaluated.
    """

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest value that the unit allows; None: unbounded."""
        return BOUNDS.get(self.unit)

    @property
    def is_rate(self) -> bool:
        """Return whether the value is a share of n, with a Wilson interval."""
        return self.unit == Unit.RATE

    @property
    def is_amount(self) -> bool:
        """Return whether the value grows with the period: totals, customers counted once."""
        return self.kind == KpiKind.TOTAL or (
            self.kind == KpiKind.DISTINCT and self.unit == Unit.COUNT
        )

    def require_cut(self, dimension: str) -> None:
        """Raise Refusal unless this KPI can be cut, and filtered, by that dimension."""
        if dimension not in self.dimensions:
            message = N_("{kpi} cannot be broken down by {dimension}. Possible: {known}.")
            raise Refusal(
                "cannot_cut",
                message,
                kpi=self.key,
                dimension=dimension,
                known=", ".join(self.dimensions),
            )

    def as_json(self) -> dict[str, Any]:
        """Return the glossary entry in the current language (docs/contract.md, section 3)."""
        return {
            "key": self.key,
            "title": _(self.title),
            "meaning": _(self.meaning),
            "formula": _(self.formula),
            "kind": str(self.kind),
            "unit": str(self.unit),
            "better": self.better,
            "needs": str(self.needs),
            "dimensions": list(self.dimensions),
        }


ALL_DIMENSIONS = tuple(dimension.key for dimension in dimensions.DIMENSIONS)
CONTACT_DIMENSIONS = tuple(
    dimension.key for dimension in dimensions.DIMENSIONS if dimension.family != "quality"
)
WHOLE_EVALUATION_DIMENSIONS = tuple(
    key for key in ALL_DIMENSIONS if key not in ("criterion", "section")
)
"""By what something said of a whole evaluation can be cut: not by a part of it."""
INTERVAL_DIMENSIONS = tuple(
    key
    for key in CONTACT_DIMENSIONS
    if key not in ("outcome", "declared", "surveyed", "handled_by", "advisor")
)
"""By what intervals can be cut: they are inbound; a reason, source or campaign is
missing; how a contact ended, and with whom, they cannot say.
"""
SPEND_DIMENSIONS = ("day", "week", "month", "weekday", "source", "medium", "campaign")
"""All that spend and contacts share; a cost cannot be cut, or filtered, by anything else."""
