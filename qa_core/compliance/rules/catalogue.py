"""Catalogue of rules R1–R20 (docs/compliance.md, section 1), and their judges."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _
from qa_core.compliance.retention import Overdue
from qa_core.compliance.rules import history, measures
from qa_core.compliance.rules.findings import STATE_TITLES, RuleFacts, RuleFinding, RuleState
from qa_core.metrics.kpis import formatting
from qa_core.storage.records import store

TO_DO_DAYS = 30
"""Days to do what has no date of its own, from the day it was first to do."""

_OFFICER = N_("The data protection officer")
_RUNS = N_("The operator of Écoute")
_LABOUR = "Code du travail L1222-4, L2312-38"


@dataclass(frozen=True)
class ComplianceRule:
    """Rule: what the law asks, who acts, the judge. `rests_on`: what keeps it, if not a count."""

    number: str
    title: str
    asks: str
    source: str
    actor: str
    judge: Callable[[RuleFacts], RuleFinding]
    rests_on: str = ""


RULES: tuple[ComplianceRule, ...] = (
    ComplianceRule(
        "R1",
        N_("Purposes"),
        N_(
            "Listening serves training, evaluation or quality of service only. Recordings "
            "kept as proof are never played."
        ),
        "CNIL, 25/04/2022",
        _OFFICER,
        measures.judge_purposes,
    ),
    ComplianceRule(
        "R2",
        N_("Proportionality"),
        N_("Recording and listening are not permanent, and no advisor is singled out."),
        "CNIL, 25/04/2022",
        N_("The telephony team for recording, managers for listening"),
        measures.judge_proportion,
    ),
    ComplianceRule(
        "R3",
        N_("Callers informed"),
        N_("Callers are informed, with the purpose, and may refuse at any time."),
        N_("GDPR art. 13 and 21"),
        N_("The telephony team, and the data protection officer"),
        measures.judge_callers,
    ),
    ComplianceRule(
        "R4",
        N_("Advisors informed"),
        N_("The works council is consulted and each advisor informed beforehand."),
        _LABOUR,
        N_("Management, and the data protection officer"),
        measures.judge_advisors,
    ),
    ComplianceRule(
        "R5",
        N_("Recordings deleted"),
        N_("Recordings are deleted after six months, names of people in contacts after thirteen."),
        "NS-57, délibération 2014-474",
        _RUNS,
        lambda facts: facts.judge_retention("R5"),
    ),
    ComplianceRule(
        "R6",
        N_("Analyses deleted"),
        N_("Evaluations, comments and coaching are deleted after a year."),
        "NS-57, délibération 2014-474",
        _RUNS,
        lambda facts: facts.judge_retention("R6"),
    ),
    ComplianceRule(
        "R7",
        N_("Accredited listeners"),
        N_("Only people who need to listen do so, for named purposes and until a date."),
        "NS-57, délibération 2014-474",
        _OFFICER,
        measures.judge_listeners,
    ),
    ComplianceRule(
        "R8",
        N_("Who listened"),
        N_("Each playback is on record with its reason, and the advisor sees it."),
        N_("GDPR art. 5(2)"),
        _OFFICER,
        measures.judge_playbacks,
    ),
    ComplianceRule(
        "R9",
        N_("Private calls and lines"),
        N_(
            "Advisors can stop a recording. Private lines and lines of staff "
            "representatives are excluded."
        ),
        "CNIL, 25/04/2022",
        _OFFICER,
        measures.judge_exclusions,
        N_("The telephony must let advisors stop a recording. Écoute cannot check that it does."),
    ),
    ComplianceRule(
        "R10",
        N_("No screen recording with the call"),
        N_("No image of the advisor's screen goes with a recording."),
        "CNIL, 2019",
        _RUNS,
        measures.judge_screens,
        N_("The product cannot take or keep an image of a screen."),
    ),
    ComplianceRule(
        "R11",
        N_("Only what is needed"),
        N_("Analyses hold only the personal data they need."),
        "NS-57, délibération 2014-474",
        N_("Evaluators"),
        measures.judge_texts,
    ),
    ComplianceRule(
        "R12",
        N_("Documents"),
        N_("A register, an impact assessment and notices describe the actual practice."),
        N_("GDPR art. 30 and 35"),
        _OFFICER,
        measures.judge_documents,
    ),
    ComplianceRule(
        "R13",
        N_("Data subject rights"),
        N_("A request for access, erasure or restriction gets an answer within a month."),
        N_("GDPR art. 12 and 15 to 21"),
        _OFFICER,
        measures.judge_requests,
    ),
    ComplianceRule(
        "R14",
        N_("Audit log"),
        N_("Each act is recorded, sealed, and kept a year at most."),
        "CNIL, délibération 2021-122",
        _RUNS,
        measures.judge_journal,
    ),
    ComplianceRule(
        "R15",
        N_("Passwords"),
        N_("Passwords are long enough, and stored in unreadable form."),
        "CNIL, délibération 2022-100",
        N_("Administrators"),
        measures.judge_passwords,
        N_("Écoute checks the strength of every new password."),
    ),
    ComplianceRule(
        "R16",
        N_("Callers' numbers"),
        N_("No store holds a caller's number, only a pseudonym."),
        N_("GDPR art. 32"),
        _RUNS,
        measures.judge_pseudonyms,
    ),
    ComplianceRule(
        "R17",
        N_("Small groups"),
        N_("No figure reveals a single person to readers without a need to know."),
        N_("GDPR art. 5(1)(c)"),
        N_("Administrators"),
        measures.judge_small_groups,
        N_("The product hides smaller groups from executives, and no setting lowers that."),
    ),
    ComplianceRule(
        "R18",
        N_("No automated decision"),
        N_("A person makes and signs each evaluation."),
        N_("GDPR art. 22"),
        N_("Administrators, who import evaluations"),
        measures.judge_signatures,
    ),
    ComplianceRule(
        "R19",
        N_("Security and backups"),
        N_("Stores are closed to others, recordings are encrypted, and backups are made."),
        N_("GDPR art. 32"),
        _RUNS,
        measures.judge_security,
        N_("The product writes audio only encrypted; the key is stored separately."),
    ),
    ComplianceRule(
        "R20",
        N_("No emotion recognition"),
        N_("Nothing reads emotions from voices or words, and nothing scores automatically."),
        N_("AI Act art. 5(1)(f)"),
        _RUNS,
        measures.judge_emotions,
        N_("The product has no such function, and files have no field for such results."),
    ),
)


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
    """Judge the twenty rules on the stores as they stand, for the whole centre: counts
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
