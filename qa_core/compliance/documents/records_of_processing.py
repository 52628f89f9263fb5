"""Register of processing (GDPR art. 30) and draft of the impact assessment (art. 35)."""

from collections.abc import Iterator

from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import gates
from qa_core.compliance.documents import statements
from qa_core.compliance.documents.blocks import (
    LINE,
    Block,
    Bullets,
    Grid,
    Heading,
    label,
    write_paragraph,
)
from qa_core.compliance.documents.facts import Facts
from qa_core.metrics import formatting

FACT_SHARES = (0.27, 0.73)
RISKS = (
    (
        N_("Surveillance of staff"),
        N_("Stress, loss of autonomy, unfair decisions"),
        N_("Ceiling per advisor, random draw, separate purposes, playbacks visible to advisors"),
    ),
    (
        N_("Unlawful access to recordings or evaluations"),
        N_("Disclosure of private matters of callers, harm to the reputation of advisors"),
        N_("Accreditation, encryption, access by role, journal, short periods"),
    ),
    (
        N_("Unwanted change"),
        N_("An advisor is judged on wrong data"),
        N_(
            "Signed evaluations, corrections kept with the earlier version, sealed journal, "
            "disputes"
        ),
    ),
    (
        N_("Loss of data"),
        N_("An advisor or a caller cannot prove what was said"),
        N_("Backups, imports that are done whole or not at all, health checks"),
    ),
)
"""Feared event, effects, measures."""


def build_register(facts: Facts) -> list[Block]:
    """Build the entries of the register: listening, statistics, access."""
    basis = _(
        "Legitimate interest of the controller (GDPR art. 6(1)(f)), weighed in the impact "
        "assessment"
    )
    recipients = ngettext(
        "{n} accredited person (list below); by role, the persons named in the sheet for the works "
        "council",
        "{n} accredited persons (list below); by role, the persons named in the sheet for the "
        "works council",
        len({item.username for item in facts.listeners}),
    )
    common = (
        (_("Processors"), facts.describe_detail("processors")),
        (_("Transfers outside the European Union"), _("None by Écoute; see the processors")),
        (_("Security"), _("See “Security measures” below")),
    )
    return [
        write_paragraph(statements.DRAFT_NOTE),
        statements.list_contacts(facts),
        statements.explain_former_notification(),
        Heading(_("Entry 1. Recording, listening and evaluation")),
        _list_facts(
            (_("Purposes"), facts.list_purposes()),
            (_("Legal basis"), basis),
            (_("Persons"), _describe_persons(facts)),
            (_("Channels and queues"), _describe_places(facts)),
            (_("Data"), statements.list_data()),
            (
                _("Source"),
                _("Files of the telephony and customer tools; what evaluators and advisors enter"),
            ),
            (_("Recipients"), recipients),
            (
                _("Kept for"),
                _(
                    "Recordings: {recordings}; evaluations and coaching: {analyses}",
                    recordings=facts.describe_period("recordings"),
                    analyses=facts.describe_period("evaluations"),
                ),
            ),
            *common,
        ),
        Heading(_("Entry 2. Statistics of contacts and satisfaction")),
        _list_facts(
            (
                _("Purposes"),
                _(
                    "Steer the service: calls answered, waiting, resolution, satisfaction, "
                    "origin of calls"
                ),
            ),
            (_("Legal basis"), basis),
            (_("Persons"), _("Callers and customers; advisors")),
            (_("Channels and queues"), _describe_places(facts)),
            (
                _("Data"),
                _(
                    "Day, time, durations, queue, reason and outcome of the contact; pseudonym "
                    "of the caller; advisor; ratings and comments of surveys; campaign and "
                    "tracking number"
                ),
            ),
            (_("Source"), _("Files of the telephony, survey and call-tracking tools")),
            (
                _("Recipients"),
                _(
                    "By role, as the sheet for the works council says; executives see large "
                    "groups alone"
                ),
            ),
            (
                _("Kept for"),
                _(
                    "Caller and advisor of a contact: {contacts}; survey comments: {comments}",
                    contacts=facts.describe_period("contacts"),
                    comments=facts.describe_period("survey_comments"),
                ),
            ),
            *common,
        ),
        Heading(_("Entry 3. Accounts and journal")),
        _list_facts(
            (_("Purposes"), _("Give access by need, and trace it")),
            (
                _("Legal basis"),
                _("Legal obligation to secure processing (GDPR art. 6(1)(c) and art. 32)"),
            ),
            (_("Persons"), _("Holders of an account")),
            (
                _("Data"),
                _(
                    "User name, displayed name, role, teams, password hash, sign-ins; journal "
                    "of acts"
                ),
            ),
            (_("Source"), _("Administrators; use of the product")),
            (_("Recipients"), _("Administrators; the data protection officer for the journal")),
            (
                _("Kept for"),
                _(
                    "Audit log: {journal}; accounts: while the person needs access",
                    journal=facts.describe_period("journal"),
                ),
            ),
            *common,
        ),
        Heading(_("Accredited listeners")),
        *statements.list_listeners(facts),
        Heading(_("How long data is kept")),
        statements.list_periods(facts),
        Heading(_("Security measures")),
        statements.list_security(facts),
    ]


def build_assessment(facts: Facts) -> list[Block]:
    """Build the draft of the impact assessment, with the actions left open."""
    return [
        write_paragraph(statements.DRAFT_NOTE),
        statements.list_contacts(facts),
        Heading(_("1. Why an assessment")),
        write_paragraph(
            "The processing evaluates persons, concerns employees, who are not free to refuse it, "
            "and could become systematic monitoring. Two of the nine criteria of the European "
            "guidelines (WP 248) are enough to require an assessment. Constant monitoring of "
            "employees is on the CNIL's list of 2018: the measures of section 3 are there to "
            "exclude it."
        ),
        statements.explain_former_notification(),
        Heading(_("2. The processing")),
        *statements.describe_purposes(facts),
        _list_facts(
            (_("Persons"), _describe_persons(facts)),
            (_("Channels and queues"), _describe_places(facts)),
            (
                _("Life of the data"),
                _(
                    "The telephony records a share of the contacts. Écoute reads the files, "
                    "replaces numbers by pseudonyms and keeps the recordings that the law "
                    "allows, encrypted. Contacts are drawn, listened to and evaluated. "
                    "Recordings go after {recordings}, evaluations after {analyses}.",
                    recordings=facts.describe_period("recordings"),
                    analyses=facts.describe_period("evaluations"),
                ),
            ),
            (_("Processors"), facts.describe_detail("processors")),
        ),
        Heading(_("3. Necessity and proportion")),
        Grid((_("Principle"), _("How it is met")), tuple(_list_principles(facts)), FACT_SHARES),
        statements.list_guarantees(facts),
        Heading(_("4. Risks for persons")),
        Grid(
            (
                _("Feared event"),
                _("Effects"),
                _("Measures"),
                _("Severity of harm"),
                _("Likelihood"),
            ),
            tuple((*map(_, risk), "", "") for risk in RISKS),
            (0.18, 0.25, 0.29, 0.12, 0.16),
        ),
        write_paragraph(
            "Severity and likelihood (negligible, limited, significant, maximum) are rated by the "
            "controller, with the advice of the data protection officer."
        ),
        Heading(_("5. Security measures")),
        statements.list_security(facts),
        Heading(_("6. Actions left open by the configuration")),
        Bullets(tuple(_list_actions(facts))),
        Heading(_("7. Opinions and decision")),
        _list_facts(
            (
                _("Staff representatives"),
                _(
                    "Consulted on {day}. Opinion: {line}",
                    day=facts.describe_day("works_council_consulted_on"),
                    line=LINE,
                ),
            ),
            (_("Data protection officer"), _("Opinion, day, signature: {line}", line=LINE)),
            (_("Controller"), _("Decision, day, signature: {line}", line=LINE)),
        ),
    ]


def _list_facts(*rows: tuple[str, str]) -> Grid:
    return Grid((), rows, FACT_SHARES)


def _describe_persons(facts: Facts) -> str:
    advisors = ngettext("{n} advisor", "{n} advisors", facts.advisors)
    teams = ngettext("{n} team", "{n} teams", len(facts.teams))
    sites = f" ({', '.join(facts.sites)})" if facts.sites else ""
    return _(
        "Callers and customers; {advisors} in {teams}{sites}; evaluators and managers",
        advisors=advisors,
        teams=teams,
        sites=sites,
    )


def _describe_places(facts: Facts) -> str:
    channels = formatting.listing(formatting.name("channel", channel) for channel in facts.channels)
    if not channels:
        return _("None yet: no contact was imported")
    return _(
        "{channels}. Queues: {queues}",
        channels=channels,
        queues=", ".join(facts.queues) or _("not known"),
    )


def _list_principles(facts: Facts) -> Iterator[tuple[str, str]]:
    yield _("Purposes"), facts.list_purposes()
    yield (
        _("Legal basis"),
        _(
            "Legitimate interest (GDPR art. 6(1)(f)): good service and fair training. It is "
            "weighed against the privacy of callers and advisors, who are informed and may object."
        ),
    )
    yield (
        _("Minimisation"),
        _(
            "A share of contacts, drawn at random; fixed fields; numbers, addresses, cards and "
            "health words in free text are masked or must be confirmed."
        ),
    )
    yield (
        _("Accuracy"),
        _("Signed evaluations on a published scorecard; calibration sessions; disputes."),
    )
    yield (
        _("How long data is kept"),
        _(
            "Recordings {recordings}, evaluations {analyses}, caller and advisor of a contact "
            "{contacts}; deleted every day, with a certificate.",
            recordings=facts.describe_period("recordings"),
            analyses=facts.describe_period("evaluations"),
            contacts=facts.describe_period("contacts"),
        ),
    )
    yield (
        _("Information of callers"),
        _(
            "A message at the start of each call since {day}, and a written notice.",
            day=facts.describe_day("callers_informed_since"),
        ),
    )
    yield (
        _("Information of advisors"),
        ngettext(
            "In writing, each with a day: {informed} of {n} advisor. Contacts of the others are "
            "not listened to.",
            "In writing, each with a day: {informed} of {n} advisors. Contacts of the others are "
            "not listened to.",
            facts.advisors,
            informed=facts.informed_advisors,
        ),
    )
    yield (
        _("Rights"),
        _(
            "Requests are entered with a clock of one month; an objection acts at once and for the "
            "future; access and erasure cover every store."
        ),
    )


def _list_actions(facts: Facts) -> Iterator[str]:
    for gate in gates.ALL:
        if gate.name not in facts.gate_values:
            yield label(_(gate.title), _(gates.ACTORS[gate.name]))
    if not facts.listeners:
        yield label(_(gates.LISTENERS_TITLE), _(gates.ACTORS[gates.LISTENERS]))
    if waiting := facts.advisors - facts.informed_advisors:
        yield ngettext(
            "Inform {n} advisor in writing, and enter the day.",
            "Inform {n} advisors in writing, and enter the day.",
            waiting,
        )
    if facts.is_beyond_measure:
        yield _("Bring recording or listening back within measure: see “Are we in order?”.")
    if facts.settings.second_factor == "nobody":
        yield _("Consider requiring a second factor of deciding roles.")
    yield _("Rate the risks of section 4, and date the next review: {line}", line=LINE)
