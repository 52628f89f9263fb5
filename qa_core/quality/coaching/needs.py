"""Weekly list of coaching needs: what is overdue, not evaluated, unread or disputed,
and scores significantly below the team.

No ranking: an advisor without a significant difference is not listed for a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.centre import members
from qa_core.metrics import formatting, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.quality.coaching.gaps import AdvisorMean, Criterion, CriterionGap, find_gaps
from qa_core.quality.coaching.members import find_members, find_names
from qa_core.quality.coaching.plans import PUBLISHED, CoachingState
from qa_core.storage.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import CoachingPlan, Dispute
from qa_core.storage.records.store import Session

COMPARED_DAYS = 91
"""Days of compared scores: thirteen weeks."""
UNEVALUATED_WEEKS, UNREAD_DAYS, TURNED_DOWN_DAYS = 4, 7, 28
"""Weeks without an evaluation; days unread; days since a lost dispute."""
MOST_NAMED = 2
"""Criteria named where only the whole score is significantly low."""


class NeedKind(StrEnum):
    OVERDUE = "overdue"
    SCORE = "score"
    CRITERION = "criterion"
    UNHEARD = "unheard"
    UNREAD = "unread"
    DISPUTED = "disputed"
    TURNED_DOWN = "turned_down"


@dataclass(frozen=True)
class NeedReason:
    """One need. `n`: days overdue, weeks without an evaluation (None: never), or how
    many evaluations or disputes; `gap`: of a score or criterion; `criteria`: of a
    suggested plan; `plan_id`: the overdue plan, or one that covers it.
    """

    kind: NeedKind
    n: int | None = None
    gap: CriterionGap | None = None
    criteria: tuple[str, ...] = ()
    plan_id: int | None = None


@dataclass(frozen=True)
class Need:
    """All needs of one advisor."""

    advisor_id: str
    advisor: str
    team: str
    reasons: tuple[NeedReason, ...]

    @property
    def criteria(self) -> tuple[str, ...]:
        """Return the criteria of a suggested plan."""
        return tuple(
            dict.fromkeys(
                key for reason in self.reasons if reason.plan_id is None for key in reason.criteria
            )
        )


@dataclass(frozen=True)
class CoachingWeek:
    """List of needs; `advisors` checked, `compared` by score in `comparisons`."""

    needs: tuple[Need, ...]
    advisors: int
    compared: int
    comparisons: int
    period: Period


def find_needs(viewer: Viewer) -> CoachingWeek:
    """Return the needs in the viewer's teams: overdue first, then by size, by name."""
    viewer.require(Permission.MANAGE_COACHING)
    today = environment.today()
    period = Period(today - timedelta(days=COMPARED_DAYS), today)
    with store.reading() as session:
        theirs, names = find_members(session, viewer, today), find_names(session)
        plans = _find_open_plans(session, viewer)
        reasons: dict[str, list[NeedReason]] = {
            advisor: _find_overdue(plans.get(advisor, ()), today) for advisor in theirs
        }
        for found in (
            _find_unevaluated(session, viewer, theirs, today),
            _find_unread(session, viewer),
            _find_disputes(session, viewer),
        ):
            for advisor, reason in found:
                if advisor in theirs:
                    reasons[advisor].append(reason)
    gaps = [
        gap
        for team in sorted(set(theirs.values()))
        for gap in _find_gaps(viewer, team, theirs, names, period)
    ]
    for advisor in theirs:
        reasons[advisor] += _build_score_reasons(
            [gap for gap in gaps if gap.advisor == advisor], plans.get(advisor, ())
        )
    needs = [
        Need(advisor, names.get(advisor, advisor), team, _sort_reasons(reasons[advisor]))
        for advisor, team in theirs.items()
        if reasons[advisor]
    ]
    return CoachingWeek(
        tuple(sorted(needs, key=_sort_key)),
        len(theirs),
        len({gap.advisor for gap in gaps}),
        len(gaps),
        period,
    )


def _sort_key(need: Need) -> tuple[int, float, str]:
    overdue = max(
        (reason.n or 0 for reason in need.reasons if reason.kind == NeedKind.OVERDUE), default=0
    )
    size = max(
        (-reason.gap.shrunk_difference for reason in need.reasons if reason.gap is not None),
        default=0.0,
    )
    return -overdue, -size, need.advisor.casefold()


def _sort_reasons(reasons: Iterable[NeedReason]) -> tuple[NeedReason, ...]:
    return tuple(sorted(reasons, key=lambda reason: list(NeedKind).index(reason.kind)))


def _find_open_plans(session: Session, viewer: Viewer) -> dict[str, list[CoachingPlan]]:
    found: dict[str, list[CoachingPlan]] = {}
    open_plans = sa.select(CoachingPlan).where(CoachingPlan.state == CoachingState.OPEN)
    for plan in session.scalars(Scoped(open_plans, viewer)):
        found.setdefault(plan.advisor_id, []).append(plan)
    return found


def _find_overdue(plans: Iterable[CoachingPlan], today: date) -> list[NeedReason]:
    return [
        NeedReason(NeedKind.OVERDUE, (today - plan.due_on).days, plan_id=plan.id)
        for plan in plans
        if plan.due_on is not None and plan.due_on < today
    ]


def _find_unevaluated(
    session: Session, viewer: Viewer, theirs: Mapping[str, str], today: date
) -> list[tuple[str, NeedReason]]:
    last_evaluations = (
        sa.select(Evaluation.advisor_id, sa.func.max(Evaluation.evaluated_at))
        .where(*PUBLISHED)
        .group_by(Evaluation.advisor_id)
    )
    newest = {
        advisor: environment.to_local(at).date()
        for advisor, at in session.execute(Scoped(last_evaluations, viewer))
    }
    joined = members.find_last_starts(session, today)
    found = []
    for advisor in theirs:
        since = max(filter(None, (newest.get(advisor), joined.get(advisor))), default=None)
        if since is None or (today - since).days // 7 >= UNEVALUATED_WEEKS:
            found.append(
                (
                    advisor,
                    NeedReason(
                        NeedKind.UNHEARD,
                        (today - newest[advisor]).days // 7 if advisor in newest else None,
                    ),
                )
            )
    return found


def _find_unread(session: Session, viewer: Viewer) -> list[tuple[str, NeedReason]]:
    """Count the unread evaluations of advisors with an active account."""
    old = now() - timedelta(days=UNREAD_DAYS)
    statement = (
        sa.select(Evaluation.advisor_id, sa.func.count())
        .where(*PUBLISHED, Evaluation.published_at < old, Evaluation.acknowledged_at.is_(None))
        .group_by(Evaluation.advisor_id)
    )
    readers = {
        person.advisor_id for person in people.find_people(session).values() if person.is_active
    }
    return [
        (advisor, NeedReason(NeedKind.UNREAD, n))
        for advisor, n in session.execute(Scoped(statement, viewer))
        if advisor in readers
    ]


def _find_disputes(session: Session, viewer: Viewer) -> list[tuple[str, NeedReason]]:
    since = now() - timedelta(days=TURNED_DOWN_DAYS)
    about = (
        sa.select(Evaluation.advisor_id, sa.func.count())
        .join(Dispute, Dispute.evaluation_id == Evaluation.id)
        .where(*PUBLISHED)
    )
    found = []
    for kind, of in (
        (NeedKind.DISPUTED, (Dispute.decided_at.is_(None),)),
        (NeedKind.TURNED_DOWN, (Dispute.decision == "keep", Dispute.decided_at >= since)),
    ):
        counted = about.where(*of).group_by(Evaluation.advisor_id)
        found += [
            (advisor, NeedReason(kind, n))
            for advisor, n in session.execute(Scoped(counted, viewer))
        ]
    return found


def _find_gaps(
    viewer: Viewer, team: str, theirs: Mapping[str, str], names: Mapping[str, str], period: Period
) -> tuple[CriterionGap, ...]:
    """Compare the advisors who are in the team today, on their contacts in it."""
    where = Filters.of(period, {"team": (team,)})
    by_name = {names.get(advisor, advisor): advisor for advisor, of in theirs.items() if of == team}
    values: dict[Criterion, list[AdvisorMean]] = {}
    for by in (("advisor",), ("advisor", "criterion")):
        for row in query.measure(viewer, ("evaluation_score",), by, where).itertuples():
            criterion = getattr(row, "criterion", None)
            if (
                row.advisor in by_name
                and not formatting.is_missing(row.value)
                and (len(by) == 1 or not formatting.is_missing(criterion))
            ):
                deviation = None if formatting.is_missing(row.deviation) else float(row.deviation)
                values.setdefault(criterion, []).append(
                    AdvisorMean(by_name[row.advisor], float(row.value), deviation, int(row.n))
                )
    return find_gaps(values)


def _build_score_reasons(
    gaps: Iterable[CriterionGap], plans: Iterable[CoachingPlan]
) -> list[NeedReason]:
    """Return the clear gaps of one advisor; where only the whole score is clear, name
    the lowest criteria with it.
    """
    gaps, plans = list(gaps), list(plans)
    significant = sorted(
        (gap for gap in gaps if gap.is_significant), key=lambda gap: gap.shrunk_difference
    )
    parts = [gap for gap in significant if gap.criterion is not None]
    lowest = sorted(
        (gap for gap in gaps if gap.criterion is not None and gap.shrunk_difference < 0),
        key=lambda gap: gap.shrunk_difference,
    )[:MOST_NAMED]
    found = []
    for gap in significant:
        criteria = (
            (gap.criterion,)
            if gap.criterion is not None
            else ()
            if parts
            else tuple(other.criterion for other in lowest if other.criterion)
        )
        # A plan on any significant criterion also covers the whole score.
        concerned = set(criteria) or {part.criterion for part in parts}
        about = next(
            (plan.id for plan in plans if not plan.criteria or set(plan.criteria) & concerned), None
        )
        found.append(
            NeedReason(
                NeedKind.SCORE if gap.criterion is None else NeedKind.CRITERION,
                gap=gap,
                criteria=criteria,
                plan_id=about,
            )
        )
    return found
