"""The rows that several KPIs count, and the shapes that their parts take."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from qa_core.metrics.kpis.declaration import (
    CHANGED_ON,
    Amount,
    Contribution,
    IntervalContribution,
    KpiInputs,
    KpiNote,
    Predicate,
)
from qa_core.storage.facts.schema import (
    ANSWERS,
    CONTACTS,
    INTERVALS,
    Direction,
    Handler,
    Outcome,
)

DEFINITION_CHANGED = f"definition_changed:{CHANGED_ON}"


def word(value: str) -> sa.ColumnElement[str]:
    """Write a constant of this code into the statement, so that the engine can plan with it."""
    return sa.literal_column(f"'{value}'", sa.Text)


def number(text: str) -> Amount:
    """Write a number of this code into the statement likewise."""
    return sa.literal_column(text, sa.Double)


def _like(
    name: str, table: sa.Table, without: tuple[str, ...] = (), *columns: sa.ColumnClause[Any]
) -> sa.TableClause:
    return sa.table(
        name,
        *(
            sa.column(column.name, column.type)
            for column in table.columns
            if column.name not in without
        ),
        *columns,
    )


_c = CONTACTS.c
MISSES = _like(
    "misses",
    CONTACTS,
    (),
    sa.column("seconds_to_call_back", sa.Double),
    sa.column("is_repeated", sa.Boolean),
)
"""The missed contacts, one per caller and recovery window, unless the repeated ones are
asked for too; query.statements builds it where it is asked for, and those below.
"""

CALLERS = _like("callers", CONTACTS, (), sa.column("is_first_time", sa.Boolean))
"""Contacts, each the customer's first in the whole lake or not; null: customer unknown."""

LISTENING = _like("heard", CONTACTS, (), sa.column("is_listened", sa.Boolean))
"""The contacts, and whether somebody listened to each: its recording was played to
somebody else than its advisor, or an evaluation of it is published.
"""

LISTENED_CONTACTS = sa.table(
    "listened", sa.column("source_system", sa.Text), sa.column("contact_id", sa.Text)
)
"""Contacts that somebody listened to, brought from the records by query.listened_contacts."""

SELLING = _like(
    "selling",
    CONTACTS,
    (),
    sa.column("is_beyond_four", sa.Boolean),
    sa.column("is_after_refusal", sa.Boolean),
)
"""The sales calls, and whether each came after four in 30 days, or within 60 days of a
refusal, by anybody in the centre.
"""
SALES = sa.and_(
    SELLING.c.direction == word(Direction.OUTBOUND), SELLING.c.purpose_of_call == word("sales")
)

RETURNS = sa.table(
    "returns",
    sa.column("source_system", sa.Text),
    sa.column("contact_id", sa.Text),
    sa.column("seconds_to_person", sa.Double),
)
"""Contacts that a machine handled alone, and the seconds to the customer's next contact that a
person answered; reasons match as for repeats.
"""

CRITICAL_CLASSES = ("customer", "business", "compliance")
EVALUATED = _like(
    "evaluated",
    ANSWERS,
    ("earned", "possible", "applied_weight", "critical"),
    *(sa.column(f"failed_{name}", sa.Boolean) for name in CRITICAL_CLASSES),
)
"""One row per evaluation, or per evaluation and criterion or section where these are
asked for. `failed_…`: whether it has a critical error of that class; null where no
criterion of the class applied.
"""

ADVISOR_MEANS = sa.table(
    "advisor_means",
    sa.column("advisor_id", sa.Text),
    sa.column("score", sa.Double),
    sa.column("evaluations", sa.Integer),
)
"""One row per advisor and group: the mean of their scores there, and of how many."""

NOT_OF_INTERVALS = (
    "advisor_id", "handled_by", "reason", "source", "medium", "campaign", "keyword",
    "tracking_number", "tracking_match",
)  # fmt: skip
TOTALS = _like(
    "totals",
    INTERVALS,
    (),
    *(sa.column(name, CONTACTS.c[name].type) for name in ("direction", *NOT_OF_INTERVALS)),
)
"""Intervals that no contact covers, all inbound (query.totals); other columns are missing."""

COUNTED_DIRECTION = sa.or_(_c.direction.is_(None), _c.direction == word(Direction.INBOUND))
"""A KPI counts contacts inbound or without direction, unless it says otherwise."""

KNOWN_CUSTOMER = sa.or_(
    _c.has_customer, sa.func.coalesce(_c.had_customer, sa.literal_column("false", sa.Boolean))
)
"""Contacts whose customer is known, or was until the key was deleted by age."""

OUTGOING = _c.direction == word(Direction.OUTBOUND)
RECEIVED = _c.outcome.is_distinct_from(word(Outcome.CLOSED))
ANSWERED = _c.outcome == word(Outcome.ANSWERED)
KNOWN = sa.and_(RECEIVED, _c.outcome.is_not(None))
"""Received, and the source says how it ended; without one, how many were answered is unknown."""
OUTCOME_UNKNOWN = _c.outcome.is_(None)
MISSED = sa.and_(KNOWN, _c.outcome.is_distinct_from(word(Outcome.ANSWERED)))
ABANDONED = _c.outcome.in_([word(Outcome.ABANDONED), word(Outcome.UNANSWERED)])
ATTRIBUTED = _c.source.is_not(None)
EVERY = sa.true()
MACHINE_ALONE = _c.handled_by == word(Handler.MACHINE)
HANDED_OVER = _c.handled_by == word(Handler.MACHINE_THEN_PERSON)
BY_MACHINE = sa.or_(MACHINE_ALONE, HANDED_OVER)
BY_PERSON = _c.handled_by.is_distinct_from(word(Handler.MACHINE))
"""Contacts that a person took or should have taken, after a machine or not."""


def is_followed_up(inputs: KpiInputs) -> Predicate:
    """Return whether the data reach as far after the contact as its repeat window."""
    if not inputs.span:
        return sa.false()
    return _c.started_at <= sa.literal(inputs.span[1] - inputs.window, sa.DateTime)


def has_no_repeat(inputs: KpiInputs) -> Predicate:
    """Return whether the customer has no further contact within the repeat window."""
    return sa.or_(_c.seconds_to_next.is_(None), _c.seconds_to_next > inputs.window_seconds)


def of_people(inputs: KpiInputs, rows: Predicate) -> Predicate:
    """Narrow these contacts to the ones that people took."""
    return sa.and_(rows, BY_PERSON) if inputs.has_machines else rows


def wait_of(inputs: KpiInputs) -> Amount:
    """Return the wait for a person: after a hand-over, the time since the machine's end."""
    if not inputs.has_machines:
        return _c.wait_seconds
    return sa.case((HANDED_OVER, _c.handover_wait_seconds), else_=_c.wait_seconds)


def ratio(
    hits: Predicate,
    denominator: Predicate,
    required_rows: Predicate | None = None,
    notes: tuple[KpiNote, ...] = (),
) -> Callable[[KpiInputs], Contribution]:
    """Return the share of `hits` among the rows counted."""
    return lambda inputs: Contribution(
        denominator=denominator,
        hits=sa.and_(denominator, hits),
        required_rows=required_rows,
        notes=notes,
    )


def total(
    rows: Predicate,
    among: Predicate,
    required_rows: Predicate | None = None,
    notes: tuple[KpiNote, ...] = (),
) -> Callable[[KpiInputs], Contribution]:
    """Count rows among `among`; without one of those there is no data."""
    return lambda inputs: Contribution(
        denominator=rows,
        hits=rows,
        required_rows=among if required_rows is None else required_rows,
        contributing_advisors=among,
        notes=notes,
    )


def counting_people(
    parts: Callable[[KpiInputs], Contribution], changed: Predicate = BY_MACHINE
) -> Callable[[KpiInputs], Contribution]:
    """Add the note of a changed definition where rows have contacts that it changes."""

    def with_note(inputs: KpiInputs) -> Contribution:
        given = parts(inputs)
        if not inputs.has_machines:
            return given
        return replace(given, notes=(*given.notes, KpiNote(DEFINITION_CHANGED, changed)))

    return with_note


UNKNOWN_NOTES = (KpiNote("outcome_unknown", OUTCOME_UNKNOWN, with_count=True),)


def amount_of(rows: Predicate, column: sa.Column[float], code: str | None = None) -> Contribution:
    """Take a number of some rows, to add up or average; `code` notes how many do not give it."""
    amount = sa.case((rows, column))
    notes = (KpiNote(code, sa.and_(rows, column.is_(None)), with_count=True),) if code else ()
    return Contribution(denominator=amount.is_not(None), amount=amount, notes=notes)


def are_given(*columns: sa.Column[Any]) -> Predicate:
    """Select the intervals that give all these columns."""
    return sa.and_(*(column.is_not(None) for column in columns))


def sum_of_intervals(
    rows: Amount, *required_columns: sa.Column[Any]
) -> Callable[[KpiInputs], IntervalContribution]:
    """Sum a count of contacts that intervals give."""
    return lambda inputs: IntervalContribution(
        are_given(*required_columns),
        denominator=rows,
        hits=rows,
        required_rows=sa.func.coalesce(TOTALS.c.received, rows),
    )


def mean_of_intervals(
    amount: sa.Column[float], rows: sa.Column[int]
) -> Callable[[KpiInputs], IntervalContribution]:
    """Build the contribution of intervals that give a sum of seconds over so many contacts."""
    return lambda inputs: IntervalContribution(
        are_given(amount, rows), denominator=rows, amount=amount
    )
