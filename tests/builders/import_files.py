"""Small files to import, and what stands in the stores afterwards, for the tests of
imports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from builders.listening_centre import allow_evaluations
from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal
from qa_core.files.options import ImportOptions
from qa_core.ingest.confirmation import Confirmation
from qa_core.ingest.reading.report import UNCONFIRMED, FileReport
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer
from qa_core.storage.records.imports import WaitingRow
from qa_core.storage.records.people import Membership
from qa_core.upkeep import after_import

CALLS = """contact_id,started_at,advisor,team,customer,outcome,wait_seconds,talk_seconds,tracking_number
C1,2026-03-02 09:00:00,Diane,North,0612345601,answered,10,120,+33170000001
C2,2026-03-02 09:05:00,Becky,North,0612345602,answered,20,180,+33170000001
C3,2026-03-02 09:10:00,Diane,North,0612345601,abandoned,30,,+33170000002
"""  # noqa: E501
SURVEYS = """contact_id,answered_at,csat,nps,comment
C1,2026-03-02 12:00:00,5,9,fine
C2,2026-03-02 12:30:00,2,3,slow
C9,2026-03-02 13:00:00,4,8,lost
"""
TRACKING = """tracking_number,started_at,source,campaign
+33170000001,2026-03-02 09:00:20,Google,Spring
+33170000001,2026-03-02 09:04:30,Bing,Summer
+33170000003,2026-03-02 09:10:00,Google,Spring
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def run_confirmed(
    viewer: Viewer, kind: str, paths: Iterable[Path | str], options: ImportOptions | None = None
) -> list[FileReport]:
    """Import files as somebody does who confirms each reading that leaves no question open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Confirmation, "require", _require_and_confirm)
        return ingest.run(viewer, kind, paths, options)


def _require_and_confirm(confirmation: Confirmation) -> ImportOptions | None:
    """Confirm what was refused for that alone, without reading the file a second time."""
    try:
        return REQUIRE(confirmation)
    except Refusal as refusal:
        if refusal.code != UNCONFIRMED or confirmation.reading.questions:
            raise
    confirmation.given = replace(confirmation.given, confirm=confirmation.reading.layout)
    return REQUIRE(confirmation)


REQUIRE = Confirmation.require


def describe_question(report: FileReport) -> dict[str, Any]:
    """The JSON of a refused file, with the first question about it as its error."""
    described = report.as_json()
    for question in described["reading"]["questions"][:1]:
        options = [item for item in report.refusal.options if not item.startswith("--confirm")]
        named = {"code": question["code"], "message": question["message"], "options": options}
        described["error"] |= named
    return described


def bring(
    folder: Path, kind: str, text: str, name: str | None = None, **options: Any
) -> FileReport:
    """Import a text as a file of that kind; fails when the file is refused. The centre may
    listen to the advisors that it knows before it evaluates them.
    """
    if kind == "evaluations":
        allow_evaluations()
    path = write(
        folder, name or f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.csv", text
    )
    report = run_confirmed(Viewer.SYSTEM, kind, [path], ImportOptions(**options))[0]
    assert not report.is_refused, report.as_text()
    report.tally.require_identity(report.file)
    if not report.dry_run:
        after_import.do_due(after_import.QUICK)  # dates of tests get old
    return report


def find_contacts(*columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    """Rows of the lake by contact id, with those columns."""
    with lake.working() as connection:
        return connection.execute(
            f"SELECT {', '.join(('contact_id', *columns))} FROM contacts WHERE {where} ORDER "
            "BY source_system, contact_id"
        ).fetchall()


def find_facts() -> list[tuple[Any, ...]]:
    """Everything that stands in the lake, but which batch brought it."""
    with lake.working(others=["spend"]) as connection:
        contacts = connection.execute(
            "SELECT * EXCLUDE (batch_id) FROM contacts ORDER BY ALL"
        ).fetchall()
        return (
            contacts
            + connection.execute("SELECT * EXCLUDE (batch_id) FROM spend ORDER BY ALL").fetchall()
        )


def find_evaluations() -> list[tuple[Any, ...]]:
    """Every evaluation with its answers, without what numbers and dates the writing
    alone.
    """
    with store.reading() as session:
        columns = (
            Evaluation.external_key,
            Evaluation.source_system,
            Evaluation.contact_id,
            Evaluation.advisor_id,
            Evaluation.team,
            Evaluation.local_day,
            Evaluation.score,
        )
        rows = session.execute(sa.select(*columns).order_by(Evaluation.external_key)).all()
        answers = sa.select(
            Evaluation.external_key,
            EvaluationAnswer.criterion,
            EvaluationAnswer.earned,
            EvaluationAnswer.possible,
        ).join(EvaluationAnswer.evaluation)
        return [tuple(row) for row in rows] + sorted(tuple(row) for row in session.execute(answers))


def find_waiting() -> list[tuple[str, str | None]]:
    """Rows that wait for their contact, as (kind, contact id)."""
    with store.reading() as session:
        rows = session.execute(
            sa.select(WaitingRow.kind, WaitingRow.contact_id)
            .where(WaitingRow.joined_by.is_(None))
            .order_by(WaitingRow.id)
        )
        return [tuple(row) for row in rows]


def find_memberships() -> list[tuple[Any, ...]]:
    with store.reading() as session:
        columns = (
            Membership.advisor_id,
            Membership.team_name,
            Membership.starts_on,
            Membership.ends_on,
        )
        return sorted((tuple(row) for row in session.execute(sa.select(*columns))), key=str)


def find_files(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, with the digest of its content; but SQLite's own
    index of who reads, which every reader touches.
    """
    return {
        str(path): hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if path.suffix != ".sqlite-shm"
    }
