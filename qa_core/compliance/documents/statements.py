"""Statements on recording and listening shared by documents and pages."""

from collections.abc import Sequence

from qa_core.access.roles import ROLE_TITLES, Role
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import gates, retention
from qa_core.compliance.documents.blocks import (
    Block,
    Bullets,
    Grid,
    Paragraph,
    label,
    mark_blank,
    write_paragraph,
)
from qa_core.compliance.documents.facts import Facts
from qa_core.metrics import formatting

DRAFT_NOTE = N_(
    "Drafted by Écoute from the configuration in force. It is not legal advice: the data "
    "protection officer completes and confirms it."
)

PURPOSE_MEANINGS = {
    "training": N_(
        "newcomers learn from real contacts, and each advisor gets advice on their own."
    ),
    "evaluation": N_("contacts are assessed on a scorecard that advisors know."),
    "quality": N_("causes of dissatisfaction are found and put right."),
}


def list_contacts(facts: Facts) -> Grid:
    """List who answers for the processing."""
    return Grid(
        (),
        (
            (
                _("Controller"),
                f"{facts.describe_detail('organisation_name')}, "
                f"{facts.describe_detail('organisation_contact')}",
            ),
            (_("Data protection officer"), facts.describe_detail("dpo_contact")),
        ),
        (0.3, 0.7),
    )


def describe_purposes(facts: Facts) -> list[Block]:
    """Describe each purpose that was entered, and what is excluded."""
    items = [
        label(_(gates.PURPOSE_TITLES[name]).capitalize(), _(PURPOSE_MEANINGS[name]))
        for name in facts.purposes
    ]
    return [
        Bullets(tuple(items or [facts.list_purposes()])),
        write_paragraph(
            "Nothing else is allowed. Recordings that prove a contract are a separate processing "
            "operation with a period of its own: here they are never drawn, played or evaluated."
        ),
    ]


def list_data() -> str:
    """List what is kept of a contact that is recorded, listened to and evaluated."""
    return _(
        "Recording; day, time, duration, channel, queue and reason of the contact; pseudonym of "
        "the caller; advisor; evaluator; answers to the scorecard, score, comments, disputes; "
        "coaching; playbacks with their reason"
    )


def list_listeners(facts: Facts) -> list[Block]:
    """List who may listen, for what and until when."""
    rows = [
        (
            item.display_name or item.username,
            _(ROLE_TITLES[Role(item.role)]) if item.role in set(Role) else item.role,
            formatting.listing(_(gates.PURPOSE_TITLES[name]) for name in item.purposes),
            formatting.long_day(item.ends_on),
        )
        for item in facts.listeners
    ]
    return [
        Grid(
            (_("Name"), _("Role"), _("Purposes"), _("Until")),
            tuple(rows or [(mark_blank(_(gates.LISTENERS_TITLE)), "", "", "")]),
            (0.3, 0.2, 0.33, 0.17),
        ),
        write_paragraph(
            "An accreditation names a person and purposes, lasts {months} at most, and can be "
            "ended at any time. It is checked at each playback. Besides these persons, an advisor "
            "alone listens, to their own contacts.",
            months=ngettext("{n} month", "{n} months", facts.settings.accreditation_months),
        ),
    ]


def list_periods(facts: Facts, kinds: Sequence[str] = ()) -> Grid:
    """List how long each kind of data is kept today, and what happens then (default: all kinds)."""
    return Grid(
        (_("Data"), _("Kept for"), _("At the end"), _("Source")),
        tuple(
            (
                _(entry.title),
                entry.describe_period(facts.periods[entry.kind]),
                _(entry.end),
                _(entry.source),
            )
            for entry in retention.CLASSES
            if not kinds or entry.kind in kinds
        ),
        (0.31, 0.13, 0.32, 0.24),
    )


def list_guarantees(facts: Facts) -> Bullets:
    """List what keeps listening from becoming surveillance."""
    return Bullets(
        (
            ngettext(
                "Listening is occasional. At most {n} contact of an advisor is listened to in a "
                "month, draws, choices, calibrations and playbacks taken together.",
                "Listening is occasional. At most {n} contacts of an advisor are listened to in a "
                "month, draws, choices, calibrations and playbacks taken together.",
                facts.settings.listening_ceiling,
            ),
            _(
                "Contacts are drawn at random, under a listening plan that states its purpose, its "
                "dates and the number of contacts. One that is chosen by hand needs a reason."
            ),
            _(
                "Each playback is noted with the person, the moment, the purpose and the reason. "
                "Advisors see the playbacks of their own contacts."
            ),
            _(
                "No recording is kept or listened to where the caller was not informed or "
                "refused, where the advisor stopped the recording, or on a private or staff "
                "representatives' line."
            ),
            _(
                "Écoute keeps sound alone, never an advisor's screen, and nobody listens through "
                "it during a call. Nobody may listen to a call and watch the advisor's screen at "
                "once."
            ),
            _(
                "No emotion is read from a voice or from words, and no machine judges a contact. "
                "A person signs each evaluation, and the advisor can dispute it (GDPR art. 22; AI "
                "Act art. 5(1)(f))."
            ),
            _(
                "Executives see no figure of fewer than five advisors or ten contacts, and never a "
                "name."
            ),
        )
    )


def list_security(facts: Facts) -> Bullets:
    """List the measures of art. 32."""
    factors = {
        "nobody": N_("A code from an app besides the password is offered to everybody."),
        "deciding": N_("A code from an app besides the password is required of deciding roles."),
        "everybody": N_("A code from an app besides the password is required of everybody."),
    }
    stores = (
        _("Records are in a PostgreSQL database of the centre.")
        if facts.database == "postgresql"
        else _("Records are in a database file on the server of the centre.")
    )
    return Bullets(
        (
            _("Recordings are encrypted (AES-GCM); the key is kept elsewhere."),
            _(
                "Callers' numbers are replaced by pseudonyms when a file is read (HMAC-SHA256, key "
                "kept elsewhere). The number itself is stored nowhere."
            ),
            _(
                "Access follows the role and the teams of each person, and is refused by default. "
                "Passwords follow the CNIL's recommendation (délibération 2022-100)."
            )
            + " "
            + _(factors[facts.settings.second_factor]),
            _(
                "The journal is append-only and sealed. It says who read, listened, exported, "
                "printed or changed what."
            ),
            _(
                "What has been kept for its time is deleted every day, without anybody's doing, in "
                "every store; a signed certificate records it."
            ),
            stores
            + " "
            + _(
                "Statistics and recordings are files that the application's account alone can read."
            ),
        )
    )


def list_rights(facts: Facts) -> list[Block]:
    """Describe the rights of callers and advisors alike, and how to complain."""
    return [
        write_paragraph(
            "You may ask for access to your data, for a copy, for its rectification or erasure, "
            "for its restriction, and object to its use for reasons of your own (GDPR art. 15 to "
            "21). Write to: {contact}. You get an answer within a month, once your identity has "
            "been checked.",
            contact=facts.describe_detail("dpo_contact"),
        ),
        write_paragraph(
            "If the answer does not satisfy you, you may complain to the CNIL: "
            "www.cnil.fr/fr/plaintes, or 3 place de Fontenoy, TSA 80715, 75334 Paris Cedex 07."
        ),
    ]


def list_advisor_rights(facts: Facts) -> list[Block]:
    """Describe what an advisor may do, in the product and outside."""
    return [
        Bullets(
            (
                _(
                    "You may stop a recording or have a contact left out, a private conversation "
                    "above all. It is then neither kept nor listened to."
                ),
                _(
                    "You read each evaluation of your contacts once it is published, with the "
                    "scorecard, and may listen to the recording while it is kept."
                ),
                _(
                    "You may comment on an evaluation or dispute it. A manager who did not make it "
                    "decides."
                ),
                _("You see on “My quality” who listened to your contacts, when and what for."),
            )
        ),
        *list_rights(facts),
    ]


def explain_former_notification() -> Paragraph:
    """Explain what replaced the notification to the CNIL."""
    return write_paragraph(
        "The centre no longer notifies the CNIL. Since the GDPR applies (25 May 2018), prior "
        "declarations and the simplified norm NS-57 have no legal force. In their place the "
        "controller keeps this processing in its register (art. 30), involves its data protection "
        "officer (art. 37 to 39), and carries out an impact assessment where the risk is high "
        "(art. 35). The CNIL is consulted only if a high risk remains (art. 36). The periods of "
        "NS-57 are still the benchmark."
    )
