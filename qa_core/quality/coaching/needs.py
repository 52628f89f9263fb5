"""List of what a lead can do this week: coaching needs (what is overdue, not evaluated, unread or
disputed, and scores significantly below the team), whom to listen to, whom to
congratulate.

No ranking: an advisor without a significant difference is not listed for a score.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.centre import members
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.quality.coaching.gaps import (
    AdvisorMean,
    ClearRise,
    Criterion,
    CriterionGap,
    find_gaps,
    find_rises,
)
from qa_core.quality.coaching.plans import CoachingState, find_members, find_names
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation
from qa_core.storage.records.listening import (
    OPEN,
    CoachingPlan,
    Dispute,
    Draw,
    DrawnContact,
    ListeningPlan,
)
from qa_core.storage.records.store import Session

COMPARED_DAYS = 182
"""Days of compared scores: 26 weeks, as on the pages. Rises: second half against the first."""
UNEVALUATED_WEEKS, UNREAD_DAYS, TURNED_DOWN_DAYS = 4, 7, 28
"""Weeks without an evaluation; days unread; days since a lost dispute."""
MAX_NAMED = 2
"""Criteria named where only the whole score is significantly low."""


class NeedKind(StrEnum):
    OVERDUE = "overdue"
    SCORE = "score"
    CRITERION = "criterion"
    UNHEARD = "unheard"
    UNREAD = "unread"
    DISPUTED = "disputed"
    TURNED_DOWN = "turned_down"
    PLANNED = "planned"
    ABOVE = "above"
    RISEN = "risen"


@dataclass(frozen=True)
class NeedReason:
    """One need. `n`: days overdue, weeks without an evaluation (None: never), or how
    many evaluations or disputes; `gap`: of a score or criterion; `criteria`: of a
    suggested plan; `plan_id`: the overdue plan, or one that covers it; `planned`,
    `due_on`: contacts drawn for evaluation, `n` of them evaluated, and by when.
    """

    kind: NeedKind
    n: int | None = None
    gap: CriterionGap | None = None
    criteria: tuple[str, ...] = ()
    plan_id: int | None = None
    planned: int = 0
    due_on: date | None = None
    rise: ClearRise | None = None


@dataclass(frozen=True)
class Need:
    advisor_id: str
    advisor: str
    team: str
    reasons: tuple[NeedReason, ...]

    @property
    def is_unheard_only(self) -> bool:
        return all(reason.kind == NeedKind.UNHEARD for reason in self.reasons)

    @property
    def criteria(self) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                key for reason in self.reasons if reason.plan_id is None for key in reason.criteria
            )
        )


@dataclass(frozen=True)
class CoachingWeek:
    """List of needs; `advisors` checked, `compared` by score.
    `listening`: advisors with contacts left to evaluate, or not evaluated for weeks, the
    longest first; `strengths`: clearly above the team, or clearly risen.
    """

    needs: tuple[Need, ...]
    advisors: int
    compared: int
    period: Period
    listening: tuple[Need, ...] = ()
    strengths: tuple[Need, ...] = ()


def find_needs(viewer: Viewer) -> CoachingWeek:
    """Return the needs in the viewer's teams: overdue first, then by size, by name."""
    viewer.require(Permission.MANAGE_COACHING)
    today = environment.today()
    period = Period(today - timedelta(days=COMPARED_DAYS - 1), today)
    with store.reading() as session:
        theirs, names = find_members(session, viewer, today), find_names(session)
        plans = _find_open_plans(session, viewer)
        reasons: dict[str, list[NeedReason]] = {
            advisor: _find_overdue(plans.get(advisor, ()), today) for advisor in theirs
        }
        waits, unheard = _find_waits(session, viewer, theirs, today)
        planned = _find_planned(session, viewer)
        for reasons_found in (
            [(advisor, waits[advisor]) for advisor in unheard],
            _find_unread(session, viewer),
            _find_disputes(session, viewer),
        ):
            for advisor, reason in reasons_found:
                if advisor in theirs:
                    reasons[advisor].append(reason)
    gaps = [
        gap
        for team in sorted(set(theirs.values()))
        for gap in find_gaps(
            _read_means(viewer, team, theirs, names, period)
            | _read_means(viewer, team, theirs, names, period, ("criterion",))
        )
    ]
    for advisor in theirs:
        reasons[advisor] += _build_score_reasons(
            [gap for gap in gaps if gap.advisor == advisor], plans.get(advisor, ())
        )
    rises = _find_rises(viewer, theirs, names, period)

    def build(reasons_found: Mapping[str, Sequence[NeedReason]]) -> list[Need]:
        return [
            Need(advisor, names.get(advisor, advisor), team, _sort_reasons(reasons_found[advisor]))
            for advisor, team in theirs.items()
            if reasons_found.get(advisor)
        ]

    listening = {
        advisor: [*planned.get(advisor, ()), waits[advisor]]
        for advisor in theirs
        if advisor in planned or advisor in unheard
    }
    strengths = {
        advisor: [
            *_find_strengths([gap for gap in gaps if gap.advisor == advisor]),
            *(NeedReason(NeedKind.RISEN, rise=rise) for rise in rises if rise.advisor == advisor),
        ]
        for advisor in theirs
    }
    return CoachingWeek(
        tuple(sorted(build(reasons), key=_sort_key)),
        len(theirs),
        len({gap.advisor for gap in gaps}),
        period,
        tuple(sorted(build(listening), key=_sort_by_wait)),
        tuple(sorted(build(strengths), key=lambda need: need.advisor.casefold())),
    )


def _sort_by_wait(need: Need) -> tuple[float, str]:
    """Sort who was evaluated longest ago first, and before them who never was."""
    weeks = next((reason.n for reason in need.reasons if reason.kind == NeedKind.UNHEARD), 0)
    return -math.inf if weeks is None else -weeks, need.advisor.casefold()


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
    by_advisor: dict[str, list[CoachingPlan]] = {}
    open_plans = sa.select(CoachingPlan).where(CoachingPlan.state == CoachingState.OPEN)
    for plan in session.scalars(Scoped(open_plans, viewer)):
        by_advisor.setdefault(plan.advisor_id, []).append(plan)
    return by_advisor


def _find_overdue(plans: Iterable[CoachingPlan], today: date) -> list[NeedReason]:
    return [
        NeedReason(NeedKind.OVERDUE, (today - plan.due_on).days, plan_id=plan.id)
        for plan in plans
        if plan.due_on is not None and plan.due_on < today
    ]


def _find_planned(session: Session, viewer: Viewer) -> dict[str, list[NeedReason]]:
    """Count the contacts of each advisor drawn by open plans, where some are left to evaluate."""
    is_open = DrawnContact.state.in_(OPEN)
    statement = (
        sa.select(
            DrawnContact.advisor_id,
            sa.func.sum(sa.case((is_open, 0), else_=1)),
            sa.func.count(),
            sa.func.min(sa.case((is_open, DrawnContact.due_on))),
        )
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .join(ListeningPlan, ListeningPlan.id == Draw.plan_id)
        .where(DrawnContact.state != "replaced", ListeningPlan.closed_at.is_(None))
        .group_by(DrawnContact.advisor_id)
    )
    return {
        advisor: [NeedReason(NeedKind.PLANNED, int(done), planned=planned, due_on=due_on)]
        for advisor, done, planned, due_on in session.execute(Scoped(statement, viewer))
        if done < planned
    }


def _find_waits(
    session: Session, viewer: Viewer, theirs: Mapping[str, str], today: date
) -> tuple[dict[str, NeedReason], set[str]]:
    """Return the weeks since the last evaluation of each advisor, and who has waited for
    long, counted from the day they joined the team.
    """
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
    waits, long = {}, set()
    for advisor in theirs:
        weeks = (today - newest[advisor]).days // 7 if advisor in newest else None
        waits[advisor] = NeedReason(NeedKind.UNHEARD, weeks)
        since = max(filter(None, (newest.get(advisor), joined.get(advisor))), default=None)
        if since is None or (today - since).days // 7 >= UNEVALUATED_WEEKS:
            long.add(advisor)
    return waits, long


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
    reasons = []
    for kind, of in (
        (NeedKind.DISPUTED, (Dispute.decided_at.is_(None),)),
        (NeedKind.TURNED_DOWN, (Dispute.decision == "keep", Dispute.decided_at >= since)),
    ):
        counted = about.where(*of).group_by(Evaluation.advisor_id)
        reasons += [
            (advisor, NeedReason(kind, n))
            for advisor, n in session.execute(Scoped(counted, viewer))
        ]
    return reasons


def _find_rises(
    viewer: Viewer, theirs: Mapping[str, str], names: Mapping[str, str], period: Period
) -> tuple[ClearRise, ...]:
    """Compare each advisor's scores of the second half of the period with the first."""
    middle = period.first_day + timedelta(days=period.days // 2)
    halves = (Period(period.first_day, middle - timedelta(days=1)), Period(middle, period.last_day))
    before, now = (
        {
            mean.advisor: mean
            for team in sorted(set(theirs.values()))
            for mean in _read_means(viewer, team, theirs, names, half).get(None, ())
        }
        for half in halves
    )
    return find_rises([(before[key], mean) for key, mean in now.items() if key in before])


def _read_means(
    viewer: Viewer,
    team: str,
    theirs: Mapping[str, str],
    names: Mapping[str, str],
    period: Period,
    by: tuple[str, ...] = (),
) -> dict[Criterion, list[AdvisorMean]]:
    """Return the mean scores of the team's advisors, whole or by criterion."""
    where = Filters.of(period, {"team": (team,)})
    by_name = {names.get(advisor, advisor): advisor for advisor, of in theirs.items() if of == team}
    values: dict[Criterion, list[AdvisorMean]] = {}
    frame = query.measure(viewer, ("evaluation_score",), ("advisor", *by), where)
    for row in frame.itertuples():
        criterion = getattr(row, "criterion", None)
        if (
            row.advisor in by_name
            and not formatting.is_missing(row.value)
            and not (by and formatting.is_missing(criterion))
        ):
            deviation = None if formatting.is_missing(row.deviation) else float(row.deviation)
            values.setdefault(criterion, []).append(
                AdvisorMean(by_name[row.advisor], float(row.value), deviation, int(row.n))
            )
    return values


def _find_strengths(gaps: Iterable[CriterionGap]) -> list[NeedReason]:
    """Return the clear lead of one advisor: of the whole score, else on single criteria."""
    clear = sorted((gap for gap in gaps if gap.side > 0), key=lambda gap: -gap.shrunk_difference)
    whole = [gap for gap in clear if gap.criterion is None]
    return [NeedReason(NeedKind.ABOVE, gap=gap) for gap in whole or clear]


def _build_score_reasons(
    gaps: Iterable[CriterionGap], plans: Iterable[CoachingPlan]
) -> list[NeedReason]:
    """Return one advisor's clear gaps; if only the whole score, name its lowest criteria."""
    gaps, plans = list(gaps), list(plans)
    significant = sorted(
        (gap for gap in gaps if gap.is_significant), key=lambda gap: gap.shrunk_difference
    )
    parts = [gap for gap in significant if gap.criterion is not None]
    lowest = sorted(
        (gap for gap in gaps if gap.criterion is not None and gap.shrunk_difference < 0),
        key=lambda gap: gap.shrunk_difference,
    )[:MAX_NAMED]
    reasons = []
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
        reasons.append(
            NeedReason(
                NeedKind.SCORE if gap.criterion is None else NeedKind.CRITERION,
                gap=gap,
                criteria=criteria,
                plan_id=about,
            )
        )
    return reasons
