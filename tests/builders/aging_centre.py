"""One of each kind of personal data that goes by age, dated as the test says."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from builders.centres import contact, evaluation, land
from builders.listening_centre import build_draw, keep_audio
from builders.sounds import make
from qa_core.base import environment
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.storage.records.imports import BeforeImage, ImportBatch, WaitingRow
from qa_core.storage.records.irritants import Irritant
from qa_core.storage.records.listening import (
    Calibration,
    CoachingNote,
    CoachingPlan,
    Dispute,
    DrawnContact,
    ListeningPlan,
    Playback,
)
from qa_core.storage.records.people import Account, AccountRequest, SignInThrottle
from qa_core.storage.records.retention import SubjectRequest
from qa_core.storage.records.targets import Annotation


def add_scorecard() -> None:
    """Add the scorecard of these calibrations and evaluations."""
    with store.writing() as session:
        session.add(ScorecardVersion(key="g", title="G", content={}))


def add_one_of_each(sent: Path, name: str, at: datetime, advisor_id: str = "ann-secret") -> None:
    """Add two contacts of a customer of their own, and one of everything else; whatever is
    written about them begins with `name`.
    """
    start = at.replace(tzinfo=None)
    keys = {"advisor_id": advisor_id, "notice_played": True, "csat": 5.0}
    land(
        [
            contact(
                start + timedelta(hours=hour),
                f"{name}{hour}",
                customer_key=f"{name}-customer",
                survey_comment=None if hour else f"{name}-words",
                **keys,
            )
            for hour in range(2)
        ],
        f"landed-{name}",
    )
    terms = {"purpose": "evaluation", "grid_key": "g", "per_advisor": 1, "maximum_per_advisor": 2}
    with store.one_import_at_a_time(), store.writing() as session:
        kept = keep_audio(session, f"{name}0", make(sent / f"{name}.wav"))
        made = evaluation(
            contact(start, f"{name}0", **keys),
            80.0,
            {("s", "c"): (1.0, 1.0)},
            evaluated_at=at,
            comment=f"{name}-comment",
            external_key=name,
        )
        coaching = CoachingPlan(
            advisor_id=advisor_id, local_day=at.date(), starts_on=at.date(), opened_at=at,
            goal=f"{name}-goal", opened_by="lea",
        )  # fmt: skip
        coaching.notes = [CoachingNote(text=f"{name}-note", author="lea")]
        plan = ListeningPlan(
            name=name, starts_on=at.date(), ends_on=at.date(), created_by="mo", **terms
        )
        draw = build_draw("mo", plan=plan, drawn_at=at)
        draw.contacts = [
            DrawnContact(
                position=1,
                source_system="generic",
                contact_id=f"{name}0",
                advisor_id=advisor_id,
                local_start=start,
            )
        ]
        batch = ImportBatch(
            id=name, kind="surveys", file_name="f.csv", digest=name, system="s", profile="p",
            options={}, actor="adam", state="done", started_at=at, finished_at=at,
        )  # fmt: skip
        session.add_all([made, coaching, draw, batch])
        session.flush()
        session.add_all(
            [
                Playback(
                    recording_id=kept.id, source_system="generic", contact_id=f"{name}0",
                    advisor_id=advisor_id, username="eve", purpose="quality",
                    reason=f"{name}-reason", played_at=at,
                ),
                Dispute(
                    evaluation_id=made.id, criterion="c", reason=f"{name}-dispute", raised_by="ann"
                ),
                Calibration(title=name, grid_id=1, evaluators=[], opened_by="mo", opened_at=at),
                WaitingRow(
                    batch_id=name, kind="surveys", row_key=name, content={"w": f"{name}-row"}
                ),
                BeforeImage(batch_id=name, object="advisor", key=name, content={"n": name}),
                AccountRequest(
                    act="account_add", username="x", content={}, asked_by="adam", asked_at=at,
                    decided_at=at,
                ),
                Account(
                    username=f"{name}-left", display_name=f"{name}-left", role="evaluator",
                    password_hash="", active=False, closed_at=at,
                ),
                SubjectRequest(
                    kind="access", subject_kind="customer", subject=f"{name}-customer",
                    received_on=at.date(), due_on=at.date(), answered_on=at.date(),
                    answered_by="dora", answer=f"{name}-answer", entered_by="dora",
                ),
                Annotation(
                    title=f"{name}-event", starts_on=at.date(), ends_on=at.date(), author="lea"
                ),
                Irritant(kind="tags", note=f"{name}-remark", opened_by="lea", opened_at=at),
                SignInThrottle(key=f"account:{name}-person", last_failure_at=at),
            ]
        )  # fmt: skip
    for place in ("quarantine", "tmp/left"):
        path = environment.current().folder / place / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}-cells")
        os.utime(path, (at.timestamp(), at.timestamp()))
