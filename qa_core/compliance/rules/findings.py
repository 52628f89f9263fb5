"""Findings: how one rule stands, and the counts of the whole centre that say so."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _
from qa_core.compliance import retention
from qa_core.compliance.conditions import gates
from qa_core.compliance.recordings import deletion, law
from qa_core.compliance.retention import Overdue
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law.legal_obstacles import RULES, LegalAct
from qa_core.metrics.law.recording_flags import RecordedContact
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.store import Session

DAYS = 30
"""Days whose acts are looked at, where older ones have no bearing on today."""


class RuleState(StrEnum):
    """State of a rule. `to_do`: lawful, as what is missing keeps doors shut or is not late."""

    IN_ORDER = "in_order"
    TO_DO = "to_do"
    NOT_IN_ORDER = "not_in_order"
    NOT_MEASURABLE = "not_measurable"

    @property
    def is_red(self) -> bool:
        return self in (RuleState.NOT_IN_ORDER, RuleState.NOT_MEASURABLE)


STATE_TITLES = {
    RuleState.IN_ORDER: N_("in order"),
    RuleState.TO_DO: N_("to do"),
    RuleState.NOT_IN_ORDER: N_("not in order"),
    RuleState.NOT_MEASURABLE: N_("cannot be measured"),
}


@dataclass(frozen=True)
class RuleFinding:
    """State of a rule with its evidence, a number and what was counted; `missing`: what
    has to happen; `due_on`: by when, where a date follows from the data.
    """

    state: RuleState
    evidence: str
    missing: str = ""
    due_on: date | None = None


def conclude(
    evidence: str, wrong: str = "", to_do: str = "", due_on: date | None = None
) -> RuleFinding:
    """Build a finding: not in order where something is wrong, else to do, else in order."""
    if wrong:
        return RuleFinding(RuleState.NOT_IN_ORDER, evidence, wrong, environment.today())
    if to_do:
        return RuleFinding(RuleState.TO_DO, evidence, to_do, due_on)
    return RuleFinding(RuleState.IN_ORDER, evidence)


@dataclass(frozen=True)
class RuleCount:
    """Number of what a rule counts, of how many (None: not said). `is_wrong`: whether
    it is not in order (None: where the number is above 0); `besides`: further evidence.
    """

    count: int
    total: int | None = None
    is_wrong: bool | None = None
    is_to_do: bool = False
    due_on: date | None = None
    besides: str = ""


def describe_count(what: str, count: int, total: int | None = None, kept: str = "") -> str:
    """Write what was counted, and how much of it; where it is none of several, by the
    sentence `kept` about all {n}.
    """
    number = formatting.number
    if kept and not count and total not in (0, 1):
        return _(kept, n=number(total or 0))
    if not total:
        return _("{what}: {text}", what=what, text=number(count))
    return _("{what}: {count} of {total}", what=what, count=number(count), total=number(total))


@dataclass
class RuleFacts:
    """Counts of several rules, read once. `find_overdue`: what rooms keep past its period."""

    session: Session
    find_overdue: Callable[[], Sequence[Overdue]]

    @cached_property
    def overdue(self) -> Sequence[Overdue]:
        return self.find_overdue()

    def read(self, statement: Any) -> sa.Result:
        """Read across all scopes; numbers alone leave the rules."""
        return self.session.execute(
            Unscoped(
                statement,
                "The state of a rule is counted in the whole centre. Only numbers are shown.",
            )
        )

    def count(self, *conditions: Any) -> int:
        """Count the rows of the table that the conditions are about."""
        return self.read(sa.select(sa.func.count()).where(*conditions)).scalar_one()

    @property
    def since(self) -> datetime:
        """The first moment of the acts that are looked at."""
        return retention.start_of(environment.today() - timedelta(days=DAYS - 1))

    @property
    def is_lately_logged(self) -> sa.ColumnElement[bool]:
        """The predicate of the rows of the audit log since then."""
        return JournalRow.at >= self.since.astimezone(UTC).isoformat(timespec="microseconds")

    @cached_property
    def live_recordings(self) -> dict[tuple[str, str], str]:
        """Contacts whose audio is stored for quality, each with its purposes."""
        return {(item.source_system, item.contact_id): item.purpose for item in self._of_quality}

    @cached_property
    def _of_quality(self) -> list[Recording]:
        return [item for item in deletion.find_live(self.session) if item.kept_as is None]

    @cached_property
    def contacts(self) -> dict[tuple[str, str], RecordedContact]:
        """The contacts that are found, each with the first rule against keeping its audio."""
        ids = {contact_id for _system, contact_id in self.live_recordings}
        if not ids:
            return {}
        judged = law.judge(self.session, Viewer.SYSTEM, LegalAct.STORE, ids)
        found = {(item.source_system, item.contact_id): item for item in judged}
        return {key: found[key] for key in self.live_recordings if key in found}

    @property
    def against(self) -> dict[tuple[str, str], str]:
        """The contacts whose audio a rule forbids to keep, each with that rule."""
        return {key: item.against for key, item in self.contacts.items() if item.against}

    @cached_property
    def forbidden(self) -> dict[tuple[str, str], date]:
        """Contacts whose audio for quality no rule lets keep, or none of whose purposes is in
        force, each with its day.
        """
        in_force = set(gates.find_purposes(self.session))
        days = {}
        for item in self._of_quality:
            key = (item.source_system, item.contact_id)
            if key in self.against or not in_force & set(item.purpose.split(",")):
                days[key] = item.local_day
        return days

    def count_forbidden(self, rule: str) -> int:
        """Count recordings whose contact breaks that rule first."""
        codes = Counter(self.against.values())
        return sum(codes[code] for code in {item.code for item in RULES if item.rule == rule})

    def _count_misdated(self, rule: str) -> int:
        """Count the rows of a rule that are dated after today, from which their age is counted,
        and recordings that are dated after their contact.
        """
        tomorrow = retention.start_of(environment.today() + timedelta(days=1))
        kinds = [kind for kind, entry in retention.BY_KIND.items() if entry.rule.startswith(rule)]
        moments = (moment for kind in kinds for moment in retention.find_moments(kind))
        count = sum(
            self.count(
                moment >= (tomorrow.date() if isinstance(moment.type, sa.Date) else tomorrow)
            )
            for moment in moments
        )
        if "recordings" in kinds:
            for item in self._of_quality:
                found = self.contacts.get((item.source_system, item.contact_id))
                count += found is not None and item.local_day > found.local_start.date()
        return count

    def judge_retention(self, rule: str) -> RuleFinding:
        """Judge the kinds of data whose period rests on that rule."""
        items = [
            item for item in self.overdue if retention.BY_KIND[item.kind].rule.startswith(rule)
        ]
        count = sum(item.count for item in items)
        nothing = N_("Nothing is past its retention")
        evidence = describe_count(_("Items past their retention"), count, kept=nothing)
        overdue = formatting.listing([retention.describe(item) for item in items])
        is_late = any(item.is_late for item in items)
        if misdated := self._count_misdated(rule):
            text = _("Data dated to stay too long: {count}.", count=formatting.number(misdated))
            return conclude(evidence, text)
        if raised := retention.find_raised(self.session, rule):
            titles = formatting.listing([_(item.title) for item in raised])
            text = _("Enter a period that the law allows: {titles}.", titles=titles)
            return conclude(evidence, text)
        return conclude(
            evidence,
            overdue if is_late else "",
            overdue,
            min((item.since for item in items), default=None),
        )
