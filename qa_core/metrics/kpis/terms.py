"""Terms of the field beside the KPIs: for the glossary page and `docs/glossary.md`."""

from dataclasses import dataclass

from qa_core.base.i18n import N_


@dataclass(frozen=True)
class Term:
    """Term with its explanation in one or two sentences."""

    title: str
    meaning: str


STATISTICS = (
    Term(
        N_("Confidence interval"),
        N_(
            "The range that holds the true value in 95 of 100 such samples. The fewer contacts "
            "stand behind a figure, the wider it is."
        ),
    ),
    Term(
        N_("Sample size (n)"),
        N_(
            "The number of contacts, ratings or evaluations behind a figure. A figure without it "
            "cannot be judged."
        ),
    ),
    Term(
        N_("Small sample"),
        N_(
            "Fewer than 30 contacts, ratings or evaluations. Chance alone moves such a figure a "
            "lot, so do not decide on it."
        ),
    ),
    Term(
        N_("Statistically clear"),
        N_(
            "A difference that chance alone would rarely produce. All other differences may be "
            "noise, however large they look."
        ),
    ),
    Term(
        N_("Shrunk estimate"),
        N_(
            "A value moved towards the team average, because part of every value is chance. The "
            "fewer evaluations there are, the further it moves."
        ),
    ),
    Term(
        N_("Control limits"),
        N_(
            "The lines between which a stable series stays nearly always. A point outside them "
            "deserves a look at its cause."
        ),
    ),
    Term(
        N_("Median and percentiles"),
        N_(
            "Half of the contacts waited at most the median, and 95 in 100 at most the 95th "
            "percentile. They show the long waits that a mean hides."
        ),
    ),
    Term(
        N_("Power"),
        N_(
            "The chance to detect a difference that is really there. Écoute says how many "
            "evaluations give a power of 80 %."
        ),
    ),
    Term(
        N_("Krippendorff’s α"),
        N_(
            "A measure of how far evaluators agree, corrected for chance. 1 is full agreement, "
            "and 0 is what chance alone would give."
        ),
    ),
    Term(
        N_("Hidden figure"),
        N_(
            "A figure is hidden when fewer than five advisors or ten contacts stand behind it. "
            "Nobody can then be recognised by it."
        ),
    ),
)

CONTACTS = (
    Term(
        N_("Contact"),
        N_(
            "One conversation or attempt as the customer lived it, on any channel. The legs of a "
            "transferred call are one contact."
        ),
    ),
    Term(N_("Leg"), N_("One part of a transferred contact, with one advisor or queue.")),
    Term(
        N_("Customer"),
        N_("The person who contacts the centre. Écoute knows a pseudonym, never the number."),
    ),
    Term(N_("Queue"), N_("The line in which a contact waited for an advisor.")),
    Term(N_("Reason"), N_("The subject of a contact, as the advisor or the tool noted it.")),
    Term(N_("Outcome"), N_("The end of a contact: answered, abandoned, or another kind of miss.")),
    Term(N_("Missed contact"), N_("A contact that came in and that no advisor answered.")),
    Term(
        N_("Repeat contact"),
        N_(
            "Another contact of the same customer about the same reason. It counts within the "
            "repeat window only."
        ),
    ),
    Term(
        N_("Repeat window"),
        N_(
            "The days during which another contact counts as a repeat. The administrator sets them."
        ),
    ),
    Term(
        N_("Irritant"),
        N_("A cause that annoys customers again and again, found in reasons and comments."),
    ),
    Term(
        N_("Tracking number"),
        N_("A phone number that belongs to one campaign, so that a call shows where it came from."),
    ),
    Term(
        N_("Campaign, source, medium"),
        N_("The advertisement, the site and the kind of channel that brought a contact."),
    ),
    Term(N_("Attribution"), N_("The link between a contact and the campaign that brought it.")),
    Term(N_("Target"), N_("The value that a KPI should reach, for a team, a queue or the centre.")),
    Term(
        N_("Alert"),
        N_(
            "A notice that a rule on a KPI holds. It stays open until the rule has not held for "
            "two periods in a row."
        ),
    ),
    Term(N_("Note"), N_("A dated remark on the charts, such as a strike or a new tariff.")),
)

QUALITY = (
    Term(
        N_("Scorecard"),
        N_(
            "The form of an evaluation, made of sections and criteria with points. A published "
            "version never changes."
        ),
    ),
    Term(N_("Criterion"), N_("One question of a scorecard, answered with points or yes and no.")),
    Term(
        N_("Critical error"),
        N_("A failed critical criterion. It fails its section or the whole evaluation."),
    ),
    Term(N_("Pass mark"), N_("The lowest score with which an evaluation passes.")),
    Term(
        N_("Evaluation and score"),
        N_("What one evaluator noted about one contact, and its points out of 100."),
    ),
    Term(
        N_("Listening plan"),
        N_(
            "How many contacts are listened to, from which advisors, for which purpose and by "
            "which evaluators."
        ),
    ),
    Term(
        N_("Sampling frame and draw"),
        N_(
            "The contacts that may be listened to, and the random choice among them. A seed makes "
            "each draw repeatable."
        ),
    ),
    Term(
        N_("Playback"),
        N_("One person listens to one recording. Every playback is in the audit log."),
    ),
    Term(
        N_("Calibration session"),
        N_(
            "Several evaluators score the same contacts without seeing each other’s points. Their "
            "differences show where the scorecard is read differently."
        ),
    ),
    Term(
        N_("Alignment"),
        N_("How close the points of several evaluators are, in a closed calibration session."),
    ),
    Term(
        N_("Severity"),
        N_("How many points an evaluator marks below or above the others, on the same contacts."),
    ),
    Term(
        N_("Dispute and decision"),
        N_("An advisor disagrees with a criterion. Another person than the evaluator decides."),
    ),
    Term(
        N_("Coaching plan and session"),
        N_("A goal on criteria for one advisor, and the meetings that work on it."),
    ),
    Term(N_("Training file"), N_("The coaching plans, sessions and evaluations of one advisor.")),
)

COMPLIANCE = (
    Term(
        N_("Gate"),
        N_("A legal condition that must be met before anybody may record, listen or evaluate."),
    ),
    Term(
        N_("Accreditation"),
        N_("The right of a named person to listen, for certain purposes and until a date."),
    ),
    Term(
        N_("Notice of recording"),
        N_("What callers and advisors learn about recording before it starts."),
    ),
    Term(
        N_("Retention"),
        N_(
            "How long data may be kept. Recordings are deleted after at most 6 months, analyses "
            "after at most 1 year."
        ),
    ),
    Term(
        N_("Objection"),
        N_("A customer refuses recording or evaluation. Écoute then deletes and blocks both."),
    ),
    Term(
        N_("Request of a person"),
        N_(
            "A person asks for a copy, a correction or the deletion of their data. The answer is "
            "due within one month."
        ),
    ),
    Term(
        N_("Audit log"),
        N_("The record of who did or saw what, when and why. Nobody can change it unnoticed."),
    ),
    Term(
        N_("Pseudonym"),
        N_("A code in place of a number or a name. Only the secret of this centre links the two."),
    ),
)

GROUPS: dict[str, tuple[Term, ...]] = {
    N_("Statistics"): STATISTICS,
    N_("Contacts and campaigns"): CONTACTS,
    N_("Quality cycle"): QUALITY,
    N_("Data protection"): COMPLIANCE,
}
"""The terms by subject, in the order of the glossary."""
