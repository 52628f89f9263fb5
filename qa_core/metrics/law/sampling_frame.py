"""The frame of a listening plan: which contacts may be listened to, and for each other
one the first reason why not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.law import legal_obstacles
from qa_core.metrics.law.legal_obstacles import LegalAct, LegalFacts
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS, Direction, Outcome

_DECLARED = declared.read(__file__)
_TEXTS = legal_obstacles.TITLES | _DECLARED["reasons"]
REMEDIES: Mapping[str, str] = _DECLARED["remedies"]
"""What brings contacts into the frame, by the reason that keeps them out."""
_CODES = (
    "not_answered", "machine", "no_advisor", "in_the_future", "before_consultation",
    "before_callers_informed", "advisor_not_informed", "objected", "no_notice",
    "stopped_by_advisor", "private_line", "excluded", "proof", "not_recorded", "no_audio",
    "expired", "too_short", "too_long", "already_evaluated", "already_drawn", "replaced",
    "advisor_at_maximum",
)  # fmt: skip
REASONS = {code: _TEXTS[code] for code in _CODES}
"""Why a contact is outside the frame; the first that applies counts, so that the frame
and all of these make up every contact of the period.
"""

HOURS = {"00-10": 10, "10-12": 12, "12-14": 14, "14-16": 16, "16-18": 18, "18-24": 24}
"""Bands of the day, by the hour before which each ends."""
DURATIONS = {"000-120": 120, "120-300": 300, "300-600": 600, "600-": None}
"""Bands of talking and holding, by the second before which each ends."""

DIMENSIONS = ("channel", "queue", "hour", "weekday", "duration")
"""What a draw may be spread over, and is held against afterwards."""
FILTERS = ("team", "queue", "channel", "reason")
SEPARATOR = "\x1f"

_c = CONTACTS.c
_KEY = (_c.source_system, _c.contact_id)
_SECONDS = _c.talk_seconds + sa.func.coalesce(_c.hold_seconds, sa.literal_column("0"))
_WITH_AUDIO = sa.table(
    "heard", sa.column("source_system", sa.Text), sa.column("contact_id", sa.Text)
)
_EARLIER_USES = sa.table(
    "touched",
    sa.column("source_system", sa.Text),
    sa.column("contact_id", sa.Text),
    sa.column("why", sa.Text),
)
_FULL_MONTHS = sa.table("filled", sa.column("advisor_id", sa.Text), sa.column("month", sa.Text))
_QUOTAS = sa.table(
    "wanted",
    sa.column("advisor_id", sa.Text),
    sa.column("cell", sa.Text),
    sa.column("take", sa.Integer),
)
Key = tuple[str, str]


@dataclass(frozen=True)
class FrameQuery:
    """All that decides about the frame besides the contacts themselves.

    `legal`: what the law says on that day. `audio`: contacts with a recording
    that can be played; `keeps_audio`: whether the centre keeps recordings at all, so
    that those without one are out. `earlier_uses`: contacts that an evaluation or a draw
    took, and which. `full_months`: advisors and months at the maximum.
    """

    period: Period
    filters: Mapping[str, Any] = field(default_factory=dict)
    strata: tuple[str, ...] = ()
    legal: LegalFacts = field(default_factory=LegalFacts)
    audio: frozenset[Key] = frozenset()
    keeps_audio: bool = False
    earlier_uses: Mapping[Key, str] = field(default_factory=dict)
    full_months: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class FrameCell:
    """The contacts of one advisor in one stratum of the frame: how many, and a sum over
    their keys that tells one set from another.
    """

    advisor_id: str
    name: str
    contacts: int
    fingerprint: str


@dataclass(frozen=True)
class Frame:
    """`excluded`: reason → contacts. `advisors`: who has any contact of the period at
    all. `shares`: dimension → advisor → value → contacts.
    """

    cells: tuple[FrameCell, ...]
    excluded: Mapping[str, int]
    advisors: tuple[str, ...]
    shares: Mapping[str, Mapping[str, Mapping[str | None, int]]]

    @property
    def contacts(self) -> int:
        return sum(cell.contacts for cell in self.cells)


def find_frame(viewer: Viewer, query: FrameQuery) -> Frame:
    """Find the frame within the viewer's scope: cells of advisor and stratum, and what
    is outside by its first reason. No contact by itself.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    contacts = _judge(viewer, query).subquery("judged")
    key = contacts.c.source_system.concat(sa.literal(SEPARATOR)).concat(contacts.c.contact_id)
    inside = contacts.c.outside.is_(None)
    # One pass for all: contacts outside the scope have no cell and are not summed.
    groups = sa.select(
        contacts.c.outside,
        contacts.c.advisor_id,
        sa.case((inside, contacts.c.cell)).label("cell"),
        sa.func.count().label("n"),
        sa.cast(sa.func.sum(sa.case((inside, sa.func.md5_number_lower(key)))), sa.Text).label(
            "fingerprint"
        ),
    ).group_by(sa.text("1, 2, 3"))
    exclusions: dict[str, int] = {}
    advisors, cells = set(), []
    for row in _run(viewer, query, groups):
        if row["advisor_id"] is not None:
            advisors.add(row["advisor_id"])
        if row["outside"] is None:
            cells.append(
                FrameCell(row["advisor_id"], row["cell"], int(row["n"]), row["fingerprint"])
            )
        else:
            exclusions[row["outside"]] = exclusions.get(row["outside"], 0) + int(row["n"])
    cells.sort(key=_place)
    reasons = {reason: exclusions[reason] for reason in REASONS if reason in exclusions}
    return Frame(
        tuple(cells),
        reasons,
        tuple(sorted(advisors)),
        _find_shares(viewer, query, contacts, inside),
    )


def _place(cell: FrameCell) -> tuple[str, str]:
    return cell.advisor_id, cell.name


def _find_shares(
    viewer: Viewer, query: FrameQuery, contacts: sa.Subquery, inside: sa.ColumnElement[bool]
) -> dict[str, dict[str, dict[str | None, int]]]:
    sets = sa.func.grouping_sets(
        *(sa.tuple_(contacts.c.advisor_id, contacts.c[f"by_{name}"]) for name in DIMENSIONS)
    )
    columns = [contacts.c[f"by_{name}"] for name in DIMENSIONS]
    # One bit per dimension, the first one highest; 0 where the row is grouped by it.
    which = sa.func.grouping(*columns).label("which")
    statement = (
        sa.select(contacts.c.advisor_id, *columns, which, sa.func.count().label("n"))
        .where(inside)
        .group_by(sets)
    )
    shares: dict[str, dict[str, dict[str | None, int]]] = {name: {} for name in DIMENSIONS}
    every = (1 << len(DIMENSIONS)) - 1
    for row in _run(viewer, query, statement):
        name = DIMENSIONS[len(DIMENSIONS) - (every ^ int(row["which"])).bit_length()]
        shares[name].setdefault(row["advisor_id"], {})[row[f"by_{name}"]] = int(row["n"])
    return shares


def find_first(
    viewer: Viewer, query: FrameQuery, take: Mapping[tuple[str, str], int], prefix: str
) -> list[dict[str, Any]]:
    """Find for each (advisor, stratum) the first so many contacts of the frame in the
    order of `ticket`, the SHA-256 of the prefix and their key.

    Rows: `ticket`, `advisor_id`, `source_system`, `contact_id`, `team`, `local_start`,
    and one `by_…` per dimension; in the order of the tickets.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    take = {place: count for place, count in take.items() if count}
    if not take:
        return []
    contacts = _judge(viewer, query).subquery("judged")
    ticket = _ticket(contacts.c, prefix)
    same = sa.and_(contacts.c.advisor_id == _QUOTAS.c.advisor_id, contacts.c.cell == _QUOTAS.c.cell)
    key = contacts.c.source_system.concat(sa.literal(SEPARATOR)).concat(contacts.c.contact_id)
    # The few smallest of each group, found in one pass: no contact is sorted that is
    # not drawn.
    first = sa.func.min_by(key, ticket, sa.literal_column(str(max(take.values()))))
    statement = sa.select(sa.func.any_value(_QUOTAS.c.take).label("take"), first.label("keys"))
    statement = (
        statement.select_from(contacts.join(_QUOTAS, same))
        .where(contacts.c.outside.is_(None))
        .group_by(contacts.c.advisor_id, contacts.c.cell)
    )
    schema = pa.schema([("advisor_id", pa.string()), ("cell", pa.string()), ("take", pa.int32())])
    quotas = pa.Table.from_pylist(
        [
            {"advisor_id": advisor, "cell": cell, "take": count}
            for (advisor, cell), count in take.items()
        ],
        schema=schema,
    )
    keys: list[Key] = []
    for row in _run(viewer, query, statement, {"wanted": quotas}):
        keys += [tuple(text.split(SEPARATOR, 1)) for text in list(row["keys"])[: int(row["take"])]]
    return _read(viewer, query, keys, prefix)


def find_next(
    viewer: Viewer, query: FrameQuery, advisor_id: str, cell: str, prefix: str
) -> dict[str, Any] | None:
    """Find the next contact of that advisor in the same order, of the same stratum
    where one is left; a row as of `find_first`, or None.
    """
    contacts = _judge(viewer, query, _c.advisor_id == advisor_id).subquery("judged")
    is_other = sa.case(
        (contacts.c.cell == sa.literal(cell), sa.literal_column("0")), else_=sa.literal_column("1")
    )
    statement = sa.select(contacts.c.source_system, contacts.c.contact_id).where(
        contacts.c.outside.is_(None)
    )
    next_rows = _run(
        viewer,
        query,
        statement.order_by(
            is_other, _ticket(contacts.c, prefix), contacts.c.source_system, contacts.c.contact_id
        ).limit(1),
    )
    if next_rows:
        return _read(
            viewer, query, [(row["source_system"], row["contact_id"]) for row in next_rows], prefix
        )[0]
    return None


def judge(viewer: Viewer, query: FrameQuery, key: Key) -> tuple[str | None, dict[str, Any]] | None:
    """Return why that contact may not be listened to (None: it may), with its row; None for
    one that is not in the period or out of scope.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    contacts = _judge(viewer, query, _c.source_system == key[0], _c.contact_id == key[1]).subquery(
        "judged"
    )
    verdicts = _run(viewer, query, sa.select(contacts.c.outside))
    rows = _read(viewer, query, [key], "") if verdicts else []
    return (verdicts[0]["outside"], rows[0]) if rows else None


def find_start(viewer: Viewer, key: Key) -> datetime | None:
    """Find when that contact started (local time); None where there is none in scope."""
    viewer.require(Permission.MANAGE_LISTENING)
    statement = sa.select(_c.local_start).where(_c.source_system == key[0], _c.contact_id == key[1])
    starts = engine.current().run(Scoped(statement, viewer))
    return None if starts.empty else starts["local_start"].iloc[0].to_pydatetime()


def cell_of(row: Mapping[str, Any], strata: Iterable[str]) -> str:
    """Return the stratum of a row, as the frame names it."""
    return SEPARATOR.join(
        "" if row[f"by_{name}"] is None else str(row[f"by_{name}"]) for name in strata
    )


def _judge(viewer: Viewer, query: FrameQuery, *besides: sa.ColumnElement[bool]) -> sa.Select:
    """Select every contact of the period, filters and scope, with `outside` (a reason,
    null in the frame), `cell` and one `by_…` per dimension.
    """
    source = CONTACTS.outerjoin(
        _FULL_MONTHS,
        sa.and_(_FULL_MONTHS.c.advisor_id == _c.advisor_id, _FULL_MONTHS.c.month == _c.month),
    )
    for table in (_WITH_AUDIO, _EARLIER_USES):
        source = source.outerjoin(
            table,
            sa.and_(table.c.source_system == _c.source_system, table.c.contact_id == _c.contact_id),
        )
    is_heard = _WITH_AUDIO.c.contact_id.is_not(None)
    shortest, longest = query.filters.get("minimum_seconds"), query.filters.get("maximum_seconds")
    tests = legal_obstacles.find_tests(LegalAct.DRAW, query.legal) | {
        "not_answered": _c.outcome.is_distinct_from(sa.literal(str(Outcome.ANSWERED))),
        "no_advisor": _c.advisor_id.is_(None),
        "not_recorded": sa.not_(sa.or_(_is(_c.recorded), is_heard)),
        "no_audio": sa.not_(is_heard) if query.keeps_audio else sa.false(),
        "too_short": sa.false()
        if shortest is None
        else sa.func.coalesce(_SECONDS, sa.literal_column("0")) < sa.literal(float(shortest)),
        "too_long": sa.false()
        if longest is None
        else sa.func.coalesce(_SECONDS, sa.literal_column("0")) > sa.literal(float(longest)),
        **{
            code: _EARLIER_USES.c.why == sa.literal_column(f"'{code}'")
            for code in ("already_evaluated", "already_drawn", "replaced")
        },
        "advisor_at_maximum": _FULL_MONTHS.c.advisor_id.is_not(None),
    }
    outside = sa.case(
        *((tests[reason], sa.literal_column(f"'{reason}'", sa.Text)) for reason in REASONS),
        else_=sa.null(),
    ).label("outside")
    by = {name: expression.label(f"by_{name}") for name, expression in _bands().items()}
    empty = sa.literal_column("''", sa.Text)
    parts = [sa.func.coalesce(sa.cast(_bands()[name], sa.Text), empty) for name in query.strata]
    cell = sa.func.concat_ws(sa.literal(SEPARATOR), *parts) if parts else empty
    conditions = [
        _c[name].in_(list(query.filters[name])) for name in FILTERS if query.filters.get(name)
    ]
    is_call = _c.direction.in_((str(Direction.INBOUND), str(Direction.OUTBOUND)))
    statement = sa.select(
        *_KEY, _c.advisor_id, outside, cell.label("cell"), *by.values()
    ).select_from(source)
    return statement.where(is_call, *dimension_sql.within(query.period, _c), *conditions, *besides)


def _is(column: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(column, sa.literal_column("false", sa.Boolean))


def _bands() -> dict[str, sa.ColumnElement[Any]]:
    hour = dimension_sql.expression("hour", _c, dimension_sql.Names({}, {}))
    hours = sa.case(
        *(
            (hour < sa.literal_column(str(end)), sa.literal_column(f"'{name}'", sa.Text))
            for name, end in HOURS.items()
        )
    )
    durations = sa.case(
        *(
            (_is_below(end), sa.literal_column(f"'{name}'", sa.Text))
            for name, end in DURATIONS.items()
        )
    )
    weekday = sa.cast(sa.cast(sa.extract("isodow", _c.local_start), sa.Integer), sa.Text)
    return {
        "channel": _c.channel,
        "queue": _c.queue,
        "hour": hours,
        "weekday": weekday,
        "duration": durations,
    }


def _is_below(seconds: int | None) -> sa.ColumnElement[bool]:
    if seconds is None:
        return _SECONDS.is_not(None)
    return _SECONDS.op("<")(sa.literal_column(str(seconds)))


def _ticket(columns: Any, prefix: str) -> sa.ColumnElement[str]:
    return sa.func.sha256(
        sa.literal(prefix)
        .concat(columns.source_system)
        .concat(sa.literal(SEPARATOR))
        .concat(columns.contact_id)
    )


def _read(viewer: Viewer, query: FrameQuery, keys: list[Key], prefix: str) -> list[dict[str, Any]]:
    if not keys:
        return []
    by = [expression.label(f"by_{name}") for name, expression in _bands().items()]
    statement = sa.select(
        _ticket(_c, prefix).label("ticket"), *_KEY, _c.advisor_id, _c.team, _c.local_start, *by
    )
    within = (
        *dimension_sql.within(query.period, _c),
        _c.contact_id.in_([contact_id for _system, contact_id in keys]),
    )
    key_set = set(keys)
    rows = [
        row
        for row in _run(viewer, query, statement.where(*within))
        if (row["source_system"], row["contact_id"]) in key_set
    ]
    for row in rows:
        row["local_start"] = row["local_start"].to_pydatetime()
    return sorted(rows, key=lambda row: (row["ticket"], row["source_system"], row["contact_id"]))


def _run(
    viewer: Viewer, query: FrameQuery, statement: sa.Select, besides: Mapping[str, pa.Table] = {}
) -> list[dict[str, Any]]:
    tables = {
        **query.legal.tables,
        "heard": _table({"source_system": pa.string(), "contact_id": pa.string()}, query.audio),
        "touched": _table(
            {"source_system": pa.string(), "contact_id": pa.string(), "why": pa.string()},
            ((*key, why) for key, why in query.earlier_uses.items()),
        ),
        "filled": _table({"advisor_id": pa.string(), "month": pa.string()}, query.full_months),
    }
    frame = engine.current().run(
        Scoped(statement, viewer), tables | dict(besides), **dimension_sql.months(query.period)
    )
    return dimension_sql.plain_records(frame)


def _table(schema: Mapping[str, pa.DataType], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        {
            name: pa.array(list(values), kind)
            for (name, kind), values in zip(schema.items(), columns, strict=True)
        }
    )
