"""SQLAlchemy Core statements of KPIs, one per fact table, each within the scope of the viewer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.centre.settings import Settings
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpis import (
    ADVISOR_MEANS,
    ATTRIBUTED,
    CALLERS,
    COUNTED_DIRECTION,
    CRITICAL_CLASSES,
    EVALUATED,
    LISTENED_CONTACTS,
    LISTENING,
    MISSED,
    MISSES,
    OUTGOING,
    RECEIVED,
    RETURNS,
    SALES,
    SELLING,
    Contribution,
    FactTable,
    Kpi,
    KpiInputs,
    KpiKind,
    KpiNote,
)
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.kpis.rows import ANSWERED, BY_PERSON, MACHINE_ALONE, number, word
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import (
    ANSWERS,
    CONTACTS,
    EVERY_CONTACT,
    NEIGHBOUR_DAYS,
    SPEND,
    Handler,
    on_every_contact,
)

EVALUATION_DIMENSIONS = frozenset({
    "day", "week", "month", "weekday", "site", "team", "advisor", "evaluator", "criterion",
    "section", "grid",
})  # fmt: skip
"""What an evaluation knows by itself; for the others its contact is looked up."""

WITH_RETURNS = CONTACTS.outerjoin(
    RETURNS,
    sa.and_(
        CONTACTS.c.source_system == RETURNS.c.source_system,
        CONTACTS.c.contact_id == RETURNS.c.contact_id,
    ),
)
FEW_DAYS = 120

SettingsHistory = tuple[tuple[date | None, Settings], ...]


@dataclass(frozen=True)
class MetricQuery:
    """Checked call of `measure`: what every statement of it is made from."""

    viewer: Viewer
    by: tuple[str, ...]
    where: Filters
    names: Names
    pieces: SettingsHistory
    current_inputs: Callable[[Settings], KpiInputs]
    cuts: tuple[tuple[str, ...], ...] = ()
    """Dimensions of `by` to group by together; each group is one result."""
    customers: tuple[int, int] | None = None
    """Number of a part of the customers, and of how many; then each customer is a group too."""

    def groups(self, columns: sa.ColumnCollection) -> list[sa.ColumnElement[Any]]:
        """Return the expressions to group by, labelled `by_<dimension>`."""
        return [
            dimension_sql.expression(dimension, columns, self.names).label(f"by_{dimension}")
            for dimension in self.by
        ]

    def select(
        self, columns: sa.ColumnCollection, aggregates: Sequence[sa.ColumnElement[Any]]
    ) -> sa.Select:
        """Select the aggregates by the groups. With `cuts`, by each of them in turn: then
        `by_<dimension>__out` is 1 in rows of a cut without that dimension.
        """
        groups = self.groups(columns)
        if self.customers:
            groups.append(columns["customer_number"])
        if not self.cuts:
            return select_groups(groups, aggregates)
        expressions = {name: group.element for name, group in zip(self.by, groups, strict=True)}
        left_out = [
            sa.func.grouping(expression).label(f"by_{name}__out")
            for name, expression in expressions.items()
        ]
        cuts = [sa.tuple_(*(expressions[name] for name in cut)) for cut in self.cuts]
        return sa.select(*groups, *left_out, *aggregates).group_by(sa.func.grouping_sets(*cuts))

    def group_of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a record's group by dimension, as a person reads them."""
        return {
            name: dimension_sql.plain(name, record[f"by_{name}"], self.names) for name in self.by
        }

    def key_of(self, record: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values of `group_of`, in the order of `by`."""
        return tuple(self.group_of(record).values())

    def filters(
        self, columns: sa.ColumnCollection, only: Callable[[str], bool] = lambda dimension: True
    ) -> list[sa.ColumnElement[bool]]:
        """Return the filters on dimensions, without the period."""
        filters = [
            dimension_sql.predicate(dimension, choices, columns, self.names)
            for dimension, choices in self.where.values
            if only(dimension)
        ]
        if self.customers:
            part, parts = (sa.literal_column(str(one), sa.BigInteger) for one in self.customers)
            customer = sa.func.coalesce(columns["customer_number"], sa.literal_column("0"))
            filters.append(customer % parts == part)
        is_by_advisor = "advisor" in dimension_sql.dimensions_of(self.by, self.where)
        if is_by_advisor and self.has_machines and "handled_by" in columns:
            filters.append(columns["handled_by"].is_distinct_from(word(Handler.MACHINE)))
        return filters

    @property
    def has_machines(self) -> bool:
        """Return whether machines took contacts; they are left out of everything by advisor."""
        return any(self.current_inputs(settings).has_machines for _day, settings in self.pieces)


def on_contacts(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the contacts: counted once each, whatever else hangs on them."""
    conditions = [COUNTED_DIRECTION, *conditions_on(question)]
    present = sa.func.count().filter(RECEIVED).label("present")
    statement = question.select(CONTACTS.c, [present, *_aggregates(question, kpis, CONTACTS.c)])
    return Scoped(statement.where(*conditions), question.viewer)


def misses_of(
    question: MetricQuery, with_call_backs: bool = False, with_repeated: bool = False
) -> sa.CTE:
    """Select the missed contacts in the viewer's scope, where a caller's further misses
    within the recovery window of the one before are the same miss; if asked, with those
    further misses too, or with the call-back that followed, by any advisor: then the
    statement looks beyond the scope. Neither the period nor the filters are applied.
    """
    own = sa.and_(COUNTED_DIRECTION, MISSED)
    if with_call_backs:
        own = sa.and_(EVERY_CONTACT.c.is_own, own)
    order = (CONTACTS.c.started_at, CONTACTS.c.source_system, CONTACTS.c.contact_id)
    started_at = CONTACTS.c.started_at
    same = {"partition_by": CONTACTS.c.customer_number, "order_by": order}
    before = sa.func.max(sa.case((own, started_at))).over(**same, rows=(None, -1))
    called_back = sa.func.min(sa.case((OUTGOING, started_at))).over(**same, rows=(1, None))
    window = window_of(question, "recovery_hours", "recovery_seconds")
    is_known = CONTACTS.c.has_customer
    is_repeated = sa.and_(
        is_known, before.is_not(None), sa.extract("epoch", started_at - before) <= window
    ).label("is_repeated")
    seconds = sa.case((is_known, sa.extract("epoch", called_back - started_at))).label(
        "seconds_to_call_back"
    )
    tries = sa.select(*CONTACTS.c, own.label("is_own"), is_repeated, seconds).where(
        sa.or_(own, OUTGOING) if with_call_backs else own
    )
    tries = (on_every_contact(tries) if with_call_backs else tries).cte("tries")
    condition = (
        tries.c.is_own if with_repeated else sa.and_(tries.c.is_own, sa.not_(tries.c.is_repeated))
    )
    return sa.select(*(tries.c[column.name] for column in MISSES.c)).where(condition).cte("misses")


def on_misses(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the missed callers: one miss per caller and recovery window."""
    with_call_backs = any(kpi.key == "call_back_rate" for kpi in kpis)
    statement = (
        question.select(MISSES.c, _list_columns(question, kpis, MISSES.c))
        .where(*conditions_on(question, MISSES.c))
        .add_cte(misses_of(question, with_call_backs))
    )
    if not with_call_backs:
        return Scoped(statement, question.viewer)
    return Scoped(
        statement,
        question.viewer,
        beyond="A missed caller counts as called back by any advisor. Only the time of that call "
        "is used.",
    )


def on_callers(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the contacts, each beside the customer's first ever, by any advisor."""
    callers = callers_of(question, [COUNTED_DIRECTION, *conditions_on(question)])
    statement = question.select(CALLERS.c, _list_columns(question, kpis, CALLERS.c))
    return with_callers(question, statement, callers)


def with_callers(question: MetricQuery, statement: sa.Select, callers: sa.CTE) -> Scoped:
    return Scoped(
        statement.add_cte(callers),
        question.viewer,
        beyond="A customer's first contact is the first one in the whole centre. Only its time "
        "is used.",
    )


def conditions_on(
    question: MetricQuery, columns: sa.ColumnCollection = CONTACTS.c
) -> list[sa.ColumnElement[bool]]:
    """Select the rows of the period and the filters (default: contacts of any direction)."""
    return [*dimension_sql.within(question.where.period, columns), *question.filters(columns)]


def has_few_days(period: Period) -> bool:
    """Return whether finding the customers of a period first takes less than it saves."""
    return period.is_bounded and period.days <= FEW_DAYS


def callers_of(
    question: MetricQuery,
    conditions: Sequence[sa.ColumnElement[bool]],
    customers: sa.Select | None = None,
) -> sa.CTE:
    """Select the contacts that fit, and whether each is its customer's first. `customers`:
    the numbers of theirs, where known.
    """
    every = EVERY_CONTACT.c
    if customers is None and (question.where.values or has_few_days(question.where.period)):
        # Of millions of customers few are asked about: no first contact is looked for
        # of the others.
        customers = sa.select(CONTACTS.c.customer_number).where(*conditions)
    condition = every.has_customer if customers is None else every.customer_number.in_(customers)
    firsts = (
        sa.select(
            every.customer_number.label("customer"),
            sa.func.min(every.started_at).label("first_start"),
        )
        .where(on_every_contact(COUNTED_DIRECTION), condition)
        .group_by(every.customer_number)
        .cte("firsts")
    )
    # Those before the last closed month are gone; who had any is marked on the next.
    is_new = sa.func.coalesce(CONTACTS.c.seen_before, sa.literal_column("false", sa.Boolean))
    is_first = sa.and_(CONTACTS.c.started_at == firsts.c.first_start, sa.not_(is_new))
    source = CONTACTS.outerjoin(firsts, CONTACTS.c.customer_number == firsts.c.customer)
    return (
        sa.select(*CONTACTS.c, is_first.label("is_first_time"))
        .select_from(source)
        .where(*conditions)
        .cte("callers")
    )


def on_listening(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the contacts of any direction, each beside whether somebody listened to it."""
    listened_contacts = listening_of(question)
    statement = question.select(LISTENING.c, _list_columns(question, kpis, LISTENING.c))
    return Scoped(statement.add_cte(listened_contacts), question.viewer)


def on_selling(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the sales calls, each beside the earlier ones to the same consumer."""
    statement = question.select(SELLING.c, _list_columns(question, kpis, SELLING.c))
    return with_selling(question, statement.where(SALES))


def with_selling(question: MetricQuery, statement: sa.Select) -> Scoped:
    """Complete a statement on SELLING with its CTE, of the period and the filters."""
    every = EVERY_CONTACT.c
    started_at = CONTACTS.c.started_at
    order = (started_at, CONTACTS.c.source_system, CONTACTS.c.contact_id)
    consumer = (CONTACTS.c.customer_number, CONTACTS.c.direction, CONTACTS.c.purpose_of_call)
    same = {"partition_by": consumer, "order_by": order}
    fourth = sa.func.lag(started_at, sa.literal_column(str(ATTEMPTS))).over(**same)
    refused = sa.func.max(sa.case((CONTACTS.c.sales_refused, started_at)))
    refused = refused.over(**same, rows=(None, -1))

    def is_within(before: sa.ColumnElement[datetime], days: int) -> sa.ColumnElement[bool]:
        seconds = sa.extract("epoch", started_at - before)
        return sa.and_(before.is_not(None), seconds <= number(f"{days * 86_400}.0"))

    calls = sa.select(
        *CONTACTS.c,
        is_within(fourth, ATTEMPT_DAYS).label("is_beyond_four"),
        is_within(refused, REFUSAL_DAYS).label("is_after_refusal"),
        every.is_own,
    )
    calls = on_every_contact(calls).cte("calls")
    own = sa.select(*(calls.c[column.name] for column in SELLING.c)).where(calls.c.is_own)
    return Scoped(
        statement.where(*conditions_on(question, SELLING.c)).add_cte(own.cte("selling")),
        question.viewer,
        beyond="All sales calls to a consumer count together. Of those by others, only the times "
        "are used.",
    )


def on_returns(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the contacts, each beside the customer's next one with a person."""
    aggregates = _list_columns(question, kpis, CONTACTS.c)
    statement = question.select(CONTACTS.c, aggregates).select_from(WITH_RETURNS)
    return with_returns(question, statement.where(COUNTED_DIRECTION))


def with_returns(question: MetricQuery, statement: sa.Select) -> Scoped:
    """Complete a statement on WITH_RETURNS with its CTE, of the period and the filters."""
    c, person = CONTACTS.c, sa.and_(COUNTED_DIRECTION, ANSWERED, BY_PERSON)
    later = {"order_by": (c.started_at, c.source_system, c.contact_id), "rows": (1, None)}

    def find_next(is_meant: sa.ColumnElement[bool], *same: Any) -> sa.ColumnElement[datetime]:
        of_these = {"partition_by": (c.customer_number, *same)}
        return sa.func.min(sa.case((is_meant, c.started_at))).over(**of_these, **later)

    of_reason = find_next(person, c.reason), find_next(sa.and_(person, c.reason.is_(None)))
    found = sa.case((c.reason.is_(None), find_next(person)), else_=sa.func.least(*of_reason))
    customers = sa.select(c.customer_number).where(c.has_customer, MACHINE_ALONE)
    seconds = sa.extract("epoch", found - c.started_at).label("seconds_to_person")
    every = sa.select(c.source_system, c.contact_id, MACHINE_ALONE.label("is_machine"), seconds)
    every = on_every_contact(every.where(c.customer_number.in_(customers))).cte("answers_of_both")
    returns = sa.select(*(every.c[column.name] for column in RETURNS.c)).where(every.c.is_machine)
    return Scoped(
        statement.where(*conditions_on(question)).add_cte(returns.cte("returns")),
        question.viewer,
        beyond="A customer of a machine may return to any advisor. Only the time is used.",
    )


def listening_of(question: MetricQuery) -> sa.CTE:
    """Select the contacts of the period and the filters, and whether somebody listened to each."""
    same = sa.and_(
        CONTACTS.c.source_system == LISTENED_CONTACTS.c.source_system,
        CONTACTS.c.contact_id == LISTENED_CONTACTS.c.contact_id,
    )
    is_listened = LISTENED_CONTACTS.c.contact_id.is_not(None).label("is_listened")
    return (
        sa.select(*CONTACTS.c, is_listened)
        .select_from(CONTACTS.outerjoin(LISTENED_CONTACTS, same))
        .where(*conditions_on(question))
        .cte("heard")
    )


def on_answers(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the evaluations, once each or once per criterion or section asked for."""
    source, columns, statement = evaluations_of(
        question, with_errors=any(kpi.key.startswith("critical_accuracy") for kpi in kpis)
    )
    return statement(
        question.select(columns, _list_columns(question, kpis, EVALUATED.c)).select_from(source)
    )


def on_advisors(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the evaluations, averaged advisor by advisor, and then the advisors."""
    means = advisor_means_of(question)
    columns = [
        sa.func.sum(ADVISOR_MEANS.c.evaluations).label("present"),
        *_aggregates(question, kpis, ADVISOR_MEANS.c),
    ]
    groups = [sa.column(f"by_{dimension}") for dimension in question.by]
    return with_means(select_groups(groups, columns).select_from(ADVISOR_MEANS), means)


def with_means(statement: sa.Select, means: Scoped) -> Scoped:
    """Complete a statement on ADVISOR_MEANS with what they are made of."""
    return replace(means, statement=statement.add_cte(means.statement.cte(ADVISOR_MEANS.name)))


def advisor_means_of(question: MetricQuery) -> Scoped:
    """Select the mean score of each advisor in each group, and of how many evaluations."""
    source, columns, statement = evaluations_of(question, with_errors=False)
    groups = question.groups(columns)
    columns_read = [
        EVALUATED.c.advisor_id,
        sa.func.avg(EVALUATED.c.score).label("score"),
        sa.func.count(EVALUATED.c.score).label("evaluations"),
    ]
    return statement(
        sa.select(*groups, *columns_read)
        .select_from(source)
        .where(EVALUATED.c.advisor_id.is_not(None))
        .group_by(*groups, EVALUATED.c.advisor_id)
    )


def evaluations_of(
    question: MetricQuery, with_errors: bool
) -> tuple[sa.FromClause, Any, Callable[[sa.Select], Scoped]]:
    """Return the source of evaluations, its columns, and what completes a statement on it."""
    used_dimensions = dimension_sql.dimensions_of(question.by, question.where)
    own = EVALUATION_DIMENSIONS.__contains__
    conditions = [
        *dimension_sql.within(question.where.period, ANSWERS.c),
        *question.filters(ANSWERS.c, own),
    ]
    parts = used_dimensions & {"criterion", "section"}
    whole = [
        column
        for column in ANSWERS.c
        if column.name in EVALUATED.c
        and column.name not in ("is_first", "section", "criterion", "score")
    ]
    cuts = [
        ANSWERS.c[name] if name in question.by else sa.null().label(name)
        for name in ("section", "criterion")
    ]
    if not parts and not with_errors:
        # Every answer repeats what is said of the whole evaluation: its first one is
        # enough.
        unsaid = [
            sa.cast(sa.null(), sa.Boolean).label(f"failed_{name}") for name in CRITICAL_CLASSES
        ]
        rows = sa.select(*whole, *cuts, ANSWERS.c.score, *unsaid).where(
            *conditions, ANSWERS.c.is_first
        )
    else:
        share = (
            100.0
            * sa.func.sum(ANSWERS.c.earned)
            / sa.func.nullif(sa.func.sum(ANSWERS.c.possible), 0)
        )
        score = share if parts else sa.func.max(ANSWERS.c.score)
        rows = sa.select(*whole, *cuts, score.label("score"), *_errors()).where(
            *conditions, *([ANSWERS.c.criterion.is_not(None)] if parts else ())
        )
        rows = rows.group_by(*whole, *(column for column in cuts if isinstance(column, sa.Column)))
    evaluations = rows.cte("evaluated")
    if used_dimensions <= EVALUATION_DIMENSIONS:
        return (
            EVALUATED,
            EVALUATED.c,
            lambda statement: Scoped(statement.add_cte(evaluations), question.viewer),
        )
    every = EVERY_CONTACT.c
    columns = _JoinedContacts(EVALUATED.c, every)
    source = EVALUATED.outerjoin(
        EVERY_CONTACT,
        sa.and_(
            EVALUATED.c.source_system == every.source_system,
            EVALUATED.c.contact_id == every.contact_id,
        ),
    )
    filters = question.filters(columns, lambda dimension: not own(dimension))
    return (
        source,
        columns,
        lambda statement: Scoped(
            statement.add_cte(evaluations).where(*filters),
            question.viewer,
            beyond="An evaluation in scope is split by fields of its contact, such as the queue. "
            "An evaluator sees no contacts, only their own evaluations.",
        ),
    )


def _errors() -> list[sa.ColumnElement[bool]]:
    """Build for each class whether an answer is a critical error; null where not applicable."""
    applies = {
        name: sa.and_(ANSWERS.c.critical == word(name), ANSWERS.c.earned.is_not(None))
        for name in CRITICAL_CLASSES
    }
    return [
        sa.func.bool_or(sa.case((test, ANSWERS.c.earned == number("0.0")))).label(f"failed_{name}")
        for name, test in applies.items()
    ]


def on_spend(question: MetricQuery) -> Scoped:
    """Select the money, by currency; it belongs to no advisor, so that costs are shown
    only where all contacts of a cell are the viewer's.
    """
    groups = question.groups(SPEND.c)
    sums = [
        sa.func.sum(SPEND.c.amount).label("amount"),
        sa.func.count().label("rows"),
        sa.func.max(SPEND.c.day).label("newest_day"),
    ]
    statement = select_groups([*groups, SPEND.c.currency], sums)
    return Scoped(statement.where(*conditions_on(question, SPEND.c)), question.viewer)


def on_attributed(question: MetricQuery, kpis: Sequence[Kpi]) -> Scoped:
    """Select the contacts that spend is divided by, how many of their cell are the
    viewer's, and how many the viewer may not count.
    """
    mine = EVERY_CONTACT.c.is_own
    rows = sa.func.count().filter
    columns: list[sa.ColumnElement[Any]] = [
        sa.cast(sa.func.max(CONTACTS.c.local_start), sa.Date).label("newest_day")
    ]
    columns += [rows(mine).label("mine"), rows(sa.not_(mine)).label("foreign")]
    for kpi in kpis:
        parts = parts_of(question, kpi, CONTACTS.c)
        columns.append(rows(sa.and_(mine, parts.denominator)).label(f"{kpi.key}__n"))
    conditions = [COUNTED_DIRECTION, ATTRIBUTED, *conditions_on(question)]
    statement = select_groups(question.groups(CONTACTS.c), columns).where(*conditions)
    return Scoped(
        on_every_contact(statement),
        question.viewer,
        beyond="The spend of a campaign is shown where all its contacts are in scope. Contacts "
        "of other teams are only counted.",
    )


BUILDERS = {
    FactTable.CONTACTS: on_contacts,
    FactTable.MISSED: on_misses,
    FactTable.CUSTOMERS: on_callers,
    FactTable.LISTENED: on_listening,
    FactTable.SELLING: on_selling,
    FactTable.RETURNS: on_returns,
    FactTable.EVALUATION_ANSWERS: on_answers,
    FactTable.ADVISORS: on_advisors,
    FactTable.SPEND: on_attributed,
}


ATTEMPTS, ATTEMPT_DAYS, REFUSAL_DAYS = 4, 30, 60
"""Sales calls to one consumer in so many days, and days without one after a refusal (Code
de la consommation D. 223-9).
"""
DAYS_AROUND = {FactTable.CONTACTS: 0, FactTable.MISSED: NEIGHBOUR_DAYS}
"""How many days around the period statements on contacts alone look at."""


def months_of(question: MetricQuery, subject: FactTable) -> dict[str, str | None]:
    """Return what the engine must read for a statement: misses look back, to know
    whether they are the first, and ahead, for the call-back; callers look back to the
    beginning; evaluations find their contact in its month.
    """
    if subject == FactTable.CUSTOMERS:
        return dimension_sql.months(Period(last_day=question.where.period.last_day))
    if subject == FactTable.SELLING:
        return dimension_sql.months(question.where.period, before=REFUSAL_DAYS + 1)
    if subject == FactTable.RETURNS:
        return dimension_sql.months(question.where.period, after=NEIGHBOUR_DAYS)
    around = DAYS_AROUND.get(subject, 0)
    return dimension_sql.months(question.where.period, before=around, after=around)


def pieces_within(pieces: SettingsHistory, period: Period) -> SettingsHistory:
    """Return the pieces of the settings' history that hold on some day of the period."""
    pieces_inside = []
    for position, (first_day, settings) in enumerate(pieces):
        until = pieces[position + 1][0] if position + 1 < len(pieces) else None
        if (period.last_day and first_day and first_day > period.last_day) or (
            period.first_day and until and until <= period.first_day
        ):
            continue
        pieces_inside.append((first_day, settings))
    return tuple(pieces_inside)


class _JoinedContacts:
    """Columns of an evaluation and its contact; the clock is the contact's for the hour."""

    def __init__(self, evaluation: sa.ColumnCollection, contact: sa.ColumnCollection) -> None:
        self._evaluation, self._contact = evaluation, contact
        self.source_system = evaluation.source_system
        self.advisor_id = evaluation.advisor_id
        self.team = evaluation.team
        self.local_start = sa.func.coalesce(contact.local_start, evaluation.local_start)

    def __contains__(self, name: str) -> bool:
        return name != "month" and (name in self._evaluation or name in self._contact)

    def __getitem__(self, name: str) -> sa.ColumnElement[Any]:
        # Both have an outcome: as a dimension it is how the contact ended.
        return self._evaluation[name] if name in EVALUATION_DIMENSIONS else self._contact[name]


def select_groups(
    groups: Sequence[sa.ColumnElement[Any]], columns: Sequence[sa.ColumnElement[Any]]
) -> sa.Select:
    return sa.select(*groups, *columns).group_by(*groups)


def _list_columns(
    question: MetricQuery, kpis: Sequence[Kpi], columns: sa.ColumnCollection
) -> list[sa.ColumnElement[Any]]:
    return [sa.func.count().label("present"), *_aggregates(question, kpis, columns)]


def _aggregates(
    question: MetricQuery, kpis: Sequence[Kpi], columns: sa.ColumnCollection
) -> list[sa.ColumnElement[Any]]:
    aggregates: list[sa.ColumnElement[Any]] = []
    is_of_one = question.customers is not None
    for kpi in kpis:
        for suffix, aggregate in aggregates_of(kpi, parts_of(question, kpi, columns), is_of_one):
            aggregates.append(aggregate.label(f"{kpi.key}__{suffix}"))
    return aggregates


def aggregates_of(
    kpi: Kpi, parts: Contribution, is_of_one: bool = False
) -> list[tuple[str, sa.ColumnElement[Any]]]:
    """Build what is counted and added up of the parts of a KPI, by the name of each. Of the
    rows of one customer (`is_of_one`), whether a KPI counts that customer.
    """
    rows = sa.func.count().filter
    aggregates: list[tuple[str, sa.ColumnElement[Any]]] = []
    if kpi.kind == KpiKind.MEAN:
        aggregates += [
            ("n", sa.func.count(parts.amount)),
            ("sum", sa.func.sum(parts.amount)),
            ("deviation", sa.func.stddev_samp(parts.amount)),
        ]
        if kpi.has_percentiles:
            aggregates.append(("histogram", sa.func.histogram(parts.amount)))
    elif kpi.kind == KpiKind.DISTINCT:
        aggregates += [
            (name, sa.func.bool_or(test))
            if is_of_one
            else (name, sa.func.count(sa.distinct(sa.case((test, parts.identity)))))
            for name, test in (("n", parts.denominator), ("hits", parts.hits))
        ]
    elif parts.amount is not None:
        aggregates += [("n", sa.func.count(parts.amount)), ("sum", sa.func.sum(parts.amount))]
    else:
        aggregates += [("n", rows(parts.denominator)), ("hits", rows(parts.hits))]
    if parts.negative is not None:
        aggregates.append(("negative", rows(parts.negative)))
    aggregates += [
        (name, rows(test))
        for name in ("required_rows", *kpi.excluded_counts)
        if (test := getattr(parts, name)) is not None
    ]
    aggregates += [(f"note:{note.code}", rows(note.rows)) for note in parts.notes]
    return aggregates


def parts_of(question: MetricQuery, kpi: Kpi, columns: sa.ColumnCollection) -> Contribution:
    """Build what rows contribute, each by the settings of its day."""
    contributions: dict[Any, Contribution] = {}

    def contribution_under(settings: Settings) -> Contribution:
        key = tuple(getattr(settings, name) for name in kpi.settings)
        if key not in contributions:
            contributions[key] = kpi.parts(question.current_inputs(settings))
        return contributions[key]

    runs = changes_of(question.pieces, kpi.settings)
    if len(runs) == 1:
        return contribution_under(runs[0][1])
    merged_fields: dict[str, Any] = {}
    for field in fields(Contribution):
        values = [getattr(contribution_under(settings), field.name) for _, settings in runs]
        if values[0] is None:
            continue
        if field.name == "notes":
            notes = zip(*values, strict=True)
            merged_fields["notes"] = tuple(
                KpiNote(
                    same[0].code,
                    case_by_date(runs, [note.rows for note in same], columns.local_start),
                    same[0].with_count,
                )
                for same in notes
            )
        else:
            merged_fields[field.name] = (
                values[0]
                if field.name == "identity"
                else case_by_date(runs, values, columns.local_start)
            )
    return Contribution(**merged_fields)


def window_of(question: MetricQuery, setting: str, name: str) -> sa.ColumnElement[float]:
    """Return the window, in seconds, that a setting gives for the day of a contact; `name`: of
    the window among the inputs.
    """
    runs = changes_of(question.pieces, (setting,))
    windows = [getattr(question.current_inputs(settings), name) for _, settings in runs]
    return case_by_date(runs, windows, CONTACTS.c.local_start)


def changes_of(pieces: SettingsHistory, names: tuple[str, ...]) -> SettingsHistory:
    """Return the pieces where one of these settings changes; neighbours that agree are one."""
    runs: list[tuple[date | None, Settings]] = []
    for first_day, settings in pieces:
        if not runs or any(getattr(runs[-1][1], name) != getattr(settings, name) for name in names):
            runs.append((first_day, settings))
    return tuple(runs)


def case_by_date(
    runs: SettingsHistory,
    values: Sequence[sa.ColumnElement[Any]],
    clock: sa.ColumnElement[datetime],
) -> sa.ColumnElement[Any]:
    """Choose among the values, one for each run, by the day of a row."""
    if len(runs) == 1:
        return values[0]
    until = [sa.literal(datetime.combine(first_day, time.min)) for first_day, _ in runs[1:]]
    return sa.case(
        *((clock < moment, value) for moment, value in zip(until, values, strict=False)),
        else_=values[-1],
    )
