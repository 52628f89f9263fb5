"""Messages and notices for callers and advisors, and the sheet for the works council."""

from qa_core.base.i18n import N_, _
from qa_core.compliance.documents import capabilities, statements
from qa_core.compliance.documents.blocks import (
    LINE,
    Block,
    Bullets,
    Grid,
    Heading,
    Paragraph,
    label,
    write_paragraph,
)
from qa_core.compliance.documents.facts import Facts
from qa_core.metrics import formatting

MESSAGES = (
    (
        N_("Full message, with recording"),
        N_("Lines on which calls may be recorded."),
        N_(
            "“Welcome to {organisation}. Your call may be recorded and listened to, for "
            "{purposes}. Recordings are kept for {period} at most. You may object at any time: "
            "{refusal}. To know more, see the legal notice on our website.”"
        ),
    ),
    (
        N_("Short message, with recording"),
        N_("Lines with a long menu; the written notice must then be easy to find."),
        N_(
            "“{organisation}, hello. This call may be recorded and listened to, for {purposes}. To "
            "object, {refusal}.”"
        ),
    ),
    (
        N_("Listening without recording"),
        N_("Lines on which a second person may listen, and nothing is recorded."),
        N_(
            "“Welcome to {organisation}. An authorised person may listen to your call, for "
            "{purposes}. It is not recorded. To object, {refusal}.”"
        ),
    ),
    (
        N_("Outside opening hours"),
        N_("Voicemail, which is not imported into Écoute."),
        N_(
            "“You have reached {organisation}. Our advisors are not available at the moment; "
            "please call again during opening hours. If you leave a message, it serves to call "
            "you back, and for nothing else.”"
        ),
    ),
    (
        N_("Said by the advisor, outbound calls"),
        N_("Calls that the centre makes, before their subject."),
        N_(
            "“Hello, this is … from {organisation}. Our conversation may be recorded and listened "
            "to, for {purposes}. Do you object?”"
        ),
    ),
    (
        N_("After a refusal"),
        N_("Said by the advisor or the voice server."),
        N_("“Thank you. This call is not recorded and nobody else listens to it.”"),
    ),
    (
        N_("Written channels"),
        N_("Shown before the conversation: {channels}."),
        N_(
            "“{organisation} may read this conversation again, for {purposes}. You may object "
            "at any time: tell us here.”"
        ),
    ),
)
"""Variants of the message that callers hear: title, use and words; the last one is written."""


def build_messages(facts: Facts) -> list[Block]:
    """Build the message that callers hear, with its variants and their rules."""
    blocks: list[Block] = [
        write_paragraph(statements.DRAFT_NOTE),
        write_paragraph(
            "Callers hear one of these messages at each call, before the conversation and before "
            "anything is recorded. Choose the one that fits the line. Played since {day}.",
            day=facts.describe_day("callers_informed_since"),
        ),
    ]
    key = facts.settings.refusal_key
    written = [name for name in facts.channels if name != "phone"]
    terms = {
        "organisation": facts.describe_detail("organisation_name"),
        "purposes": facts.list_purposes(),
        "refusal": _("press {key} or tell the advisor", key=key) if key else _("tell the advisor"),
        "period": facts.describe_period("recordings"),
        "channels": formatting.listing(formatting.name("channel", name) for name in written),
    }
    for title, use, message in MESSAGES if written else MESSAGES[:-1]:
        said = Paragraph(_(message, **terms), is_quoted=True)
        blocks += [Heading(_(title)), write_paragraph(use, **terms), said]
    return [
        *blocks,
        Heading(_("Rules of use")),
        Bullets(
            (
                _("Say it at each call, and again before a call is passed on to another service."),
                _(
                    "A refusal must reach Écoute with the contact (customer_objected): nothing is "
                    "then stored or listened to. So must the notice (notice_played): without it "
                    "the contact is left out."
                ),
                _("An objection made later, by any means, deletes the recording at once."),
                _(
                    "Telephone selling: since August 2026 the consumer must have agreed beforehand "
                    "(Code de la consommation, art. L. 223-1). No message replaces that agreement; "
                    "the data protection officer confirms what applies to outbound calls."
                ),
            )
        ),
    ]


def build_caller_notice(facts: Facts) -> list[Block]:
    """Build the notice for callers, to publish on a website or hand out."""
    return [
        write_paragraph(
            "Some of your conversations with {organisation} may be recorded and listened to. Here "
            "is what for, by whom and for how long, and how to refuse.",
            organisation=facts.describe_detail("organisation_name"),
        ),
        statements.list_contacts(facts),
        Heading(_("What for")),
        *statements.describe_purposes(facts),
        write_paragraph(
            "The legal basis is our legitimate interest in training our advisors and improving "
            "our service (GDPR art. 6(1)(f)). Recording and listening are occasional, never "
            "permanent. No emotion is read from your voice."
        ),
        Heading(_("Which data, and who has access")),
        write_paragraph(
            "The recording, the day, time and reason of your contact, and your answers to our "
            "surveys. Your number is replaced by a code. Only accredited persons of "
            "{organisation}, and the advisor you spoke to, may listen. Processors: {processors}.",
            organisation=facts.describe_detail("organisation_name"),
            processors=facts.describe_detail("processors"),
        ),
        Heading(_("For how long")),
        Bullets(
            (
                _("Recordings: {period} at most", period=facts.describe_period("recordings")),
                _(
                    "Evaluations of conversations: {period} at most",
                    period=facts.describe_period("evaluations"),
                ),
                _(
                    "Link between your contacts and you: {period} at most",
                    period=facts.describe_period("contacts"),
                ),
            )
        ),
        Heading(_("How to refuse")),
        write_paragraph(
            "Tell the advisor at the start or at any moment of the conversation, or write to "
            "{contact} afterwards. Your refusal takes effect at once, has no effect on how you "
            "are served, and deletes what was recorded.",
            contact=facts.describe_detail("dpo_contact"),
        ),
        Heading(_("Your rights")),
        *statements.list_rights(facts),
    ]


def list_advisor_information(facts: Facts) -> list[Block]:
    """List what advisors are told, in writing and on their page."""
    return [
        Heading(_("What it is for")),
        *statements.describe_purposes(facts),
        Heading(_("What is recorded, and what is not")),
        Paragraph(label(_("Kept of a contact"), statements.list_data())),
        statements.list_guarantees(facts),
        Heading(_("Who listens")),
        *statements.list_listeners(facts),
        Heading(_("How long data is kept")),
        statements.list_periods(
            facts,
            ("recordings", "evaluations", "calibrations", "coaching", "playbacks", "contacts"),
        ),
        Heading(_("Your rights")),
        *statements.list_advisor_rights(facts),
    ]


def build_advisor_notice(facts: Facts) -> list[Block]:
    """Build the information for advisors, the contract clause and the receipt."""
    return [
        write_paragraph(
            "Information of each employee before recording or listening begins (Code du travail "
            "art. L. 1222-4; GDPR art. 13). The works council was consulted on {day}.",
            day=facts.describe_day("works_council_consulted_on"),
        ),
        statements.list_contacts(facts),
        *list_advisor_information(facts),
        Heading(_("Contract clause")),
        Paragraph(
            _(
                "“The Employee is informed that conversations with customers may be recorded and "
                "listened to by accredited persons, occasionally, for {purposes}. Recordings are "
                "kept for {recordings} at most, and evaluations for {analyses} at most. The "
                "Employee may stop a recording, reads and may dispute each evaluation, and has "
                "the rights of access, rectification, erasure, restriction and objection under "
                "the GDPR, which are exercised with {contact}. The information notice, handed "
                "over with this contract, is updated when the conditions change.”",
                purposes=facts.list_purposes(),
                recordings=facts.describe_period("recordings"),
                analyses=facts.describe_period("evaluations"),
                contact=facts.describe_detail("dpo_contact"),
            ),
            is_quoted=True,
        ),
        Heading(_("Receipt")),
        Grid((), ((_("Name"), LINE), (_("Received on"), LINE), (_("Signature"), LINE)), (0.3, 0.7)),
    ]


def build_council_sheet(facts: Facts) -> list[Block]:
    """Build the sheet for the works council, with the access matrix."""
    return [
        write_paragraph(statements.DRAFT_NOTE),
        write_paragraph(
            "The works council is informed and consulted before means of monitoring employees are "
            "used (Code du travail art. L. 2312-38). Restrictions of freedoms must be justified "
            "by the task and proportionate to the aim (art. L. 1121-1), and nothing is collected "
            "by means that employees do not know (art. L. 1222-4). Consulted on {day}.",
            day=facts.describe_day("works_council_consulted_on"),
        ),
        statements.list_contacts(facts),
        Heading(_("What it is for")),
        *statements.describe_purposes(facts),
        Heading(_("Limits and guarantees")),
        statements.list_guarantees(facts),
        Heading(_("Who listens")),
        *statements.list_listeners(facts),
        Heading(_("How long data is kept")),
        statements.list_periods(facts),
        Heading(_("What each role sees")),
        capabilities.list_scopes(),
        Heading(_("Formalities")),
        statements.explain_former_notification(),
        Heading(_("Opinion of the works council")),
        write_paragraph("Opinion, day, signature: {line}", line=LINE),
        Heading(_("Annex: access matrix")),
        write_paragraph(
            "Generated from the rules that the product applies. Own: what lies in the rows above. "
            "All: what belongs to no team. Groups: figures of large groups. What is empty is "
            "refused."
        ),
        capabilities.list_matrix(),
    ]
