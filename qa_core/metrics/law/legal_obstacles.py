"""The law on one contact and one act: rules as data, each an expression over the contact
(docs/compliance.md, section 1). Storing, drawing, playing and evaluating all ask here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import declared
from qa_core.metrics.kpis.recording import names_class
from qa_core.storage import engine
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.schema import CONTACT_KEY, CONTACTS, Handler, arrow_schema


class LegalAct(StrEnum):
    """Act with a contact that the rules decide about; `keep`: go on keeping stored
    audio, which is deleted at once otherwise.
    """

    STORE = "store"
    KEEP = "keep"
    DRAW = "draw"
    PICK = "pick"
    PLAY = "play"
    EVALUATE = "evaluate"
    CALIBRATE = "calibrate"
    IMPORT = "import"
    EXPORT = "export"


@dataclass(frozen=True)
class Exclusions:
    """Everything that is never recorded or heard: numbers that were dialled, advisors, and contacts
    (system, or None for any, and id).
    """

    numbers: frozenset[str] = frozenset()
    advisors: frozenset[str] = frozenset()
    contacts: frozenset[tuple[str | None, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.numbers or self.advisors or self.contacts)

    def build_test(self) -> sa.ColumnElement[bool]:
        keys = [
            sa.and_(_c.contact_id == contact_id, _c.source_system == system)
            if system
            else _c.contact_id == contact_id
            for system, contact_id in sorted(self.contacts, key=str)
        ]
        return _is(
            sa.or_(
                _c.tracking_number.in_(sorted(self.numbers)),
                _c.advisor_id.in_(sorted(self.advisors)),
                *keys,
            )
        )


_SEALED = sa.table("sealed", *(sa.column(name, sa.Text) for name in CONTACT_KEY))


def build_keys(contacts: Iterable[tuple[str, str]]) -> pa.Table:
    # `pa.table` would import pandas, for which every command would wait.
    schema = pa.schema([(name, pa.string()) for name in CONTACT_KEY])
    rows = [dict(zip(CONTACT_KEY, key, strict=True)) for key in contacts]
    return pa.Table.from_pylist(rows, schema)


_NO_KEYS = build_keys(())


@dataclass(frozen=True)
class LegalFacts:
    """Facts that the rules need besides the contact, as of one moment of the centre's
    clock.

    `information_days`: advisor id → the day they were informed; `oldest_recording` and
    `oldest_analysis`: contacts before these days are over; `sealed_keys`: contacts with a
    sealed recording and none for quality (R23).
    """

    moment: datetime = datetime.max
    consulted_on: date | None = None
    callers_informed_since: date | None = None
    oldest_recording: date = date.min
    oldest_analysis: date = date.min
    information_days: Mapping[str, date] = field(default_factory=dict)
    exclusions: Exclusions = Exclusions()
    sealed_keys: pa.Table = field(default_factory=lambda: _NO_KEYS, compare=False)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Build the tables that a statement with `find_obstacle` reads besides the lake."""
        ids, days = list(self.information_days), list(self.information_days.values())
        columns = [pa.array(ids, pa.string()), pa.array(days, pa.date32())]
        informed = pa.table(columns, names=["advisor_id", "informed_on"])
        return {"informed": informed, _SEALED.name: self.sealed_keys}

    def build_sealed_test(self) -> sa.ColumnElement[bool]:
        """Build the predicate of the contacts that are kept under a longer obligation alone."""
        # A correlated test beside another one would hold every contact in memory.
        key, sealed = ([table.c[name] for name in CONTACT_KEY] for table in (CONTACTS, _SEALED))
        is_sealed = sa.tuple_(*key).in_(sa.select(*sealed))
        return _is(sa.or_(names_class(_c), is_sealed))


_c = CONTACTS.c
_INFORMATION_DAYS = sa.table(
    "informed", sa.column("advisor_id", sa.Text), sa.column("informed_on", sa.Date)
)
Test = Callable[[LegalFacts], sa.ColumnElement[bool]]


def _is(column: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(column, sa.literal_column("false", sa.Boolean))


def _is_before(day: date | None) -> sa.ColumnElement[bool]:
    if day is None or day == date.min:
        return sa.false()
    return _c.local_start < sa.literal(datetime.combine(day, time()), sa.DateTime)


def _is_uninformed(_facts: LegalFacts) -> sa.ColumnElement[bool]:
    is_informed = sa.exists().where(
        _INFORMATION_DAYS.c.advisor_id == _c.advisor_id,
        _INFORMATION_DAYS.c.informed_on <= sa.cast(_c.local_start, sa.Date),
    )
    return sa.and_(_c.advisor_id.is_not(None), sa.not_(is_informed))


@dataclass(frozen=True)
class LegalRule:
    """Rule: `code` for scripts, its number, and the contacts whose acts it forbids."""

    code: str
    rule: str
    acts: frozenset[LegalAct]
    is_broken: Test


_EVERY = frozenset(LegalAct)
_ANEW = _EVERY - {LegalAct.KEEP}
"""Acts that rules about days restrict. A mistyped day must not delete audio."""
_CHOOSE = frozenset({LegalAct.DRAW, LegalAct.PICK})
_JUDGE = frozenset({LegalAct.EVALUATE, LegalAct.CALIBRATE, LegalAct.IMPORT})
"""Acts that need no recording: a chat is judged by its words."""

RULES: tuple[LegalRule, ...] = (
    LegalRule(
        "in_the_future",
        "R5",
        _ANEW,
        lambda facts: _c.local_start > sa.literal(facts.moment, sa.DateTime),
    ),
    LegalRule("before_consultation", "R4", _ANEW, lambda facts: _is_before(facts.consulted_on)),
    LegalRule(
        "before_callers_informed",
        "R3",
        _ANEW,
        lambda facts: _is_before(facts.callers_informed_since),
    ),
    LegalRule(
        "machine",
        "R22",
        _CHOOSE | _JUDGE,
        lambda facts: _is(_c.handled_by == sa.literal_column(f"'{Handler.MACHINE}'", sa.Text)),
    ),
    LegalRule("advisor_not_informed", "R4", _ANEW, _is_uninformed),
    LegalRule("objected", "R3", _EVERY, lambda facts: _is(_c.customer_objected)),
    LegalRule("no_notice", "R3", _EVERY - _CHOOSE, lambda facts: _is(sa.not_(_c.notice_played))),
    LegalRule("no_notice", "R3", _CHOOSE, lambda facts: sa.not_(_is(_c.notice_played))),
    LegalRule("stopped_by_advisor", "R9", _EVERY, lambda facts: _is(_c.stopped_by_advisor)),
    LegalRule("private_line", "R9", _EVERY, lambda facts: _is(_c.private_line)),
    LegalRule("excluded", "R9", _EVERY, lambda facts: facts.exclusions.build_test()),
    LegalRule("expired", "R5", _ANEW - _JUDGE, lambda facts: _is_before(facts.oldest_recording)),
    LegalRule("too_old", "R6", _JUDGE, lambda facts: _is_before(facts.oldest_analysis)),
    LegalRule("proof", "R23", frozenset({LegalAct.STORE}), lambda facts: names_class(_c)),
    LegalRule("proof", "R23", _ANEW - {LegalAct.STORE}, LegalFacts.build_sealed_test),
)
"""Every rule that a contact itself can break; the first that applies is named. The longer
obligation comes last: audio that is sealed may break this one.
"""
TITLES: dict[str, str] = declared.read(__file__)["titles"]


def find_tests(act: LegalAct, facts: LegalFacts) -> dict[str, sa.ColumnElement[bool]]:
    """Build the test of each rule for that act, by code, in the order of the rules."""
    return {rule.code: rule.is_broken(facts) for rule in RULES if act in rule.acts}


def find_obstacle(act: LegalAct, facts: LegalFacts) -> sa.ColumnElement[str]:
    """Build the expression that names the first rule against that act; null: none.

    The statement needs `facts.tables`.
    """
    tests = find_tests(act, facts)
    return sa.case(
        *((test, sa.literal_column(f"'{code}'", sa.Text)) for code, test in tests.items()),
        else_=sa.cast(sa.null(), sa.Text),
    )


def judge_rows(
    act: LegalAct, facts: LegalFacts, rows: Iterable[Mapping[str, Any]]
) -> list[str | None]:
    """Judge rows that look like contacts, wherever they come from; the first rule against
    each, in their order. Columns that a row lacks are missing.
    """
    schema = arrow_schema(CONTACTS)
    contacts = [
        {**dict.fromkeys(schema.names), **row, "ticket": f"{position:09}"}
        for position, row in enumerate(rows)
    ]
    if not contacts:
        return []
    nullable = pa.schema([item.with_nullable(True) for item in schema])
    query = Unscoped(
        sa.select(_c.ticket, find_obstacle(act, facts).label("obstacle")).order_by(_c.ticket),
        "The legal rules of a contact are the same for everybody. The caller provides the rows.",
    )
    tables = {**facts.tables, "contacts": pa.Table.from_pylist(contacts, schema=nullable)}
    obstacles = engine.current().run(query, tables)["obstacle"]
    return [value if isinstance(value, str) else None for value in obstacles]
