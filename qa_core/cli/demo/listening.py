"""Listening in the demo centre: its legal conditions, plans drawn from a seed, and recordings: a
few spoken calls, each for several fitting contacts.
"""

import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Role, Viewer, has_on_others
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.centre import members
from qa_core.cli.demo import evaluations, staff
from qa_core.cli.demo.accounts import Cast
from qa_core.cli.demo.story import STORY
from qa_core.compliance.conditions import accreditations, gates, notices
from qa_core.compliance.conditions.evaluators import EvaluationAuthors, confirm
from qa_core.compliance.recordings import audio, deletion, law
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period, add_months
from qa_core.metrics.law.legal_obstacles import LegalAct
from qa_core.quality import sampling
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.store import Session

ENTERED_BY = N_("demo centre")
"""Author of the demo's entries; no account can have this name."""

LISTENING = STORY.listening
FOLDER = environment.PROJECT / "data" / "demo_calls"
BATCH = "demo calls"
"""Batch of the demo's recordings; finds them for removal."""
DAYS = 62
MIN_TALK = 60
EVALUATED, MORE_EVALUATED, FRESH = 2, 4, 3
"""Contacts with audio per advisor and month: evaluated ones, and others."""
FOUND = (
    "source_system", "contact_id", "local_start", "queue", "reason", "talk_seconds",
    "recording_purpose", "advisor",
)  # fmt: skip


def open_for_listening(viewer: Viewer, cast: Cast) -> None:
    """Enter what each closed gate requires, accredit the demo's listeners and inform
    its advisors, each before their first contact.

    A centre with real advisors enters its gates itself: a demo there opens none.
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    demo = Viewer(ENTERED_BY, None, is_system=True)
    with store.reading() as session:
        is_alone = members.find_names(session).keys() <= set(cast.staff.ids)
        closed = set(gates.find_missing(session)) & set(gates.BY_NAME)
        names = (gate.name for gate in gates.OF_MACHINES)
        closed |= {name for name in names if gates.value_of(session, name) is None}
    before = (cast.plan.first_day - timedelta(days=LISTENING.gate_days)).isoformat()
    for name, value in LISTENING.gates.items():
        if is_alone and name in closed:
            gates.set_gate(demo, name, value or before)
    until = environment.today() + timedelta(days=LISTENING.accredited_days)
    for entry in cast.sign_ins:
        if has_on_others(entry["role"], Permission.LISTEN) and entry["role"] != Role.EVALUATOR:
            accreditations.accredit(demo, entry["username"], until)
    for name in staff.EVALUATORS:
        with store.reading() as session:
            known = EvaluationAuthors(session).find(name)
        who = known.name if known else confirm(demo, name, LISTENING.reason)
        first = cast.plan.first_day
        accreditations.accredit(demo, who, until, (), first, LISTENING.reason)
    for day, advisors in _days_of_notice(cast).items():
        notices.inform(demo, advisors, day)


def draw_contacts(viewer: Viewer, cast: Cast) -> None:
    """Plan and draw for the team with audio; nothing where the centre may not listen."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    demo = Viewer(ENTERED_BY, None, is_system=True)
    this_month = cast.plan.last_day.replace(day=1)
    for back, days in enumerate(LISTENING.days_to_listen):
        first = add_months(this_month, back - 1)
        content = {
            **LISTENING.plan,
            "name": f"demo-{first:%Y-%m}",
            "from": first,
            "to": add_months(first, 1) - timedelta(days=1),
            "grid": evaluations.SCORECARD_KEY,
            "team": [cast.team],
            "evaluators": cast.evaluators,
            "due": environment.today() + timedelta(days=int(days)),
        }
        try:
            sampling.add_plan(demo, content)
            sampling.draw(demo, content["name"], cast.plan.seed)
        except Refusal:
            return


def _days_of_notice(cast: Cast) -> dict[date, list[str]]:
    """Choose the day each advisor is informed: before recording begins, or when they join."""
    joined: dict[int, date] = {}
    for advisor, _team, starts_on, _ends_on in cast.staff.memberships:
        joined[advisor] = min(starts_on, joined.get(advisor, starts_on))
    earliest = cast.plan.first_day - timedelta(days=LISTENING.notice_days)
    days: dict[date, list[str]] = {}
    for advisor, day in sorted(joined.items()):
        days.setdefault(max(day, earliest), []).append(cast.staff.ids[advisor])
    return days


def read_calls() -> list[dict[str, Any]]:
    """Read the spoken calls: file, language, title, fitting queue and reason, lines."""
    return tomllib.loads((FOLDER / "calls.toml").read_text(encoding="utf-8"))["call"]


def record_calls(viewer: Viewer, cast: Cast) -> None:
    """Give audio to recorded calls of the demo lead's team in the last two months."""
    viewer.require(Permission.MANAGE_IMPORTS)
    chance, calls = cast.plan.chance("recordings"), read_calls()
    chosen = _choose(cast)
    ids, around = [row.contact_id for row in chosen], cast.plan.day(DAYS // 2)
    with store.reading() as session:
        judged = law.judge(session, Viewer.SYSTEM, LegalAct.KEEP, ids, around)
    known = {(item.source_system, item.contact_id): item for item in judged}
    understood = {call["file"]: audio.examine(FOLDER / call["file"]) for call in calls}
    with store.one_import_at_a_time(), store.writing() as session:
        kept, purposes = 0, ",".join(gates.PURPOSES)
        for row in chosen:
            contact = known.get((row.source_system, row.contact_id))
            if contact is not None and contact.against is None:
                file: Path = FOLDER / _pick(calls, row.queue, row.reason, chance)["file"]
                stored = deletion.store_audio(file, understood[file.name])
                deletion.add(session, stored, contact, purposes, batch_id=BATCH)
                kept += 1
        audit_log.record(session, viewer.username, "import", BATCH, reason=f"{kept} recordings")


def remove_recordings(session: Session) -> None:
    """Delete these recordings, their files and all that refers to them."""
    recordings = sa.select(Recording).where(Recording.batch_id == BATCH)
    for recording in session.scalars(Scoped(recordings, Viewer.SYSTEM)):
        deletion.drop(session, recording, "undone")
        session.delete(recording)


def _choose(cast: Cast) -> list[Any]:
    """Choose the contacts that get audio: each advisor's newest evaluated ones and others."""
    plan, name = cast.plan, cast.staff.names[cast.advisor]
    period = Period(max(plan.first_day, plan.day(DAYS)), plan.last_day)
    cut = {"team": (cast.team,), "channel": ("phone",), "direction": ("inbound",)}
    where = Filters.of(period, cut)
    frame = query.find_contacts(Viewer.SYSTEM, where, columns=(*FOUND, "recorded"), limit=100_000)
    frame = frame[
        frame["recorded"].eq(True)
        & (frame["talk_seconds"] >= MIN_TALK)
        & frame["recording_purpose"].isin(gates.PURPOSES)
    ]
    known, keys = _find_evaluated(period), zip(frame.source_system, frame.contact_id, strict=True)
    is_evaluated = pd.Series([key in known for key in keys], index=frame.index, dtype=bool)
    rank = frame.groupby([frame["advisor"], is_evaluated, frame["local_start"].dt.month]).cumcount()
    evaluated = np.where(frame["advisor"] == name, MORE_EVALUATED, EVALUATED)
    most = np.where(is_evaluated, evaluated, FRESH)
    return list(frame[rank < most].itertuples(index=False))


def _find_evaluated(period: Period) -> set[tuple[str, str]]:
    statement = sa.select(Evaluation.source_system, Evaluation.contact_id).where(
        Evaluation.local_day.between(period.first_day, period.last_day)
    )
    with store.reading() as session:
        return set(map(tuple, session.execute(Scoped(statement, Viewer.SYSTEM))))


def _pick(
    calls: list[dict[str, Any]], queue: str | None, reason: str | None, chance: np.random.Generator
) -> dict[str, Any]:
    """Pick a call that fits: of that reason, else of that queue, else any."""
    fitting = (
        [call for call in calls if call["reason"] == reason]
        or [call for call in calls if call["queue"] == queue]
        or calls
    )
    return fitting[int(chance.integers(len(fitting)))]
