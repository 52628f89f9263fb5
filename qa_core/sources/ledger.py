"""Ledger of the windows: each day of each source, what the platform has of it, and what came.

A day that is not complete keeps a moment of its next reading. So a process that dies leaves
its day to the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.base.row_values import build_from_row
from qa_core.metrics.kpis import formatting
from qa_core.sources.protocol.declaration import NONE, Span
from qa_core.sources.register import SourceEntry
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.sources import SourceWindow

DUE, READING, OPEN, COMPLETE, READ = "due", "reading", "open", "complete", "read"
GAP, FAILED, WAITING, UNDONE = "gap", "failed", "waiting", "undone"
_DECLARED = declared.read(__file__)
STATES: dict[str, str] = _DECLARED["states"]
CAUSES: dict[str, str] = _DECLARED["causes"]
"""Causes of a gap or a failure, and what to do; others are codes of refusals of the import."""
SAID = ("name", "path", "type", "platform", "system", "kind", "field", "known")
"""Places of a refusal that are kept as they are, beside numbers; others could quote a cell."""
MISSING = (GAP, FAILED, WAITING)
"""States in which the lake may lack what the platform has."""
EVERY = timedelta(minutes=5)
"""Time between two readings of today."""
AGAIN = timedelta(hours=23)
"""Time between two readings of a day that is over, while its records may still come."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 30, 120, 360, 720))
"""Waits before each further reading of a day that is not complete; the last one again."""


@dataclass(frozen=True)
class WindowEntry:
    """A day of a source in the ledger."""

    id: int
    source: str
    day: date
    state: str
    cause: str | None
    attempts: int
    fetched: int | None
    expected: int | None
    counts: Mapping[str, Any]
    read_at: datetime | None
    next_at: datetime | None

    @property
    def span(self) -> Span:
        return find_span(self.day)

    @property
    def gap(self) -> int | None:
        """Number of rows that are missing; None where it is not known."""
        known = self.fetched is not None and self.expected is not None
        return abs(self.expected - self.fetched) if known else None

    @property
    def label(self) -> str:
        """Name of its imports."""
        return f"{self.source} {self.day}"

    def find_provisional(self, settle: timedelta) -> datetime | None:
        """Find until when records of the day may still come; None: they have."""
        settles_at = self.span.until + settle
        is_settled = self.read_at is not None and self.read_at >= settles_at
        return None if is_settled or self.state == UNDONE else settles_at

    def as_json(self, entry: SourceEntry) -> dict[str, Any]:
        """Build the object that `pull --json` prints (docs/contract.md, section 3)."""
        span, basis = self.span, entry.declared.basis
        provisional = self.find_provisional(entry.declared.settle)
        is_stated = basis != NONE
        return {
            "source": self.source,
            "window": "/".join(
                environment.to_local(at).isoformat() for at in (span.since, span.until)
            ),
            "fetched": self.fetched,
            "expected": self.expected if is_stated else None,
            "basis": basis,
            "gap": self.gap if is_stated else None,
            **{
                name: self.counts.get(name, 0)
                for name in ("new", "updated", "unchanged", "rejected")
            },
            "provisional_until": provisional and environment.to_local(provisional).isoformat(),
            "state": self.state,
            "cause": self.cause,
            "gone": self.counts.get("gone", 0),
        }


def find_span(day: date) -> Span:
    """Find the day by the clock of the centre: 23 or 25 hours where the clock changes."""
    zone = environment.current().zone
    bounds = (
        datetime.combine(day + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1)
    )
    return Span(*bounds)


def enter_days(entry: SourceEntry, first: date | None = None, last: date | None = None) -> None:
    """Enter the days of a source that are not in the ledger yet, up to today."""
    today = environment.today()
    first, last = first or entry.since, min(last or today, today)
    with store.writing() as session:
        mine = SourceWindow.source == entry.name, SourceWindow.day >= first
        known = set(session.scalars(sa.select(SourceWindow.day).where(*mine)))
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        session.add_all(
            SourceWindow(source=entry.name, day=day) for day in days if day not in known
        )


def find_due(source: str) -> list[WindowEntry]:
    """Find the days to read now, the newest first."""
    return _find(SourceWindow.source == source, SourceWindow.next_at <= now())


def find_days(source: str, first: date, last: date) -> list[WindowEntry]:
    """Find these days of a source, the newest first."""
    return _find(SourceWindow.source == source, SourceWindow.day.between(first, last))


def find_windows(viewer: Viewer, source: str) -> list[WindowEntry]:
    """Find all days of a source, the newest first. Needs MANAGE_IMPORTS."""
    viewer.require(Permission.MANAGE_IMPORTS)
    return _find(SourceWindow.source == source)


def count_states() -> dict[tuple[str, str], int]:
    """Count the days of each source by state."""
    grouped = SourceWindow.source, SourceWindow.state
    with store.reading() as session:
        rows = session.execute(sa.select(*grouped, sa.func.count()).group_by(*grouped)).all()
    return {(source, state): count for source, state, count in rows}


def find_ages() -> dict[str, datetime | None]:
    """Find when each source was last read to its end."""
    newest = sa.select(SourceWindow.source, sa.func.max(SourceWindow.read_at))
    with store.reading() as session:
        return dict(session.execute(newest.group_by(SourceWindow.source)).all())


def _find(*conditions: sa.ColumnElement[bool]) -> list[WindowEntry]:
    rows = sa.select(SourceWindow).where(*conditions).order_by(SourceWindow.day.desc())
    with store.reading() as session:
        return [build_from_row(WindowEntry, row) for row in session.scalars(rows)]


def begin(window: WindowEntry) -> WindowEntry:
    """Note that a day is being read; should that process die, it is due again."""
    return _update(window, state=READING, attempts=window.attempts + 1)


def settle(
    window: WindowEntry,
    declared_settle: timedelta,
    state: str,
    began_at: datetime,
    **values: Any,
) -> WindowEntry:
    """Note the end of a reading, and when the day is read again: today soon; a day with a gap
    after a wait; one whose records may still come each day, and once they have.
    """
    span = window.span
    settles_at = span.until + declared_settle
    if state in MISSING:
        next_at = now() + WAITS[min(window.attempts, len(WAITS)) - 1]
    else:
        values |= {"read_at": began_at, "attempts": 0, "cause": None}
        if began_at < span.until:
            next_at = min(began_at + EVERY, span.until)
        elif began_at < settles_at:
            next_at = min(began_at + AGAIN, settles_at)
        else:
            next_at = None
    return _update(window, state=state, next_at=next_at, **values)


def fill(viewer: Viewer, number: int) -> None:
    """Have a day read anew by the next pull. Needs MANAGE_IMPORTS."""
    window = get_window(viewer, number)
    values = {"state": DUE} if window.state == UNDONE else {}
    kept = {name: value for name, value in window.counts.items() if name == "refused"}
    _update(window, next_at=now(), attempts=0, counts=kept, **values)


def note_overtaken(window: WindowEntry) -> None:
    """Have the later days that were read already read again, whole: their rows are newer."""
    later = SourceWindow.source == window.source, SourceWindow.day > window.day
    values = {"state": DUE, "next_at": now(), "read_at": None, "counts": {}}
    with store.writing() as session:
        was_read = SourceWindow.read_at.is_not(None)
        session.execute(sa.update(SourceWindow).where(*later, was_read).values(values))


def find_overtaken(window: WindowEntry) -> list[WindowEntry]:
    """Find the days after this one that are to be read again, the oldest first."""
    later = SourceWindow.source == window.source, SourceWindow.day > window.day
    return _find(*later, SourceWindow.state == DUE, SourceWindow.next_at <= now())[::-1]


def note_undone(viewer: Viewer, number: int) -> None:
    """Note that everything that a day brought is undone: it is read again only on request.
    Needs MANAGE_IMPORTS.
    """
    window = get_window(viewer, number)
    _update(
        window, state=UNDONE, next_at=None, read_at=None, counts={}, fetched=None, expected=None
    )
    with store.writing() as session:
        audit_log.record(session, viewer.username, "source_window_undone", window.label)


def get_window(viewer: Viewer, number: int) -> WindowEntry:
    """Get a day. Needs MANAGE_IMPORTS. Raises Refusal for an unknown one."""
    viewer.require(Permission.MANAGE_IMPORTS)
    found = _find(SourceWindow.id == number)
    if not found:
        raise Refusal("unknown_window", "This day is not in the list of sources any more.")
    return found[0]


def _update(window: WindowEntry, **values: Any) -> WindowEntry:
    with store.writing() as session:
        mine = SourceWindow.id == window.id
        session.execute(sa.update(SourceWindow).where(mine).values(**values))
        row = session.get(SourceWindow, window.id, populate_existing=True)
        if row is None:  # the source was removed meanwhile
            raise Refusal("unknown_window", "This day is not in the list of sources any more.")
        return build_from_row(WindowEntry, row)


def keep_refusal(refusal: Refusal) -> dict[str, Any]:
    """Keep why an import refused a file, without what it quotes of it."""
    kept = {
        name: value if name in SAID or isinstance(value, int | float) else "…"
        for name, value in refusal.params.items()
    }
    return {"message": refusal.message, "places": kept}


def describe(window: WindowEntry) -> str:
    """Describe the state of a day and its cause, in the language spoken."""
    parts = [describe_state(window)]
    if refused := window.counts.get("refused"):
        parts.append(_(refused["message"]).format(**refused["places"]))
    elif window.cause is not None and window.state != WAITING:
        parts.append(describe_cause(window.cause))
    return " · ".join(parts)


def describe_state(window: WindowEntry) -> str:
    """Describe the state of a day without its cause."""
    parts = [_(STATES[window.state])]
    if window.state == GAP and window.gap:
        missing = _(
            "{n} of {total} missing",
            n=formatting.number(window.gap),
            total=formatting.number(window.expected),
        )
        parts.append(missing)
    return " · ".join(parts)


def describe_cause(cause: str) -> str:
    """Describe a cause, and what to do, in the language spoken."""
    if cause in CAUSES:
        return _(CAUSES[cause])
    return _("The import refused it ({code}). Import the file by hand: it says why.", code=cause)
