"""Catalogue of the rules of the law (docs/compliance.md, section 1), and the verdict on each."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment
from qa_core.base.i18n import _
from qa_core.compliance.retention import Overdue
from qa_core.compliance.rules import history, measures
from qa_core.compliance.rules.findings import (
    STATE_TITLES,
    RuleFacts,
    RuleFinding,
    RuleState,
    conclude,
    describe_count,
)
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store

TO_DO_DAYS = 30
"""Days to act where no date follows from the data, from the first day it was to do."""


@dataclass(frozen=True)
class ComplianceRule:
    """Rule: what the law asks, who acts, what is counted (`measures`), the
    sentence where all {n} are as they should be (`kept`), and what to do
    where the count is not in order, or something is to do. `rests_on`: what keeps the
    rule besides.
    """

    number: str
    title: str
    asks: str
    source: str
    actor: str
    rests_on: str = ""
    counted: str = ""
    kept: str = ""
    remedy: str = ""
    to_do: str = ""

    def judge(self, facts: RuleFacts) -> RuleFinding:
        measured = measures.MEASURES[self.number](facts)
        if isinstance(measured, RuleFinding):
            return measured
        evidence = describe_count(_(self.counted), measured.count, measured.total, self.kept)
        is_wrong = measured.count > 0 if measured.is_wrong is None else measured.is_wrong
        return conclude(
            " · ".join(filter(None, (evidence, measured.besides))),
            _(self.remedy) if is_wrong else "",
            _(self.to_do) if measured.is_to_do else "",
            measured.due_on,
        )


RULES = tuple(ComplianceRule(**entry) for entry in declared.read(__file__)["rule"])


@dataclass(frozen=True)
class RuleVerdict:
    """Verdict on a rule today; `since`: from when it has been in order, or has not, as far
    as the history goes back. What was to do and is late is not in order any more.
    """

    rule: ComplianceRule
    finding: RuleFinding
    since: date

    @property
    def state(self) -> RuleState:
        is_late = self.finding.state == RuleState.TO_DO and self.due_on < environment.today()
        return RuleState.NOT_IN_ORDER if is_late else self.finding.state

    @property
    def due_on(self) -> date | None:
        """The day by which who acts has acted; None: nothing is missing."""
        if self.finding.state == RuleState.IN_ORDER:
            return None
        return self.finding.due_on or self.since + timedelta(days=TO_DO_DAYS)


def judge_all(viewer: Viewer, find_overdue: Callable[[], Sequence[Overdue]]) -> list[RuleVerdict]:
    """Judge the rules on the stores as they stand, for the whole centre: counts
    alone, no names. `find_overdue`: as `upkeep.purge.find_overdue`.
    """
    viewer.require(Permission.SEE_RULES)
    with store.reading() as session:
        facts = RuleFacts(session, find_overdue)
        earlier = history.find_days(session)
        findings = {rule: _judge(rule, facts) for rule in RULES}
    return [
        RuleVerdict(
            rule,
            finding,
            history.find_start(earlier, rule.number, finding.state == RuleState.IN_ORDER),
        )
        for rule, finding in findings.items()
    ]


def _judge(rule: ComplianceRule, facts: RuleFacts) -> RuleFinding:
    """Judge one rule; one that cannot be measured is red, never an exception."""
    try:
        return rule.judge(facts)
    except Exception as error:
        logging.getLogger("qa_core").exception("rule %s could not be judged", rule.number)
        return RuleFinding(
            RuleState.NOT_MEASURABLE,
            _("The check failed: {kind}", kind=type(error).__name__),
            _("Ask the operator of Écoute to run the health check."),
            environment.today(),
        )


def describe(verdict: RuleVerdict) -> dict[str, str]:
    """Return a verdict as plain texts in the reader's language, for tables and documents."""
    rule, finding = verdict.rule, verdict.finding
    evidence = f"{finding.evidence}. {_(rule.rests_on)}".strip()
    due = verdict.due_on
    return {
        "rule": rule.number,
        "title": _(rule.title),
        "asks": _(rule.asks),
        "source": _(rule.source),
        "state": _(STATE_TITLES[verdict.state]),
        "evidence": evidence,
        "missing": finding.missing,
        "actor": _(rule.actor) if due else "",
        "due": formatting.day(due, year=True) if due else "",
        "since": formatting.day(verdict.since, year=True),
    }
