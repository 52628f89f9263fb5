"""Proportionality of recording and listening in a period (docs/compliance.md, R2)."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.centre import members, settings
from qa_core.compliance.conditions import listened
from qa_core.compliance.recordings import law
from qa_core.metrics.kpis.dimensions import Period, add_months
from qa_core.metrics.law.centre_counts import RecordedShare, count_recorded
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.store import Session

DAYS, MONTHS = 30, 13
"""What is looked at: the last days, or one of the last months."""
MUCH_RATIO, MUCH_FROM = 2.0, 5
"""Far more than the rest: over twice the mean of others, and at least so many contacts."""
PERMANENT_FROM, MIN_ANSWERED = 0.95, 5
"""Nearly everything of a team or of the centre is recorded: permanent recording, which
is not allowed. A fair sample of half of them takes all of five once in 32 times.
"""


@dataclass(frozen=True)
class AdvisorListening:
    """An advisor and how many contacts others listened to; `is_much`: far more than the rest;
    `is_above`: more than the centre's maximum of that month.
    """

    advisor_id: str
    name: str
    contacts: int
    is_much: bool
    is_above: bool = False


@dataclass(frozen=True)
class Proportions:
    """Recording by team and listening by advisor, from a day through another."""

    first_day: date
    last_day: date
    listenings: tuple[AdvisorListening, ...]
    recorded_shares: tuple[RecordedShare, ...]
    active_advisors: int

    @property
    def centre(self) -> RecordedShare:
        shares = self.recorded_shares
        return RecordedShare(
            None,
            sum(share.answered_contacts for share in shares),
            sum(share.recorded_contacts for share in shares),
            sum(share.unknown_contacts for share in shares),
        )

    @property
    def permanent_shares(self) -> list[RecordedShare]:
        """Teams permanently recorded; the centre where it is, though no team is large enough."""
        teams = [share for share in self.recorded_shares if is_permanent(share)]
        return teams or [share for share in (self.centre,) if is_permanent(share)]

    @property
    def much_heard(self) -> list[AdvisorListening]:
        return [listening for listening in self.listenings if listening.is_much]

    @property
    def above_maximum(self) -> list[AdvisorListening]:
        return [listening for listening in self.listenings if listening.is_above]

    @property
    def is_nobody_heard(self) -> bool:
        """Return whether contacts are recorded that nobody listens to."""
        return self.centre.recorded_contacts > 0 and not self.listenings


def is_exceeded(proportions: Proportions) -> bool:
    """Return whether anything of it is beyond measure."""
    return bool(
        proportions.permanent_shares or proportions.much_heard or proportions.is_nobody_heard
    )


def is_permanent(share: RecordedShare) -> bool:
    """Return whether nearly everything of a team is recorded."""
    return (share.rate or 0) >= PERMANENT_FROM and share.answered_contacts >= MIN_ANSWERED


def find_months() -> list[str]:
    """List the months with contacts that can be looked at, newest first."""
    span = lake.span()
    if span is None:
        return []
    this_month = environment.today().replace(day=1)
    months = (f"{add_months(this_month, -back):%Y-%m}" for back in range(MONTHS))
    return [month for month in months if month >= f"{span[0]:%Y-%m}"]


def find_first_day() -> date:
    """Return the first day of the oldest month that is judged."""
    return add_months(environment.today().replace(day=1), 1 - MONTHS)


def find_above(session: Session) -> dict[str, int]:
    """Find the months, newest first, in which advisors were listened to beyond the centre's
    maximum, and how many of them.
    """
    today, ceiling = environment.today(), listened.find_ceiling(session)
    listenings = listened.find_listenings(session, find_first_day(), today)
    contacts = {(item.month, item.advisor_id, item.key) for item in listenings}
    counts = Counter((month, advisor_id) for month, advisor_id, _key in contacts)
    above = Counter(month for (month, _advisor), count in counts.items() if count > ceiling)
    return dict(sorted(above.items(), reverse=True))


def find_above_share(session: Session, viewer: Viewer) -> dict[str, float]:
    """Find the months, newest first, in which more was recorded than the centre's share, and
    how much; none where the data protection officer has entered why.
    """
    chosen = settings.current(session)
    if chosen.recording_share_reason:
        return {}
    counts = count_recorded(viewer, find_first_day(), environment.today(), law.load(session))
    return {
        month: share.rate
        for month, share in sorted(counts.months.items(), reverse=True)
        if share.answered_contacts >= MIN_ANSWERED
        and (share.rate or 0) * 100 > chosen.recording_share_percent
    }


def find(viewer: Viewer, month: str | None = None) -> Proportions:
    """Count listening by advisor, most first, and recording by team, over a month or the
    last `DAYS` days, today included. Advisors' own playbacks do not count.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        return store.remember(
            session, f"proportions {month}", lambda held: _count(held, viewer, month)
        )


def _count(session: Session, viewer: Viewer, month: str | None) -> Proportions:
    last_day = date.fromisoformat(f"{month}-01") if month else environment.today()
    period = Period(last_day - timedelta(days=DAYS - 1), last_day)
    if month:
        period = listened.whole_months(Period(last_day, last_day))
    recorded = count_recorded(viewer, period.first_day, period.last_day, law.load(session))
    listenings = listened.find_listenings(session, period.first_day, period.last_day)
    names = members.find_names(session)
    counts = Counter(advisor_id for advisor_id, _key in {(i.advisor_id, i.key) for i in listenings})
    ceiling = listened.find_ceiling(session)
    active_advisors = len(recorded.advisors | set(counts))
    others = max(active_advisors - 1, 1)
    listenings = [
        AdvisorListening(
            advisor_id,
            names.get(advisor_id, advisor_id),
            count,
            active_advisors > 1
            and count >= MUCH_FROM
            and count > MUCH_RATIO * (counts.total() - count) / others,
            month is not None and count > ceiling,
        )
        for advisor_id, count in counts.items()
    ]
    listenings.sort(key=lambda one: (-one.contacts, one.name))
    return Proportions(
        period.first_day, period.last_day, tuple(listenings), recorded.shares, active_advisors
    )
