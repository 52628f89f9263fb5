"""Recordings of the demo centre: a few spoken calls, each for several fitting contacts."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.cli.demo.accounts import Cast
from qa_core.compliance.conditions import gates
from qa_core.compliance.recordings import audio, deletion
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.store import Session

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


def read_calls() -> list[dict[str, Any]]:
    """Read the spoken calls: file, language, title, fitting queue and reason, lines."""
    return tomllib.loads((FOLDER / "calls.toml").read_text(encoding="utf-8"))["call"]


def record_calls(viewer: Viewer, cast: Cast) -> None:
    """Give audio to recorded calls of the demo lead's team in the last two months."""
    viewer.require(Permission.MANAGE_IMPORTS)
    chance, calls = cast.plan.chance("recordings"), read_calls()
    chosen = _choose(cast)
    ids, around = [row.contact_id for row in chosen], cast.plan.day(DAYS // 2)
    known = {
        (item.source_system, item.contact_id): item
        for item in query.find_recorded(Viewer.SYSTEM, ids, around)
    }
    understood = {call["file"]: audio.examine(FOLDER / call["file"]) for call in calls}
    with store.one_import_at_a_time(), store.writing() as session:
        kept = 0
        for row in chosen:
            contact = known.get((row.source_system, row.contact_id))
            if contact is not None and contact.against is None:
                file: Path = FOLDER / _pick(calls, row.queue, row.reason, chance)["file"]
                stored = deletion.store_audio(file, understood[file.name])
                deletion.add(session, stored, contact, row.recording_purpose, batch_id=BATCH)
                kept += 1
        audit_log.record(session, viewer.username, "import", BATCH, reason=f"{kept} recordings")


def remove(session: Session) -> None:
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
