"""Every KPI, declared once: its words, its unit, and what each row of the facts contributes to it.

A declaration feeds the tile, the chart, the table, the export, the glossary and the tests. Ratios are ratios of totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from qa_core import slices
from qa_core.access import Permission
from qa_core.errors import Misuse
from qa_core.facts import ANSWERS, CONTACTS, INTERVALS, Direction, Outcome
from qa_core.settings import Settings
from qa_core.wording import N_, _

Predicate = sa.ColumnElement[bool]
Amount = sa.ColumnElement[float]


class Kind(StrEnum):
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


class Subject(StrEnum):
    """The table whose rows are summed: each table alone, the sums joined afterwards."""

    CONTACTS = "contacts"
    MISSES = "misses"
    ANSWERS = "answers"
    SPEND = "spend"


COMPONENTS = ("talk", "hold", "wrap")


@dataclass(frozen=True)
class Given:
    """What a KPI may depend on besides the row: the settings of the row's day, the first and last start in the whole lake (UTC),
    for each component of the handling time the source systems that never give it (their contacts, their intervals), and the ends of each scale that ratings use."""

    settings: Settings
    span: tuple[datetime, datetime] | None = None
    absent_components: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent_of_intervals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @cached_property
    def short_seconds(self) -> sa.BindParameter[float]:
        # One object for all uses in a statement: two equal parameters would be two different expressions to the engine.
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
class Note:
    """Something to say beside a value when rows match: `code`, or `code:count`."""

    code: str
    rows: Predicate
    with_count: bool = False


@dataclass(frozen=True)
class Parts:
    """What the rows contribute.

    `counted`: rows of the denominator, which are n; `hits`: rows of the numerator; `against`: rows that count −1 in it;
    `amount`: the number averaged or summed, null where the row is left out; `identity`: what is counted once.
    `evidence`: without such a row there is no data (default: the rows counted); `behind`: the rows whose advisors
    stand behind the value (default: the rows counted).
    """

    counted: Predicate
    hits: Predicate | None = None
    against: Predicate | None = None
    amount: Amount | None = None
    identity: sa.ColumnElement[Any] | None = None
    evidence: Predicate | None = None
    behind: Predicate | None = None
    pending: Predicate | None = None
    unknown_identity: Predicate | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Sums:
    """What an interval adds where no contact covers it: totals in place of rows.

    `usable`: the intervals that say enough. `counted` goes to n; `hits` (of a total or ratio) or `amount` (of a mean) to the numerator.
    `evidence`: contacts without which there is no data (default: those counted). The notes count contacts of intervals, usable or not.
    """

    usable: Predicate
    counted: Amount
    hits: Amount | None = None
    amount: Amount | None = None
    evidence: Amount | None = None
    notes: tuple[tuple[str, Amount], ...] = ()


@dataclass(frozen=True)
class Kpi:
    """One KPI. `better`: `up`, `down` or `neither`; `needs`: the permission to see it; `settings`: the settings that change it."""

    key: str
    title: str
    meaning: str
    formula: str
    kind: Kind
    unit: Unit
    better: str
    needs: Permission
    dimensions: tuple[str, ...]
    parts: Callable[[Given], Parts]
    subject: Subject = Subject.CONTACTS
    settings: tuple[str, ...] = ()
    has_percentiles: bool = False
    leaves_out: tuple[str, ...] = ()
    """What is counted beside n because it cannot be judged: `pending`, `unknown_identity`."""
    sums: Callable[[Given], Sums] | None = None
    """What it takes from the intervals of platforms that export only totals; None: nothing."""

    @property
    def is_rate(self) -> bool:
        """Whether the value is a share of n, with a Wilson interval."""
        return self.unit == Unit.RATE

    def as_json(self) -> dict[str, Any]:
        """The glossary entry, in the language spoken (CONTRACT.md section 3, `kpis --json`)."""
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


CONTACT_DIMENSIONS = tuple(dimension.key for dimension in slices.DIMENSIONS if dimension.family != "quality")
ALL_DIMENSIONS = tuple(dimension.key for dimension in slices.DIMENSIONS)
INTERVAL_DIMENSIONS = tuple(key for key in CONTACT_DIMENSIONS if key not in ("outcome", "advisor"))
"""By what intervals can be cut: they are inbound; a reason, source or campaign is missing; how a contact ended, and with whom, they cannot say."""
SPEND_DIMENSIONS = ("day", "week", "month", "weekday", "source", "medium", "campaign")
"""All that spend and contacts share; a cost cannot be cut, or filtered, by anything else."""


def _word(value: str) -> sa.ColumnElement[str]:
    # A constant of this file, written into the statement so that the engine can plan with it.
    return sa.literal_column(f"'{value}'", sa.Text)


_c = CONTACTS.c
MISSES = sa.table("misses", *(sa.column(column.name, column.type) for column in CONTACTS.columns))
"""The missed contacts, one per caller and recovery window; query.statements builds it where it is asked for."""

EVALUATED = sa.table(
    "evaluated", *(sa.column(column.name, column.type) for column in ANSWERS.columns if column.name not in ("earned", "possible", "applied_weight"))
)
"""One row per evaluation, or per evaluation and criterion or section where these are asked for; built likewise."""

NOT_OF_INTERVALS = ("advisor_id", "reason", "source", "medium", "campaign", "keyword", "tracking_number")
TOTALS = sa.table(
    "totals",
    *(sa.column(column.name, column.type) for column in INTERVALS.columns),
    *(sa.column(name, CONTACTS.c[name].type) for name in ("direction", *NOT_OF_INTERVALS)),
)
"""The intervals that no contact covers; query.totals builds it. They are inbound; what else a contact would say is missing."""

COUNTED_DIRECTION = sa.or_(_c.direction.is_(None), _c.direction == _word(Direction.INBOUND))
"""Unless it says otherwise a KPI counts inbound contacts or those without direction; every statement on contacts says so once."""

RECEIVED = _c.outcome.is_distinct_from(_word(Outcome.CLOSED))
ANSWERED = _c.outcome == _word(Outcome.ANSWERED)
KNOWN = sa.and_(RECEIVED, _c.outcome.is_not(None))
"""Received, and the source says how it ended: without one such contact nobody can say how many were answered."""
MISSED = sa.and_(RECEIVED, _c.outcome.is_distinct_from(_word(Outcome.ANSWERED)))
ABANDONED = _c.outcome.in_([_word(Outcome.ABANDONED), _word(Outcome.UNANSWERED)])
ATTRIBUTED = _c.source.is_not(None)
EVERY = sa.true()


def _short(given: Given) -> Predicate:
    return sa.and_(ABANDONED, _c.wait_seconds.is_not(None), _c.wait_seconds <= given.short_seconds)


def _long(given: Given) -> Predicate:
    return sa.and_(ABANDONED, sa.or_(_c.wait_seconds.is_(None), _c.wait_seconds > given.short_seconds))


_UNSAID = Note("unanswered", _c.outcome == _word(Outcome.UNANSWERED), with_count=True)


def _abandon_rate(given: Given) -> Parts:
    long = _long(given)
    others = sa.and_(RECEIVED, _c.outcome.is_distinct_from(_word(Outcome.ABANDONED)), _c.outcome.is_distinct_from(_word(Outcome.UNANSWERED)))
    return Parts(counted=sa.or_(others, long), hits=long, evidence=KNOWN, notes=(_UNSAID,))


def _service_level(given: Given) -> Parts:
    timed = sa.and_(ANSWERED, _c.wait_seconds.is_not(None))
    within = sa.and_(ANSWERED, _c.wait_seconds <= given.level_seconds)
    early = sa.and_(ABANDONED, _c.wait_seconds <= given.level_seconds)
    late = sa.and_(ABANDONED, sa.or_(_c.wait_seconds.is_(None), _c.wait_seconds > given.level_seconds))
    hits, counted = {
        "early_abandons_credited": lambda: (sa.or_(within, early), sa.or_(timed, ABANDONED)),
        "abandons_ignored": lambda: (within, timed),
        "abandons_penalised": lambda: (within, sa.or_(timed, ABANDONED)),
        "late_abandons_penalised": lambda: (within, sa.or_(timed, late)),
        "short_abandons_credited": lambda: (sa.or_(within, _short(given)), sa.or_(timed, ABANDONED)),
        "short_abandons_excluded": lambda: (within, sa.or_(timed, _long(given))),
    }[given.settings.service_level_formula]()
    queued = sa.or_(ANSWERED, ABANDONED)
    unknown = Note("waits_missing", sa.and_(queued, _c.wait_seconds.is_(None)), with_count=True)
    return Parts(counted=counted, hits=hits, evidence=sa.and_(queued, _c.wait_seconds.is_not(None)), notes=(unknown, _UNSAID))


def _time(rows: Predicate, column: sa.Column[float], code: str | None = None) -> Parts:
    amount = sa.case((rows, column))
    notes = (Note(code, sa.and_(rows, column.is_(None)), with_count=True),) if code else ()
    return Parts(counted=amount.is_not(None), amount=amount, notes=notes)


def _average_time_to_abandon(given: Given) -> Parts:
    parts = _time(ABANDONED, _c.wait_seconds, "waits_missing")
    return Parts(counted=parts.counted, amount=parts.amount, notes=parts.notes, behind=RECEIVED)


def _average_handle_time(given: Given) -> Parts:
    terms, notes, silent = [], [], []
    for component in COMPONENTS:
        column, absent = _c[f"{component}_seconds"], given.absent_components.get(component, ())
        if not absent:
            terms.append(column)
            continue
        lacks = _c.source_system.in_(absent)
        silent.append(lacks)
        terms.append(sa.case((lacks, sa.literal_column("0.0", sa.Double)), else_=column))
        notes.append(Note(f"component_missing:{component}", sa.and_(ANSWERED, lacks)))
    total = terms[0] + terms[1] + terms[2]
    handled = sa.and_(ANSWERED, sa.not_(sa.and_(*silent))) if len(silent) == len(COMPONENTS) else ANSWERED
    amount = sa.case((handled, total))
    return Parts(counted=amount.is_not(None), amount=amount, notes=tuple(notes))


_i = TOTALS.c
_lost = sa.func.coalesce(_i.short_abandons, 0)
"""Those who hung up at once, as far as the interval knows them: one that does not tell counts them with the abandoned."""
_shorts_unknown = ("waits_missing", sa.case((sa.and_(_i.short_abandons.is_(None), _i.abandoned.is_not(None)), _i.abandoned), else_=0))


def _given(*columns: sa.Column[Any]) -> Predicate:
    return sa.and_(*(column.is_not(None) for column in columns))


def _sum_of(rows: Amount, *needed: sa.Column[Any]) -> Callable[[Given], Sums]:
    return lambda given: Sums(_given(*needed), counted=rows, hits=rows, evidence=sa.func.coalesce(_i.received, rows))


def _abandon_rate_of_intervals(given: Given) -> Sums:
    return Sums(_given(_i.received, _i.abandoned), counted=_i.received - _lost, hits=_i.abandoned - _lost, evidence=_i.received)


def _service_level_of_intervals(given: Given) -> Sums:
    """By the formulas that need no wait of single callers; an interval counted with another threshold is left out."""
    within, queued = _i.answered_in_threshold, _i.answered + _i.abandoned
    formulas: dict[str, tuple[Amount, Amount, tuple[sa.Column[Any], ...]]] = {
        "abandons_ignored": (within, _i.answered, (_i.answered,)),
        "abandons_penalised": (within, queued, (_i.answered, _i.abandoned)),
        "short_abandons_credited": (within + _lost, queued, (_i.answered, _i.abandoned)),
        "short_abandons_excluded": (within, queued - _lost, (_i.answered, _i.abandoned)),
    }
    hits, counted, needed = formulas.get(given.settings.service_level_formula, (within, queued, ()))
    usable = sa.and_(_given(within, *needed), _i.threshold_seconds == given.level_seconds) if needed else sa.false()
    left_out = ("totals_left_out", sa.case((sa.func.coalesce(usable, sa.false()), 0), else_=_i.received))
    notes = (left_out, _shorts_unknown) if "short" in given.settings.service_level_formula else (left_out,)
    return Sums(usable, counted=counted, hits=hits, evidence=counted, notes=notes)


def _mean_of_intervals(amount: sa.Column[float], rows: sa.Column[int]) -> Callable[[Given], Sums]:
    return lambda given: Sums(_given(amount, rows), counted=rows, amount=amount)


def _average_handle_time_of_intervals(given: Given) -> Sums:
    terms, notes, needed = [], [], []
    for component in COMPONENTS:
        column, absent = _i[f"{component}_seconds"], given.absent_of_intervals.get(component, ())
        lacks = _i.source_system.in_(absent) if absent else sa.false()
        terms.append(sa.case((lacks, _number("0.0")), else_=column))
        needed.append(sa.not_(lacks))
        notes.append((f"component_missing:{component}", sa.case((lacks, _i.answered), else_=0)))
    total = terms[0] + terms[1] + terms[2]
    return Sums(sa.and_(_given(_i.answered), total.is_not(None), sa.or_(*needed)), counted=_i.answered, amount=total, notes=tuple(notes))


def _first_contact_resolution(given: Given) -> Parts:
    first = sa.and_(ANSWERED, _c.customer_key.is_not(None), sa.or_(_c.seconds_since_previous.is_(None), _c.seconds_since_previous > given.window_seconds))
    complete: Predicate = sa.false()
    if given.span:
        complete = _c.started_at.between(sa.literal(given.span[0] + given.window, sa.DateTime), sa.literal(given.span[1] - given.window, sa.DateTime))
    counted = sa.and_(first, complete)
    return Parts(
        counted=counted,
        hits=sa.and_(counted, sa.or_(_c.seconds_to_next.is_(None), _c.seconds_to_next > given.window_seconds)),
        pending=sa.and_(first, sa.not_(complete)),
        unknown_identity=sa.and_(ANSWERED, _c.customer_key.is_(None)),
    )


def _first_contact_resolution_surveyed(given: Given) -> Parts:
    both = sa.and_(_c.survey_resolved.is_not(None), _c.survey_contacts.is_not(None))
    return Parts(counted=both, hits=sa.and_(both, _c.survey_resolved, _c.survey_contacts <= 1))


def _repeat_caller_rate(given: Given) -> Parts:
    known = _c.customer_key.is_not(None)
    return Parts(
        counted=known, hits=sa.and_(known, _c.seconds_to_next <= given.window_seconds), identity=_c.customer_key, unknown_identity=_c.customer_key.is_(None)
    )


def _recovered_rate(given: Given) -> Parts:
    return Parts(
        counted=MISSES.c.customer_key.is_not(None),
        hits=sa.and_(MISSES.c.customer_key.is_not(None), MISSES.c.seconds_to_reached <= given.recovery_seconds),
        unknown_identity=MISSES.c.customer_key.is_(None),
    )


RATED = sa.and_(_c.csat.is_not(None), _c.csat_scale.is_not(None))


def _number(text: str) -> Amount:
    return sa.literal_column(text, sa.Double)


def _per_scale(given: Given, make: Callable[[float, float], Any]) -> sa.ColumnElement[Any]:
    """What `make` gives for the least and the greatest mark of the row's own scale; null for a row without a known scale."""
    if not given.scales:
        return sa.cast(sa.null(), sa.Double)
    return sa.case(*((_c.csat_scale == sa.literal(scale), make(*ends)) for scale, ends in given.scales.items()))


def _csat(given: Given) -> Parts:
    least = _per_scale(given, lambda low, high: sa.literal(low + 0.75 * (high - low), sa.Double))
    return Parts(counted=RATED, hits=sa.and_(RATED, _c.csat >= least))


def _csat_mean(given: Given) -> Parts:
    scaled = _per_scale(given, lambda low, high: 1.0 + (_c.csat - sa.literal(low, sa.Double)) * sa.literal(4.0 / (high - low), sa.Double))
    return Parts(counted=RATED, amount=scaled)


def _nps(given: Given) -> Parts:
    return Parts(counted=_c.nps.is_not(None), hits=_c.nps >= _number("9.0"), against=_c.nps <= _number("6.0"))


RESPONDED = sa.or_(_c.csat.is_not(None), _c.nps.is_not(None), _c.ces.is_not(None), _c.survey_resolved.is_not(None), _c.survey_contacts.is_not(None))


def _cost(rows: Predicate) -> Callable[[Given], Parts]:
    return lambda given: Parts(counted=sa.and_(ATTRIBUTED, rows), behind=ATTRIBUTED)


def _ratio(hits: Predicate, counted: Predicate, evidence: Predicate | None = None) -> Callable[[Given], Parts]:
    return lambda given: Parts(counted=counted, hits=sa.and_(counted, hits), evidence=evidence)


def _total(rows: Predicate, among: Predicate, evidence: Predicate | None = None) -> Callable[[Given], Parts]:
    return lambda given: Parts(counted=rows, hits=rows, evidence=among if evidence is None else evidence, behind=among)


P, K, U = Permission, Kind, Unit
_evaluated = EVALUATED.c

ALL: tuple[Kpi, ...] = (
    Kpi(
        "received",
        N_("Contacts received"),
        N_("Every inbound contact, once, however often it was transferred."),
        N_("inbound contacts, without those outside opening hours"),
        K.TOTAL,
        U.COUNT,
        "neither",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _total(RECEIVED, RECEIVED),
        sums=_sum_of(_i.received, _i.received),
    ),
    Kpi(
        "answered",
        N_("Contacts answered"),
        N_("Inbound contacts that an advisor answered."),
        N_("received contacts that were answered"),
        K.TOTAL,
        U.COUNT,
        "neither",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _total(ANSWERED, RECEIVED, KNOWN),
        sums=_sum_of(_i.answered, _i.answered),
    ),
    Kpi(
        "missed",
        N_("Contacts missed"),
        N_("Inbound contacts that nobody answered, whatever became of them."),
        N_("received − answered"),
        K.TOTAL,
        U.COUNT,
        "down",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _total(MISSED, RECEIVED, KNOWN),
        sums=_sum_of(_i.received - _i.answered, _i.received, _i.answered),
    ),
    Kpi(
        "answer_rate",
        N_("Answer rate"),
        N_("The share of received contacts that an advisor answered."),
        N_("answered / received"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _ratio(ANSWERED, RECEIVED, KNOWN),
        sums=lambda given: Sums(_given(_i.received, _i.answered), counted=_i.received, hits=_i.answered, evidence=_i.received),
    ),
    Kpi(
        "abandon_rate",
        N_("Abandon rate"),
        N_("The share of callers who hung up before an answer, those who hung up at once left out."),
        N_("abandoned after more than the short-abandon limit / (received − short abandons)"),
        K.RATIO,
        U.RATE,
        "down",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _abandon_rate,
        settings=("short_abandon_seconds",),
        sums=_abandon_rate_of_intervals,
    ),
    Kpi(
        "service_level",
        N_("Service level"),
        N_("The share of contacts answered within the threshold, by the formula chosen in the settings."),
        N_("answered within the threshold / (answered + abandoned − short abandons), or one of five variants"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _service_level,
        settings=("service_level_seconds", "service_level_formula", "short_abandon_seconds"),
        sums=_service_level_of_intervals,
    ),
    Kpi(
        "average_speed_of_answer",
        N_("Average speed of answer"),
        N_("How long those who were answered had waited."),
        N_("Σ wait of answered contacts / answered contacts with a known wait"),
        K.MEAN,
        U.SECONDS,
        "down",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        lambda given: _time(ANSWERED, _c.wait_seconds, "waits_missing"),
        has_percentiles=True,
        sums=_mean_of_intervals(_i.wait_seconds, _i.answered),
    ),
    Kpi(
        "average_time_to_abandon",
        N_("Average time to abandon"),
        N_("How long those who gave up had waited."),
        N_("Σ wait of abandoned contacts / abandoned contacts with a known wait"),
        K.MEAN,
        U.SECONDS,
        "neither",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _average_time_to_abandon,
        has_percentiles=True,
        sums=_mean_of_intervals(_i.abandon_wait_seconds, _i.abandoned),
    ),
    Kpi(
        "average_handle_time",
        N_("Average handle time"),
        N_("Time spent on a contact: talk, hold and after-contact work together."),
        N_("Σ (talk + hold + wrap) / handled contacts"),
        K.MEAN,
        U.SECONDS,
        "neither",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _average_handle_time,
        has_percentiles=True,
        sums=_average_handle_time_of_intervals,
    ),
    Kpi(
        "average_talk_time",
        N_("Average talk time"),
        N_("Time spent in conversation."),
        N_("Σ talk / answered contacts with a known talk time"),
        K.MEAN,
        U.SECONDS,
        "neither",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        lambda given: _time(ANSWERED, _c.talk_seconds),
        sums=_mean_of_intervals(_i.talk_seconds, _i.answered),
    ),
    Kpi(
        "transfer_rate",
        N_("Transfer rate"),
        N_("The share of answered contacts that were passed on at least once."),
        N_("answered with at least one transfer / answered with a known number of transfers"),
        K.RATIO,
        U.RATE,
        "down",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _ratio(_c.transfers >= 1, sa.and_(ANSWERED, _c.transfers.is_not(None))),
    ),
    Kpi(
        "recovered_rate",
        N_("Missed callers recovered"),
        N_("The share of missed callers who were reached, by a call-back or a new try, within the recovery window."),
        N_("missed callers reached within the recovery window / missed callers, one miss per caller and window"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _recovered_rate,
        subject=Subject.MISSES,
        settings=("recovery_hours",),
        leaves_out=("unknown_identity",),
    ),
    Kpi(
        "repeat_caller_rate",
        N_("Repeat callers"),
        N_("The share of known customers who had to contact the centre again within the first-contact window."),
        N_("customers with a further contact within the window / customers known in the period"),
        K.DISTINCT,
        U.RATE,
        "down",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _repeat_caller_rate,
        settings=("first_contact_days",),
        leaves_out=("unknown_identity",),
    ),
    Kpi(
        "first_contact_resolution",
        N_("First-contact resolution"),
        N_("The share of first contacts after which the customer did not come back within the window. Nobody is asked; it is seen."),
        N_("answered first contacts without a further contact within the window / answered first contacts whose window is complete"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _first_contact_resolution,
        settings=("first_contact_days",),
        leaves_out=("pending", "unknown_identity"),
    ),
    Kpi(
        "first_contact_resolution_declared",
        N_("Resolution declared by advisors"),
        N_("The share of answered contacts that the advisor declared resolved, among those with a declaration."),
        N_("answered and declared resolved / answered with a declaration"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _ratio(_c.declared_resolved, sa.and_(ANSWERED, _c.declared_resolved.is_not(None))),
    ),
    Kpi(
        "first_contact_resolution_surveyed",
        N_("First-contact resolution, surveyed"),
        N_("The share of surveyed customers who say that it was resolved, and in one contact."),
        N_("resolved in one contact / customers who answered both questions"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        _first_contact_resolution_surveyed,
    ),
    Kpi(
        "csat",
        N_("Customer satisfaction"),
        N_("The share of ratings in the upper quarter of their scale: 4 and 5 of 5, 8 to 10 of 10."),
        N_("ratings of at least minimum + 75 % of the scale / ratings"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        _csat,
    ),
    Kpi(
        "csat_mean",
        N_("Mean rating"),
        N_("The mean of the ratings, each brought to a scale from 1 to 5."),
        N_("Σ rating on 1–5 / ratings"),
        K.MEAN,
        U.RATING,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        _csat_mean,
    ),
    Kpi(
        "nps",
        N_("Net promoter score"),
        N_("How many more would recommend the centre (9–10) than would not (0–6), in points."),
        N_("100 × (promoters − detractors) / answers"),
        K.STATISTIC,
        U.NPS,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        _nps,
    ),
    Kpi(
        "ces",
        N_("Customer effort score"),
        N_("The mean answer, from 1 to 7, to whether the centre made it easy."),
        N_("Σ effort mark / answers"),
        K.MEAN,
        U.EFFORT,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        lambda given: Parts(counted=_c.ces.is_not(None), amount=_c.ces),
    ),
    Kpi(
        "ces_agree",
        N_("Found it easy"),
        N_("The share of customers whose effort mark is 5 to 7 of 7."),
        N_("effort marks from 5 to 7 / answers"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        _ratio(_c.ces >= _number("5.0"), _c.ces.is_not(None)),
    ),
    Kpi(
        "response_rate",
        N_("Response rate"),
        N_("The share of surveys sent that came back with at least one answer."),
        N_("surveys answered / surveys sent"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_SATISFACTION,
        CONTACT_DIMENSIONS,
        _ratio(RESPONDED, _c.survey_sent),
    ),
    Kpi(
        "evaluation_score",
        N_("Evaluation score"),
        N_("The mean score that evaluators gave, from 0 to 100; each evaluation counts once."),
        N_("Σ score / evaluations with a score"),
        K.MEAN,
        U.SCORE,
        "up",
        P.SEE_SCORES,
        ALL_DIMENSIONS,
        lambda given: Parts(counted=_evaluated.score.is_not(None), amount=_evaluated.score),
        subject=Subject.ANSWERS,
    ),
    Kpi(
        "evaluations",
        N_("Evaluations"),
        N_("How many evaluations were published."),
        N_("published evaluations"),
        K.TOTAL,
        U.COUNT,
        "neither",
        P.SEE_SCORES,
        ALL_DIMENSIONS,
        lambda given: Parts(counted=EVERY, hits=EVERY),
        subject=Subject.ANSWERS,
    ),
    Kpi(
        "evaluation_pass_rate",
        N_("Evaluations passed"),
        N_("The share of evaluations that reached the pass mark without a critical failure."),
        N_("passed / evaluations with an outcome"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_SCORES,
        tuple(key for key in ALL_DIMENSIONS if key not in ("criterion", "section")),
        lambda given: Parts(counted=_evaluated.outcome.is_not(None), hits=_evaluated.outcome == _word("pass")),
        subject=Subject.ANSWERS,
    ),
    Kpi(
        "attribution_rate",
        N_("Attribution rate"),
        N_("The share of inbound contacts whose source is known."),
        N_("contacts with a source / contacts"),
        K.RATIO,
        U.RATE,
        "up",
        P.SEE_TRACKING,
        CONTACT_DIMENSIONS,
        _ratio(ATTRIBUTED, EVERY),
    ),
    Kpi(
        "spend",
        N_("Spend"),
        N_("What the campaigns cost."),
        N_("Σ amount"),
        K.TOTAL,
        U.MONEY,
        "neither",
        P.SEE_TRACKING,
        SPEND_DIMENSIONS,
        _cost(EVERY),
        subject=Subject.SPEND,
        settings=("provisional_spend_days",),
    ),
    Kpi(
        "cost_per_contact",
        N_("Cost per contact"),
        N_("What one inbound contact from a known source cost."),
        N_("spend / inbound contacts with a source"),
        K.RATIO,
        U.MONEY,
        "down",
        P.SEE_TRACKING,
        SPEND_DIMENSIONS,
        _cost(EVERY),
        subject=Subject.SPEND,
        settings=("provisional_spend_days",),
    ),
    Kpi(
        "cost_per_answered",
        N_("Cost per answered contact"),
        N_("What one answered contact from a known source cost."),
        N_("spend / answered contacts with a source"),
        K.RATIO,
        U.MONEY,
        "down",
        P.SEE_TRACKING,
        SPEND_DIMENSIONS,
        _cost(ANSWERED),
        subject=Subject.SPEND,
        settings=("provisional_spend_days",),
    ),
    Kpi(
        "cost_per_resolved",
        N_("Cost per resolved contact"),
        N_("What one contact from a known source cost that the advisor declared resolved."),
        N_("spend / answered contacts with a source that were declared resolved"),
        K.RATIO,
        U.MONEY,
        "down",
        P.SEE_TRACKING,
        SPEND_DIMENSIONS,
        _cost(sa.and_(ANSWERED, _c.declared_resolved)),
        subject=Subject.SPEND,
        settings=("provisional_spend_days",),
    ),
    Kpi(
        "recording_rate",
        N_("Recording rate"),
        N_("The share of answered contacts that were recorded. Near 100 % it is permanent recording, which the law forbids."),
        N_("recorded / answered, where it is known"),
        K.RATIO,
        U.RATE,
        "down",
        P.SEE_CALL_STATISTICS,
        CONTACT_DIMENSIONS,
        _ratio(_c.recorded, sa.and_(ANSWERED, _c.recorded.is_not(None))),
    ),
)
BY_KEY: Mapping[str, Kpi] = {kpi.key: kpi for kpi in ALL}


def get_kpi(key: str) -> Kpi:
    """The declaration of that KPI. Raises Misuse for an unknown name."""
    if key not in BY_KEY:
        raise Misuse("unknown_kpi", N_("There is no KPI {name}. Known: {known}."), name=key, known=", ".join(BY_KEY))
    return BY_KEY[key]
