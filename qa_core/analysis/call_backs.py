"""Call-backs: who waits for one, who takes it, and whether it was tried or done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.metrics import query
from qa_core.metrics.query import MissedCaller
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.call_backs import CallBack


class CallBackState(StrEnum):
    TAKEN = "taken"
    TRIED = "tried"
    DONE = "done"


STATE_TITLES = {
    CallBackState.TAKEN: N_("taken"),
    CallBackState.TRIED: N_("tried, not reached"),
    CallBackState.DONE: N_("done"),
}


@dataclass(frozen=True)
class DueCallBack:
    """Caller to call back, and what was done so far: state, who, when (UTC); or nothing."""

    caller: MissedCaller
    state: str | None = None
    taken_by: str | None = None
    changed_at: datetime | None = None


def find_due(
    viewer: Viewer,
    find_callers: Callable[[Viewer], tuple[MissedCaller, ...]] = query.find_missed_callers,
) -> tuple[DueCallBack, ...]:
    """Find the call-backs to make, the longest waiting first. One that was done is listed
    again when the same caller is missed again; taken or tried holds for later tries too.
    """
    found = find_all(viewer, find_callers)
    return tuple(item for item in found if item.state != CallBackState.DONE)


def find_all(
    viewer: Viewer,
    find_callers: Callable[[Viewer], tuple[MissedCaller, ...]] = query.find_missed_callers,
) -> tuple[DueCallBack, ...]:
    """Find the call-backs to make, and those that were done since the caller's last call."""
    viewer.require(Permission.HANDLE_CALLBACKS)
    callers = find_callers(viewer)
    with store.reading() as session:
        names = people.find_names(session)
        rows = session.scalars(_read(sa.select(CallBack)))
        marks = {row.key: row for row in rows}
    found = []
    for caller in callers:
        key = next((one for one in (*caller.tries, *caller.elsewhere) if one in marks), None)
        mark = marks.get(key)
        is_past = key in caller.tries[1:] or (
            key in caller.elsewhere
            and mark.changed_at.replace(tzinfo=UTC) < caller.started_at.replace(tzinfo=UTC)
        )
        if mark is None or (mark.state == CallBackState.DONE and is_past):
            found.append(DueCallBack(caller))
        else:
            name = names.get(mark.taken_by, mark.taken_by)
            found.append(DueCallBack(caller, mark.state, name, mark.changed_at))
    return tuple(found)


def settle(viewer: Viewer, key: str, state: str | None) -> None:
    """Note that the viewer takes, tried or made the call-back of that key
    (`tries[0]` of the caller); None: put it back, as if nothing had been noted.

    Raises AccessDenied for one that is not among the call-backs of the viewer, and Refusal
    where somebody else has taken it and the viewer takes it too.
    """
    viewer.require(Permission.HANDLE_CALLBACKS)
    if state is not None:
        require_known(state, tuple(CallBackState), "unknown_state")
    item = next((one for one in find_all(viewer) if one.caller.tries[0] == key), None)
    if item is None:
        raise AccessDenied(N_("This caller does not wait for a call-back in your queues."))
    with store.writing() as session:
        known = (*item.caller.tries, *item.caller.elsewhere)
        own = sa.select(CallBack).where(CallBack.key.in_(known))
        for row in session.scalars(_read(own)):
            if CallBackState.TAKEN == row.state == state and row.taken_by != viewer.username:
                message, names = N_("{name} has taken this call-back."), people.find_names(session)
                name = names.get(row.taken_by, row.taken_by)
                raise Refusal("already_taken", message, name=name)
            session.delete(row)
        session.flush()
        if state is not None:
            session.add(CallBack(key=key, state=state, taken_by=viewer.username))
        what, act = f"call-back {key}", state or "put back"
        audit_log.record(session, viewer.username, "call_back_noted", what, reason=act)


def _read(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "Marks of call-backs are joined to the missed callers, which are found in scope.",
    )
