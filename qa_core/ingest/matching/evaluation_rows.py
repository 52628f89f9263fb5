"""Evaluations from the rows of a file: grouped and matched to their contact, or kept for it."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.centre import advisors, members
from qa_core.centre.advisors import AdvisorReference
from qa_core.centre.rules.active_rules import source_value
from qa_core.compliance.conditions.evaluators import BEFORE_ACCREDITATION, EvaluationAuthors
from qa_core.compliance.recordings import law
from qa_core.ingest.matching import contact_match
from qa_core.ingest.matching.pending_rows import mark_joined
from qa_core.ingest.staging.staged import Staged, unscoped_import_rows
from qa_core.metrics.law import legal_obstacles
from qa_core.metrics.law.legal_obstacles import LegalAct
from qa_core.quality import evaluations
from qa_core.quality.evaluations import ImportedAnswer, ImportedEvaluation
from qa_core.storage import name_merges
from qa_core.storage.facts.schema import RESTRAINTS, Handler
from qa_core.storage.records.imports import WaitingRow
from qa_core.storage.records.store import Session

NO_DATE, NO_EVALUATOR = "no_date", "no_evaluator"
CONTACT_COLUMNS = ("source_system", "contact_id", "started_at", "local_start", "advisor_id", "team")
LEGAL_COLUMNS = (*RESTRAINTS, "recording_purpose", "tracking_number", "handled_by")
CHECKED_COLUMNS = ("source_system", "contact_id", "advisor_id", "local_start", *LEGAL_COLUMNS)
"""Columns of its contact that an evaluation needs, and those that the law asks for."""
_WAITING = sa.select(WaitingRow).where(WaitingRow.kind == "evaluations")


@dataclass
class EvaluationRow:
    """Evaluation of a file: its rows, their lines, and the contact that they name."""

    key: str
    rows: list[dict[str, Any]]
    lines: list[int]
    contact: dict[str, Any] | None = None
    reason: str | None = None
    is_unaccredited: bool = False

    @property
    def first(self) -> dict[str, Any]:
        return self.rows[0]

    @property
    def lacks_contact(self) -> bool:
        return self.contact is None and self.first.get("contact_id") is not None

    @property
    def is_pending(self) -> bool:
        return self.reason is None and (self.lacks_contact or self.is_unaccredited)

    @property
    def moment(self) -> datetime | None:
        """Moment of the evaluation, else of its contact; None where neither is known."""
        moment = self.first.get("evaluated_at") or (self.contact or {}).get("started_at")
        return moment and moment.replace(tzinfo=UTC)


def group_rows(
    connection: duckdb.DuckDBPyConnection, staged: Staged, system: str | None
) -> tuple[list[EvaluationRow], int]:
    """Group the rows of each evaluation and find its contact. Its key is its id, else
    contact, advisor, evaluator, moment and grid; the last of a key is kept. Returns the
    number of duplicates too.
    """
    rows = connection.sql("SELECT * FROM staged ORDER BY line").to_arrow_table().to_pylist()
    _complete_possible(rows)
    is_long = all(row.get("criterion") is not None for row in rows) and len(
        {row["line"] for row in rows}
    ) == len(rows)
    groups: dict[str, list[dict[str, Any]]] = {}
    ranks: Counter[str] = Counter()
    for _line, of_line in groupby(rows, itemgetter("line")):
        line_rows = list(of_line)
        key = _build_key(line_rows, staged.system, is_long)
        if key.startswith("row-"):
            ranks[key] += 1
            key = f"{key}-{ranks[key]}"
        groups.setdefault(key, []).extend(line_rows)
    drafts: list[EvaluationRow] = []
    duplicates = 0
    for key, rows_of_key in groups.items():
        newest = {row.get("criterion"): row for row in rows_of_key}
        current_rows = sorted(newest.values(), key=itemgetter("line"))
        lines = sorted({row["line"] for row in current_rows})
        duplicates += len({row["line"] for row in rows_of_key}) - len(lines)
        drafts.append(EvaluationRow(key, current_rows, lines))
    _find_contacts(connection, drafts, system)
    for draft in drafts:
        has_day = draft.contact is not None or draft.first.get("local_start") is not None
        if draft.reason is None and not draft.lacks_contact and not has_day:
            draft.reason = NO_DATE
    return drafts, duplicates


def reject_unlawful(
    session: Session, drafts: Sequence[EvaluationRow], ids: Mapping[AdvisorReference, str]
) -> None:
    """Set the reason of evaluations without a person who may have made them, or without a
    lawful contact; mark those from before the accreditation of that person.
    """
    authors = EvaluationAuthors(session)
    kept = name_merges.find_kept_names(session)["advisor"]
    machines = members.find_machines(session)
    judged: list[tuple[EvaluationRow, dict[str, Any]]] = []
    for draft in drafts:
        if draft.reason is not None:
            continue
        row = dict(draft.contact or draft.first)
        row["advisor_id"] = (draft.contact or {}).get("advisor_id") or ids.get(
            (draft.first.get("advisor"), None)
        )
        if kept.get(row["advisor_id"], row["advisor_id"]) in machines:
            row["handled_by"] = Handler.MACHINE.value
        # Notices, and what an account is bound to, name the advisor whom others were merged into.
        _judge_evaluator(authors, draft, kept.get(row["advisor_id"], row["advisor_id"]))
        if draft.reason is None and not draft.lacks_contact:
            judged.append((draft, row))
    obstacles = _find_obstacles(session, [row for _draft, row in judged])
    for (draft, _row), obstacle in zip(judged, obstacles, strict=True):
        draft.reason = obstacle


def _judge_evaluator(
    authors: EvaluationAuthors, draft: EvaluationRow, advisor_id: str | None
) -> None:
    if not draft.first.get("evaluator"):
        draft.reason = NO_EVALUATOR
        return
    moment = draft.moment
    day = environment.to_local(moment).date() if moment else None
    if day is None and (local_start := draft.first.get("local_start")):
        day = local_start.date()
    reason = authors.judge(draft.first["evaluator"], advisor_id, day, moment)
    draft.is_unaccredited = reason == BEFORE_ACCREDITATION
    draft.reason = None if draft.is_unaccredited else reason


def _find_obstacles(session: Session, contacts: Iterable[Mapping[str, Any]]) -> list[str | None]:
    kept = name_merges.find_kept_names(session)["advisor"]
    rows = [{name: row.get(name) for name in CHECKED_COLUMNS} for row in contacts]
    for row in rows:
        row["advisor_id"] = kept.get(row["advisor_id"], row["advisor_id"])
    return legal_obstacles.judge_rows(LegalAct.IMPORT, law.load(session), rows)


def build(
    draft: EvaluationRow, ids: Mapping[AdvisorReference, str], teams: advisors.MembershipSpans
) -> ImportedEvaluation:
    """Build the evaluation of a draft whose contact was found or is not named."""
    first, contact = draft.first, draft.contact or {}
    local_start = contact.get("local_start") or first.get("local_start")
    evaluated_at = first.get("evaluated_at") or contact.get("started_at")
    advisor_id = ids.get((first.get("advisor"), None)) or contact.get("advisor_id")
    day = local_start.date() if local_start else None
    return ImportedEvaluation(
        external_key=draft.key,
        local_day=day,
        evaluated_at=evaluated_at.replace(tzinfo=UTC) if evaluated_at else None,
        source_system=contact.get("source_system"),
        contact_id=contact.get("contact_id") or first.get("contact_id"),
        advisor_id=advisor_id,
        team=contact.get("team") or advisors.find_team(teams, advisor_id, day),
        evaluator=first.get("evaluator"),
        scorecard=first.get("grid"),
        score=first.get("score"),
        marks=tuple(
            ImportedAnswer(
                row["criterion"], row.get("points"), row.get("possible"), row.get("section")
            )
            for row in draft.rows
            if row.get("criterion") is not None
        ),
        comment="\n".join(_list_distinct(row.get("comment") for row in draft.rows)) or None,
        tags=_list_distinct(
            tag.strip() for row in draft.rows for tag in re.split(r"[,;|]", row.get("tags") or "")
        ),
    )


def build_pending_row(
    item: ImportedEvaluation, system: str | None, is_unaccredited: bool
) -> dict[str, Any]:
    """Build the record of an evaluation that is kept until its contact comes, or until its
    evaluator is accredited for its day.
    """
    values = asdict(item) | {
        "local_day": item.local_day.isoformat() if item.local_day else None,
        "evaluated_at": item.evaluated_at.isoformat() if item.evaluated_at else None,
        "marks": [asdict(mark) for mark in item.marks],
    }
    return {
        "kind": "evaluations",
        "row_key": item.external_key,
        "contact_id": item.contact_id,
        "tracking_number": None,
        "happened_at": item.evaluated_at,
        "content": {"customer_key": None, "system": system, "values": values}
        | ({"awaits": BEFORE_ACCREDITATION} if is_unaccredited else {}),
    }


def join_arrived(
    session: Session, connection: duckdb.DuckDBPyConnection, arrived_batch: str | None
) -> int:
    """Write evaluations whose contacts have come, and whose evaluators are accredited, where
    the law allows it. Returns their number. `arrived_batch`: of the contacts; None: an
    accreditation came.
    """
    waiting = _WAITING.where(WaitingRow.joined_by.is_(None)).order_by(WaitingRow.id)
    pending = session.scalars(unscoped_import_rows(waiting)).all()
    drafts = [_recall(row) for row in pending]
    teams = advisors.group_spans(advisors.find_memberships(session))
    for system in {draft.first["system"] for draft in drafts}:
        _find_contacts(
            connection, [draft for draft in drafts if draft.first["system"] == system], system
        )
    advisor_ids = {(draft.first["advisor"], None): draft.first["advisor"] for draft in drafts}
    reject_unlawful(session, drafts, advisor_ids)
    joined_ids: dict[str, list[int]] = {}
    joined: dict[str, list[evaluations.ImportedEvaluation]] = {}
    for row, draft in zip(pending, drafts, strict=True):
        if draft.reason is None and not draft.is_pending:
            joined.setdefault(row.batch_id, []).append(build(draft, advisor_ids, teams))
            joined_ids.setdefault(arrived_batch or row.batch_id, []).append(row.id)
    for batch_id, items in joined.items():
        session.flush()
        importer = evaluations.EvaluationImporter(session, batch_id, items)
        for item in items:
            importer.import_one(item)
    session.flush()
    for batch_id, ids in joined_ids.items():
        mark_joined(session, ids, batch_id)
    return sum(map(len, joined_ids.values()))


def _recall(row: WaitingRow) -> EvaluationRow:
    """Recall the rows of an evaluation that waited."""
    values = row.content["values"]
    moment, day = (values[name] for name in ("evaluated_at", "local_day"))
    first = {
        "contact_id": row.contact_id,
        "system": row.content["system"],
        "advisor": values["advisor_id"],
        "evaluator": values["evaluator"],
        "evaluated_at": datetime.fromisoformat(moment) if moment else None,
        "local_start": datetime.fromisoformat(day) if day else None,
        "grid": values["scorecard"],
        "score": values["score"],
        "comment": values["comment"],
        "tags": ",".join(values.get("tags") or ()),
    }
    rows = [first | mark for mark in values["marks"]] or [first]
    return EvaluationRow(values["external_key"], rows, [])


def release(session: Session, arrived_batch: str) -> None:
    """Make the evaluations that had waited for this batch's contacts pending again."""
    joined = _WAITING.where(WaitingRow.joined_by == arrived_batch).order_by(WaitingRow.id.desc())
    by_batch: dict[str, list[str]] = {}
    for row in session.scalars(unscoped_import_rows(joined)):
        by_batch.setdefault(row.batch_id, []).append(row.content["values"]["external_key"])
    for batch_id, keys in by_batch.items():
        evaluations.restore(session, batch_id, keys)


def _list_distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    """List the different texts in order: rows of criteria repeat what is said of the whole."""
    return tuple(dict.fromkeys(text for text in texts if text))


def _build_key(rows: list[dict[str, Any]], system: str, is_long: bool) -> str:
    first = rows[0]
    if first.get("evaluation_id") is not None:
        return f"{system}:{first['evaluation_id']}"
    identity = [
        first.get(name) for name in ("contact_id", "advisor", "evaluator", "evaluated_at", "grid")
    ]
    if first.get("contact_id") is not None or is_long:
        return f"{evaluations.OF_CONTACT}{_compute_digest(identity)}"
    # Without any other key, an evaluation is known by its values and rank among equals.
    answers = ((row.get("criterion"), row.get("points")) for row in rows)
    return f"row-{_compute_digest([*identity, first.get('score'), *answers])}"


def _compute_digest(values: list[Any]) -> str:
    return hashlib.sha256("\x1f".join(str(value) for value in values).encode()).hexdigest()[:32]


def _complete_possible(rows: list[dict[str, Any]]) -> None:
    """Set greatest marks that the file does not give to the highest that anybody was given.
    Raises Refusal for a criterion with several: a scorecard has one for each.
    """
    greatest: dict[tuple[Any, Any], float] = {}
    stated: dict[tuple[Any, Any], float] = {}
    for row in rows:
        criterion, possible = (row.get("grid"), row.get("criterion")), row.get("possible")
        if row.get("points") is not None:
            greatest[criterion] = max(greatest.get(criterion, 0.0), row["points"])
        if possible is not None and stated.setdefault(criterion, possible) != possible:
            message = N_("{criterion} has several maxima. Import the score of each evaluation.")
            options = ("--map score=COLUMN",)
            raise Refusal("several_maxima", message, options, criterion=criterion[1])
    for row in rows:
        if row.get("points") is not None and row.get("possible") is None:
            row["possible"] = greatest[(row.get("grid"), row.get("criterion"))]


def _find_contacts(
    connection: duckdb.DuckDBPyConnection, drafts: list[EvaluationRow], system: str | None
) -> None:
    references = [
        (number, draft.first["contact_id"])
        for number, draft in enumerate(drafts)
        if draft.first.get("contact_id") is not None
    ]
    if not references:
        return
    numbers, ids = zip(*references, strict=True)
    blank = [None] * len(ids)
    columns = [list(numbers), list(ids), *[blank] * 4]
    connection.register("incoming", pa.table(columns, schema=contact_match.INCOMING))
    contact_match.match(connection, 0, system)
    matches = connection.execute(
        "SELECT m.line, c.source_system, c.contact_id, c.started_at, c.local_start, "
        f"{source_value('advisor_id')}, {source_value('team')}, "
        f"{', '.join(f'c.{name}' for name in LEGAL_COLUMNS)} "
        "FROM matched m JOIN contacts c ON c.source_system = m.source_system AND c.contact_id "
        "= m.contact_id"
    ).fetchall()
    for number, *contact in matches:
        drafts[number].contact = dict(zip((*CONTACT_COLUMNS, *LEGAL_COLUMNS), contact, strict=True))
    for number, reason in connection.execute("SELECT line, reason FROM doubtful").fetchall():
        drafts[number].reason = reason
    connection.unregister("incoming")
