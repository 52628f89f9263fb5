"""Seeded draws from plan, seed and lake, stored with their inputs, and verified."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access import accounts
from qa_core.access.roles import Permission, Viewer
from qa_core.base import doors
from qa_core.base.errors import AccessDenied, Refusal, require_number
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.compliance.conditions import gates
from qa_core.compliance.conditions.listened import DrawCutoff
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.law import sampling_frame
from qa_core.metrics.law.sampling_frame import DIMENSIONS
from qa_core.quality.sampling import allocation, assignment, fairness, frame_inputs, plans
from qa_core.storage import audit_log, lake
from qa_core.storage.records import store
from qa_core.storage.records.listening import Draw, DrawnContact, ListeningPlan
from qa_core.storage.records.store import Session

HIGHEST_SEED = (1 << 63) - 1
NOTHING_DRAWN = N_("Nothing more is drawn for the plan {plan}. Make a new plan.")


@dataclass(frozen=True)
class DrawEntry:
    """Drawn contact. `stratum`: its value of every dimension, used by the plan or not."""

    source_system: str
    contact_id: str
    advisor_id: str
    team: str | None
    local_start: datetime
    stratum: Mapping[str, str | None]
    evaluator: str | None = None


@dataclass(frozen=True)
class DrawResult:
    """Draw. `excluded`: reason → contacts; `short`: advisor id → missing; `names`: id → name."""

    plan: str
    seed: int
    frame: int
    excluded: Mapping[str, int]
    drawn: tuple[DrawEntry, ...]
    short: Mapping[str, int]
    digest: str
    shares: tuple[fairness.Fairness, ...]
    names: Mapping[str, str]
    draw_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the document of docs/contract.md, section 7; advisors by name."""
        return {
            **read_fields(self, ("plan", "seed", "frame")),
            "excluded": dict(self.excluded),
            "drawn": [
                {
                    **read_fields(entry, ("source_system", "contact_id")),
                    "advisor": self.name_of(entry.advisor_id),
                }
                for entry in self.drawn
            ],
            "short": {self.name_of(key): missing for key, missing in self.short.items()},
        }

    def name_of(self, advisor_id: str) -> str:
        return self.names.get(advisor_id, advisor_id)


@dataclass(frozen=True)
class DrawVerification:
    """Comparison of a draw with the same draw computed again. `causes`: lake_changed ·
    frame_changed · reason codes whose counts differ · list_changed.
    """

    is_same: bool
    causes: tuple[str, ...]
    frame_then: int
    frame_now: int


def draw(viewer: Viewer, name: str, seed: int, dry_run: bool = False) -> DrawResult:
    """Draw what the plan lacks of each advisor, and assign it to evaluators. A dry run writes
    into the audit log alone.

    Deterministic for plan, seed and lake: with nothing more to draw, the earlier draw
    is returned. Raise Refusal: `gate_closed`, `purpose_not_entered`, `no_evaluator`,
    `evaluators_full`, `plan_closed`; Misuse `bad_seed`.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    require_number(_("Seed"), seed, 0, HIGHEST_SEED, "bad_seed")
    # Computed before the records are locked: it takes seconds over millions of
    # contacts, and evaluators save drafts meanwhile.
    with store.reading() as session:
        plan = _get_drawable(session, name)
        basis, result = _find_basis(session, plan), compute(session, viewer, plan, seed)
        if dry_run:
            result = _find_earlier_draw(session, viewer, plan, seed, result) or _assign_evaluators(
                session, plan, result
            )
    if dry_run:  # it names contacts, and the right seed may be looked for
        size = f"{len(result.drawn)}/{result.frame}"
        audit_log.note_reading(viewer.username, "draw_tried", name, f"seed {seed}, {size}")
        return result
    with store.writing() as session:
        plan = _get_drawable(session, name)
        # Compute again if the inputs changed; now nobody else can draw or
        # evaluate.
        if _find_basis(session, plan) != basis:
            result = compute(session, viewer, plan, seed)
        if earlier := _find_earlier_draw(session, viewer, plan, seed, result):
            return earlier
        result = _assign_evaluators(session, plan, result)
        if plan.draws and not result.drawn:
            return result
        return replace(result, draw_id=_store(session, viewer, plan, result))


def _get_drawable(session: Session, name: str) -> ListeningPlan:
    plan = plans.get_row(session, name)
    gates.require_open(session, None if plan.purpose == plans.TARGETED else plan.purpose)
    if plan.purpose == plans.TARGETED:
        raise Refusal("plan_closed", NOTHING_DRAWN, plan=name)
    return plan


def _find_basis(session: Session, plan: ListeningPlan) -> tuple[str, frame_inputs.FrameInputs]:
    """Return all that a draw depends on besides its seed."""
    return _lake_version(), frame_inputs.gather(session, plan)


def _assign_evaluators(session: Session, plan: ListeningPlan, result: DrawResult) -> DrawResult:
    """Assign an evaluator to each contact. Raise Refusal for a closed plan."""
    if plan.closed_at is not None:
        raise Refusal("plan_closed", NOTHING_DRAWN, plan=plan.name)
    evaluators = assignment.assign(session, plan, [entry.advisor_id for entry in result.drawn])
    return replace(
        result,
        drawn=tuple(
            replace(entry, evaluator=evaluator)
            for entry, evaluator in zip(result.drawn, evaluators, strict=True)
        ),
    )


def verify(viewer: Viewer, draw_id: int) -> DrawVerification:
    """Repeat a stored draw as at its time, and compare. Raise AccessDenied if out of scope."""
    viewer.require(Permission.MANAGE_LISTENING)
    with store.reading() as session:
        stored = session.get(Draw, draw_id)
        if stored is None or draw_id not in plans.find_visible(session, viewer):
            raise AccessDenied()
        drawer = find_drawer(session, stored.drawn_by)
        cutoff = DrawCutoff(stored.id, stored.drawn_at)
        again = compute(session, drawer, stored.plan, stored.seed, cutoff)
        originals = find_originals(stored)
        causes = ["lake_changed"] if stored.lake_version != _lake_version() else []
        if again.digest != stored.frame_digest:
            causes.append("frame_changed")
            causes += [
                reason
                for reason in sampling_frame.REASONS
                if again.excluded.get(reason, 0) != stored.excluded.get(reason, 0)
            ]
        is_same = [_key(contact) for contact in again.drawn] == [
            _key(contact) for contact in originals
        ]
        return DrawVerification(
            is_same,
            tuple(causes if is_same else [*causes, "list_changed"]),
            stored.frame,
            again.frame,
        )


def find_drawer(session: Session, username: str) -> Viewer:
    """Return the viewer who made a draw; the system where they no longer may."""
    try:
        drawer = (
            Viewer.SYSTEM
            if username == Viewer.SYSTEM.username
            else accounts.get_viewer(session, username)
        )
    except AccessDenied:
        return Viewer.SYSTEM
    return drawer if drawer.can(Permission.MANAGE_LISTENING) else Viewer.SYSTEM


def build_entry(row: Mapping[str, Any], evaluator: str | None = None) -> DrawEntry:
    return DrawEntry(
        row["source_system"],
        row["contact_id"],
        row["advisor_id"],
        row["team"],
        row["local_start"],
        {name: row[f"by_{name}"] for name in DIMENSIONS},
        evaluator,
    )


def compute(
    session: Session,
    viewer: Viewer,
    plan: ListeningPlan,
    seed: int,
    before: DrawCutoff | None = None,
) -> DrawResult:
    """Compute a draw, now or as of `before`, without evaluators and without writing."""
    inputs = frame_inputs.gather(session, plan, before)
    frame_query = inputs.frame_query
    frame = sampling_frame.find_frame(viewer, frame_query)
    strata: dict[str, dict[str, int]] = {}
    for cell in frame.cells:
        strata.setdefault(cell.advisor_id, {})[cell.name] = cell.contacts
    missing = {
        advisor: max(0, plan.per_advisor - inputs.drawn_counts.get(advisor, 0))
        for advisor in frame.advisors
    }
    take: dict[tuple[str, str], int] = {}
    for advisor, sizes in strata.items():
        wanted = min(missing[advisor], inputs.remaining(advisor))
        take |= {
            (advisor, name): count
            for name, count in allocation.allocate(sizes, wanted, seed, plan.name, advisor).items()
        }
    rows = sampling_frame.find_first(
        viewer, frame_query, take, allocation.build_prefix(seed, plan.name)
    )
    drawn = tuple(map(build_entry, rows))
    got = Counter(entry.advisor_id for entry in drawn)
    short = {
        advisor: count - got[advisor] for advisor, count in missing.items() if count > got[advisor]
    }
    return DrawResult(
        plan.name,
        seed,
        frame.contacts,
        frame.excluded,
        drawn,
        short,
        _digest(frame),
        _assess_fairness(frame, drawn, seed),
        Names.load(session, frozenset({"advisor"})).advisors,
    )


def _assess_fairness(
    frame: sampling_frame.Frame, drawn: tuple[DrawEntry, ...], seed: int
) -> tuple[fairness.Fairness, ...]:
    if not drawn:
        return ()
    results = []
    for dimension in DIMENSIONS:
        counts: dict[str, Counter[str | None]] = {}
        for entry in drawn:
            counts.setdefault(entry.advisor_id, Counter())[entry.stratum[dimension]] += 1
        results.append(fairness.assess_fairness(dimension, frame.shares[dimension], counts, seed))
    return tuple(results)


def _digest(frame: sampling_frame.Frame) -> str:
    text = "\n".join(
        f"{cell.advisor_id}\t{cell.name}\t{cell.contacts}\t{cell.fingerprint}"
        for cell in frame.cells
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _find_earlier_draw(
    session: Session, viewer: Viewer, plan: ListeningPlan, seed: int, result: DrawResult
) -> DrawResult | None:
    """Return the newest visible draw, if nothing more is to be drawn."""
    if result.drawn:
        return None
    statement = sa.select(Draw).where(
        Draw.plan_id == plan.id,
        Draw.seed == seed,
        Draw.lake_version == _lake_version(),
        Draw.id.in_(plans.find_visible(session, viewer)),
    )
    stored = session.scalars(statement.order_by(Draw.id.desc()).limit(1)).first()
    if stored is None:
        return None
    drawn = tuple(
        build_from_row(DrawEntry, contact, advisor_id=contact.advisor_id or "")
        for contact in find_originals(stored)
    )
    return build_from_row(
        DrawResult,
        stored,
        plan=plan.name,
        drawn=drawn,
        digest=stored.frame_digest,
        shares=read_fairness(stored),
        names=Names.load(session, frozenset({"advisor"})).advisors,
        draw_id=stored.id,
    )


def read_fairness(stored: Draw) -> tuple[fairness.Fairness, ...]:
    return tuple(
        fairness.Fairness(
            dimension,
            tuple(fairness.AdvisorShare(*row) for row in content["values"]),
            content["p_value"],
            content["is_simulated"],
        )
        for dimension, content in stored.frame_shares.items()
    )


def find_originals(stored: Draw) -> list[DrawnContact]:
    """Return the contacts drawn at first, without replacements."""
    later = {contact.replaced_by for contact in stored.contacts}
    return sorted(
        (contact for contact in stored.contacts if contact.id not in later),
        key=lambda contact: contact.position,
    )


def _store(session: Session, viewer: Viewer, plan: ListeningPlan, result: DrawResult) -> int:
    draw_row = Draw(
        plan_id=plan.id,
        seed=result.seed,
        lake_version=_lake_version(),
        frame=result.frame,
        frame_digest=result.digest,
        excluded=dict(result.excluded),
        short=dict(result.short),
        frame_shares={
            entry.dimension: {
                "values": [list(astuple(share)) for share in entry.shares],
                **read_fields(entry, ("p_value", "is_simulated")),
            }
            for entry in result.shares
        },
        drawn_by=viewer.username,
    )
    session.add(draw_row)
    session.flush()
    session.add_all(
        build_drawn_row(draw_row.id, position, one, plan.due_on)
        for position, one in enumerate(result.drawn, 1)
    )
    what, size = f"{plan.name}/{draw_row.id}", f"{len(result.drawn)}/{result.frame}"
    audit_log.record(session, viewer.username, "draw_made", what, f"seed {result.seed}, {size}")
    session.flush()
    return draw_row.id


@doors.writes("drawn_contact")
def build_drawn_row(
    draw_id: int, position: int, entry: DrawEntry, due_on: date | None
) -> DrawnContact:
    return DrawnContact(draw_id=draw_id, position=position, due_on=due_on, **asdict(entry))


def _lake_version() -> str:
    return str(lake.version("contacts"))


def _key(contact: DrawEntry | DrawnContact) -> tuple[str, str]:
    return contact.source_system, contact.contact_id
