"""Customers who come again: the chains of their contacts, and what else the customer of
one contact did around it.

Of contacts beyond the viewer's scope only the number is given, and who the customer is
to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import MetricQuery, parts_of, window_of
from qa_core.metrics.kpis import COUNTED_DIRECTION, formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.rows.contacts import contact_columns, shown_customer
from qa_core.storage import audit_log
from qa_core.storage.engine import current
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import (
    CONTACT_KEY,
    CONTACTS,
    EVERY_CONTACT,
    NEIGHBOUR_DAYS,
    on_every_contact,
)
from qa_core.storage.records import store

MAX = 100
_KEY = tuple(CONTACTS.c[name] for name in CONTACT_KEY)
_DETAILS = (
    "local_start", "direction", "channel", "queue", "reason", "advisor_id", "outcome",
    "declared_resolved", "talk_seconds",
)  # fmt: skip


@dataclass(frozen=True)
class ChainContact:
    """Contact of a customer in scope; `is_repeat`: one of the repeats asked for."""

    source_system: str
    contact_id: str
    local_start: datetime
    direction: str | None
    channel: str | None
    queue: str | None
    reason: str | None
    advisor: str | None
    outcome: str | None
    declared_resolved: bool | None
    talk_seconds: float | None
    is_repeat: bool = False


@dataclass(frozen=True)
class RepeatChain:
    """Inbound contacts of one customer, each within the window of the one before,
    oldest first. `customer`: a pseudonym, if the viewer may see one; `elsewhere`: the
    number of further contacts out of scope; `ends_elsewhere`: whether the last contact
    is out of scope.
    """

    customer: str | None
    links: tuple[ChainContact, ...]
    elsewhere: int
    ends_elsewhere: bool

    @property
    def repeats(self) -> int:
        return sum(link.is_repeat for link in self.links)

    @property
    def days(self) -> float:
        """From the first to the last contact in scope."""
        return (self.links[-1].local_start - self.links[0].local_start) / timedelta(days=1)


@dataclass(frozen=True)
class CustomerHistory:
    """Contacts of one contact's customer within 31 days of it, in the viewer's scope,
    oldest first, and the number of those beyond it.
    """

    links: tuple[ChainContact, ...]
    elsewhere: int


def find_chains(
    viewer: Viewer,
    where: Filters = Filters(),
    overrides: Mapping[str, str] | None = None,
    limit: int = MAX,
) -> list[RepeatChain]:
    """Find the chains that hold repeat contacts of the viewer's scope, period and
    filters, most repeats first, at most `limit`.

    A chain reaches at most 31 days beyond the period. Raises AccessDenied where the
    viewer may not see single contacts or use a filter.
    """
    viewer.require(Permission.SEE_CONTACTS)
    dimension_sql.require_filters(viewer, where)
    question = replace(build_query(viewer, ("advisor",), where, overrides), by=())
    chains = Scoped(
        _select_chains(question, limit),
        viewer,
        beyond="A customer's contacts form one chain across all advisors. Contacts of other "
        "teams are only counted, and the time of the last one is used.",
    )
    frame = current().run(
        chains, **dimension_sql.months(where.period, before=NEIGHBOUR_DAYS, after=NEIGHBOUR_DAYS)
    )
    shows_customer = "customer" in contact_columns(viewer)
    repeat_chains = []
    for _place, rows in frame.groupby("place", sort=True):
        links = tuple(_link(row, question.names) for row in rows.to_dict("records"))
        first = rows.iloc[0]
        customer = shown_customer(viewer, first["customer_key"]) if shows_customer else None
        repeat_chains.append(
            RepeatChain(
                customer,
                links,
                int(first["contacts"]) - len(links),
                bool(first["ends_at"] > rows["started_at"].max()),
            )
        )
    return repeat_chains


def read_chains(
    viewer: Viewer, where: Filters = Filters(), overrides: Mapping[str, str] | None = None
) -> list[RepeatChain]:
    """Open the chains for a reader: `find_chains`, noted in the audit log."""
    chains = find_chains(viewer, where, overrides)
    audit_log.note_reading(viewer.username, "chains_read", formatting.period(where.period))
    return chains


def find_history(viewer: Viewer, source_system: str, contact_id: str) -> CustomerHistory:
    """Find the contacts of the same customer within 31 days before and after one
    contact, that one among them, in any direction.

    Raises AccessDenied for a contact out of scope, and the same for an unknown one. For
    a contact without a customer, returns only that contact.
    """
    viewer.require(Permission.SEE_CONTACTS)
    engine = current()
    itself = sa.and_(CONTACTS.c.source_system == source_system, CONTACTS.c.contact_id == contact_id)
    origin = sa.select(CONTACTS.c.customer_key, CONTACTS.c.started_at).where(itself)
    origins = engine.run(Scoped(origin, viewer)).to_dict("records")
    if len(origins) != 1:
        raise AccessDenied()
    customer, at = origins[0]["customer_key"], origins[0]["started_at"].to_pydatetime()
    around = timedelta(days=NEIGHBOUR_DAYS)
    # A day more on both sides: months follow the centre's clock.
    days = Period(at.date(), at.date())
    months = dimension_sql.months(days, before=NEIGHBOUR_DAYS + 1, after=NEIGHBOUR_DAYS + 1)
    same = (
        itself
        if customer is None or customer != customer
        else sa.and_(
            CONTACTS.c.customer_key == customer,
            CONTACTS.c.started_at.between(at - around, at + around),
        )
    )
    is_own = EVERY_CONTACT.c.is_own
    columns = [
        sa.case((is_own, CONTACTS.c[name])).label(name) for name in (*CONTACT_KEY, *_DETAILS)
    ]
    statement = sa.select(is_own, *columns).where(same).order_by(CONTACTS.c.started_at, *_KEY)
    history = Scoped(
        on_every_contact(statement),
        viewer,
        beyond="A customer's history covers all advisors. Contacts of other teams are only "
        "counted.",
    )
    frame = engine.run(history, **months)
    with store.reading() as session:
        names = Names.load(session, frozenset({"advisor"}))
    rows = frame[frame["is_own"].astype(bool)]
    return CustomerHistory(
        tuple(_link(row, names) for row in rows.to_dict("records")), len(frame) - len(rows)
    )


def _select_chains(question: MetricQuery, limit: int) -> sa.Select:
    """Select the contacts in scope of the chains with most repeats, with the place of
    their chain and what is known of it as a whole.
    """
    is_own = EVERY_CONTACT.c.is_own
    repeat = sa.and_(
        is_own,
        parts_of(question, get_kpi("repeat_contacts"), CONTACTS.c).denominator,
        *dimension_sql.within(question.where.period, CONTACTS.c),
        *question.filters(CONTACTS.c),
    )
    customers = _select_customers(question, repeat, limit)
    columns = (*_KEY, CONTACTS.c.customer_key, CONTACTS.c.customer_number, CONTACTS.c.started_at)
    is_repeat = sa.func.coalesce(repeat, sa.false()).label("is_repeat")
    window = window_of(question, "first_contact_days", "window_seconds").label("window_seconds")
    events = (
        sa.select(*columns, *(CONTACTS.c[name] for name in _DETAILS), is_own, is_repeat, window)
        .where(
            COUNTED_DIRECTION,
            CONTACTS.c.customer_number.in_(sa.select(customers.c.customer_number)),
        )
        .cte("events")
    )
    # Only few columns are sorted. Contacts of the same moment are added together, so their
    # order makes no difference.
    few = ("customer_number", "started_at", "is_own", "is_repeat", "window_seconds")
    moments = sa.select(*(events.c[name] for name in few)).cte("moments")
    before = sa.func.lag(moments.c.started_at).over(**_in_turn(moments.c))
    gap = sa.extract("epoch", moments.c.started_at - before)
    is_new = sa.case(
        (gap <= moments.c.window_seconds, sa.literal_column("0")), else_=sa.literal_column("1")
    )
    steps = sa.select(*moments.c, is_new.label("is_new")).cte("steps")
    number = sa.func.sum(steps.c.is_new).over(**_in_turn(steps.c))
    links = sa.select(*steps.c, number.label("number")).cte("links").c
    repeats = sa.func.count().filter(links.is_repeat)
    starts_at = sa.func.min(links.started_at)
    order = (
        repeats.desc(),
        sa.func.count().filter(links.is_own).desc(),
        starts_at,
        links.customer_number,
    )
    chains = (
        sa.select(
            links.customer_number,
            sa.func.count().label("contacts"),
            starts_at.label("starts_at"),
            sa.func.max(links.started_at).label("ends_at"),
            sa.func.row_number().over(order_by=order).label("place"),
        )
        .group_by(links.customer_number, links.number)
        .having(repeats > sa.literal_column("0"))
        .cte("chains")
    )
    is_of_chain = sa.and_(
        events.c.customer_number == chains.c.customer_number,
        events.c.started_at.between(chains.c.starts_at, chains.c.ends_at),
    )
    return on_every_contact(
        sa.select(chains.c.place, chains.c.contacts, chains.c.ends_at, *events.c)
        .select_from(events.join(chains, is_of_chain))
        .where(events.c.is_own, chains.c.place <= int(limit))
        .order_by(chains.c.place, events.c.started_at, *(events.c[name] for name in CONTACT_KEY))
    )


def _in_turn(columns: sa.ColumnCollection) -> dict[str, sa.ColumnElement[Any]]:
    return {"partition_by": columns.customer_number, "order_by": columns.started_at}


def _select_customers(question: MetricQuery, repeat: sa.ColumnElement[bool], limit: int) -> sa.CTE:
    """Select the customers who may have one of the longest chains.

    The repeats of a customer within a span no longer than the window are of one chain. No
    customer with fewer repeats in all than the `limit`-th largest such number is needed.
    """
    days = min(settings.first_contact_days for _, settings in question.pieces)
    since = CONTACTS.c.started_at - sa.literal(datetime(2000, 1, 1), sa.DateTime)
    span = sa.func.floor(sa.extract("epoch", since) / sa.literal_column(f"{days * 86_400:.1f}"))
    in_spans = (
        sa.select(CONTACTS.c.customer_number, sa.func.count().label("repeats"))
        .where(COUNTED_DIRECTION, repeat)
        .group_by(CONTACTS.c.customer_number, span)
        .cte("in_spans")
    )
    in_all = (
        sa.select(
            in_spans.c.customer_number,
            sa.func.sum(in_spans.c.repeats).label("repeats"),
            sa.func.max(in_spans.c.repeats).label("in_one_span"),
        )
        .group_by(in_spans.c.customer_number)
        .cte("in_all")
    )
    largest = (
        sa.select(in_all.c.in_one_span)
        .order_by(in_all.c.in_one_span.desc())
        .limit(int(limit))
        .subquery("largest")
    )
    least = sa.select(sa.func.min(largest.c.in_one_span)).scalar_subquery()
    return sa.select(in_all.c.customer_number).where(in_all.c.repeats >= least).cte("customers")


def _link(row: Mapping[str, Any], names: Names) -> ChainContact:
    plain = {name: None if pd.isna(row[name]) else row[name] for name in (*CONTACT_KEY, *_DETAILS)}
    plain["local_start"] = plain["local_start"].to_pydatetime()
    return ChainContact(
        **{name: value for name, value in plain.items() if name != "advisor_id"},
        advisor=names.advisor_label(plain["advisor_id"]),
        is_repeat=bool(row.get("is_repeat", False)),
    )
