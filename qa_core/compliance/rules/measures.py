"""Measures: how each rule is judged from the stores, one function per rule."""

from collections import Counter
from datetime import datetime

import sqlalchemy as sa

from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Role, Viewer
from qa_core.base import environment, masking
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import proportionality, requests
from qa_core.compliance.conditions import gates, listened, notices
from qa_core.compliance.conditions.accreditations import holds_on
from qa_core.compliance.documents import printing
from qa_core.compliance.rules.findings import DAYS, RuleFacts, RuleFinding, RuleState, conclude
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.law.centre_counts import count_customer_keys
from qa_core.storage import audit_log, permissions
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import (
    CALIBRATION,
    EVALUATOR_KINDS,
    PUBLISHED,
    SELF,
    Evaluation,
)
from qa_core.storage.records.listening import Accreditation, Playback, Recording
from qa_core.storage.records.people import Account

BACKUP_ACT = "backup_made"
BACKUP_DAYS = 7
NEWEST_COMMENTS = 200
IS_OTHERS_PLAYBACK = Playback.purpose != "own"


def judge_purposes(facts: RuleFacts) -> RuleFinding:
    """Judge R1: recordings kept, and playbacks of late, for a purpose not entered."""
    entered = (gates.value_of(facts.session, "purposes") or "").split(",")
    kept = Counter(facts.live_recordings.values())
    # Audio that was kept before a purpose was taken back may still be there.
    wrong = sum(kept[purpose] for purpose in kept if purpose not in (*entered, "proof"))
    wrong += facts.count_forbidden("R1")
    allowed = [name for name in entered if name]
    allowed += [name for name, real in gates.COUNTS_AS.items() if real in entered]
    played_lately = Playback.played_at >= facts.since, IS_OTHERS_PLAYBACK
    wrong += facts.count(*played_lately, Playback.purpose.not_in(allowed))
    total = kept.total() + facts.count(*played_lately)
    evidence = ngettext(
        "{wrong} of {n} recording or playback for a purpose not entered",
        "{wrong} of {n} recordings and playbacks for a purpose not entered",
        total,
        wrong=wrong,
    )
    return conclude(
        evidence,
        _("Delete this audio, or enter the purpose.") if wrong else "",
        "" if allowed else _("Enter the purposes."),
    )


def judge_proportion(facts: RuleFacts) -> RuleFinding:
    """Judge R2: permanent recording, an advisor listened to far more, nobody listened to."""
    found = proportionality.find(Viewer.SYSTEM)
    today = environment.today()
    ceiling = listened.find_ceiling(facts.session)
    months = listened.find_listened(facts.session, Period(today, today)).count_months()
    above = sum(count > ceiling for count in months.values())
    permanent, much = found.permanent_shares, found.much_heard
    evidence = _(
        "{rate} of {answered} answered contacts recorded in {days} days. Teams with nearly all "
        "recorded: {permanent} of {teams}. Advisors listened to far more: {much} of {advisors}",
        rate=formatting.percent(found.centre.rate or 0, 0),
        answered=formatting.number(found.centre.answered_contacts),
        days=DAYS,
        permanent=len(permanent),
        teams=len(found.recorded_shares),
        much=len(much),
        advisors=found.active_advisors,
    )
    if permanent:
        return conclude(evidence, _("Record only a share of the contacts."))
    if above:
        return conclude(
            evidence,
            ngettext(
                "{n} advisor is above the monthly maximum: listen to no more of their contacts.",
                "{n} advisors are above the monthly maximum: listen to no more of their contacts.",
                above,
            ),
        )
    unknown = [
        share
        for share in found.recorded_shares
        if not share.answered_contacts and share.unknown_contacts >= proportionality.MIN_ANSWERED
    ]
    if unknown:
        return RuleFinding(
            RuleState.NOT_MEASURABLE,
            ngettext(
                "recording status unknown for {n} answered contact",
                "recording status unknown for {n} answered contacts",
                sum(share.unknown_contacts for share in unknown),
            ),
            _("Import the contacts with the column “recorded”, or the recordings themselves."),
            today,
        )
    to_do = ""
    if much:
        to_do = _("Explain why an advisor is listened to far more, or listen to the others too.")
    if found.is_nobody_heard:
        to_do = _("Contacts are recorded but nobody listens. Listen to some, or stop recording.")
    return conclude(evidence, "", to_do)


def judge_callers(facts: RuleFacts) -> RuleFinding:
    """Judge R3: audio kept of callers who objected or were not told."""
    total, wrong = len(facts.live_recordings), facts.count_forbidden("R3")
    evidence = ngettext(
        "{wrong} of {n} recording kept: caller objected or not informed",
        "{wrong} of {n} recordings kept: caller objected or not informed",
        total,
        wrong=wrong,
    )
    if lost := total - len(facts.verdicts):
        return RuleFinding(
            RuleState.NOT_MEASURABLE,
            ngettext(
                "contact not found for {n} recording kept",
                "contacts not found for {n} recordings kept",
                lost,
            ),
            _("Import these contacts again, or delete their audio."),
            environment.today(),
        )
    is_entered = gates.value_of(facts.session, "callers_informed_since")
    return conclude(
        evidence,
        _("Delete this audio: import the contacts again.") if wrong else "",
        "" if is_entered else _("Enter the day since which callers are informed."),
    )


def judge_advisors(facts: RuleFacts) -> RuleFinding:
    """Judge R4: the works council consulted, every advisor informed before."""
    found = notices.find_all(Viewer.SYSTEM)
    waiting = sum(notice.informed_on is None for notice in found)
    wrong = facts.count_forbidden("R4")
    evidence = ngettext(
        "{waiting} of {n} advisor without a notice",
        "{waiting} of {n} advisors without a notice",
        len(found),
        waiting=waiting,
    )
    evidence += "; " + ngettext(
        "{n} recording kept that predates the consultation or a notice",
        "{n} recordings kept that predate the consultation or a notice",
        wrong,
    )
    to_do = _("Inform the advisors and enter the day.") if waiting else ""
    if not gates.value_of(facts.session, "works_council_consulted_on"):
        to_do = _("Consult the works council and enter the day.")
    return conclude(evidence, _("Delete this audio.") if wrong else "", to_do)


def judge_listeners(facts: RuleFacts) -> RuleFinding:
    """Judge R7: playbacks by people who were accredited at that moment."""
    held: dict[str, list[Accreditation]] = {}
    for item in facts.session.scalars(sa.select(Accreditation)):
        held.setdefault(item.username, []).append(item)
    today = environment.today()
    holding = sum(any(holds_on(item, today) for item in items) for items in held.values())
    playbacks = facts.read(
        sa.select(Playback.username, Playback.played_at).where(
            Playback.played_at >= facts.since, IS_OTHERS_PLAYBACK
        )
    ).all()
    wrong = sum(
        not any(
            holds_on(item, environment.to_local(played_at).date(), played_at)
            for item in held.get(username, ())
        )
        for username, played_at in playbacks
    )
    evidence = ngettext(
        "{wrong} of {n} playback in {days} days without an accreditation",
        "{wrong} of {n} playbacks in {days} days without an accreditation",
        len(playbacks),
        wrong=wrong,
        days=DAYS,
    )
    people = ngettext("{n} person is accredited", "{n} people are accredited", holding)
    return conclude(
        f"{evidence} · {people}",
        _("Find out who listened, and why the product allowed it.") if wrong else "",
        "" if holding else _("Accredit the people who need to listen."),
    )


def judge_playbacks(facts: RuleFacts) -> RuleFinding:
    """Judge R8: each playback has its row in the audit log, with a reason."""
    played = facts.read(
        sa.select(Playback.username, Playback.source_system, Playback.contact_id).where(
            Playback.played_at >= facts.since
        )
    ).all()
    logged = facts.read(
        sa.select(JournalRow.actor, JournalRow.object).where(
            JournalRow.action == "recording_played"
        )
    ).all()
    acts = Counter((username, f"{system}/{contact}") for username, system, contact in played)
    wrong = (acts - Counter(map(tuple, logged))).total()
    wrong += facts.count(Playback.played_at >= facts.since, Playback.reason == "")
    evidence = ngettext(
        "{wrong} of {total} playback in {days} days: no audit log row or no reason",
        "{wrong} of {total} playbacks in {days} days: no audit log row or no reason",
        len(played),
        total=formatting.number(len(played)),
        wrong=wrong,
        days=DAYS,
    )
    return conclude(evidence, _("Verify the audit log: rows are missing.") if wrong else "")


def judge_exclusions(facts: RuleFacts) -> RuleFinding:
    """Judge R9: no audio of stopped, private or excluded contacts is kept."""
    wrong = facts.count_forbidden("R9")
    evidence = ngettext(
        "{wrong} of {n} recording kept: stopped, private or excluded contact",
        "{wrong} of {n} recordings kept: stopped, private or excluded contact",
        len(facts.live_recordings),
        wrong=wrong,
    )
    return conclude(evidence, _("Delete this audio.") if wrong else "")


def judge_screens(facts: RuleFacts) -> RuleFinding:
    """Judge R10: what is kept of contacts is sound."""
    total = facts.count(Recording.file_name.is_not(None))
    is_other = sa.not_(Recording.media_type.like("audio/%"))
    wrong = facts.count(Recording.file_name.is_not(None), is_other)
    evidence = ngettext(
        "{wrong} of {n} recording kept is not sound",
        "{wrong} of {n} recordings kept are not sound",
        total,
        wrong=wrong,
    )
    return conclude(evidence, _("Delete these files.") if wrong else "")


def judge_texts(facts: RuleFacts) -> RuleFinding:
    """Judge R11: personal data in the newest comments of evaluators."""
    newest = sa.select(Evaluation.comment).where(Evaluation.comment.is_not(None))
    newest = newest.order_by(Evaluation.id.desc()).limit(NEWEST_COMMENTS)
    comments = facts.read(newest).scalars().all()
    found = sum(bool(masking.find_personal_data(text)) for text in comments)
    evidence = ngettext(
        "possible personal data in {found} of the newest {n} comment",
        "possible personal data in {found} of the newest {n} comments",
        len(comments),
        found=found,
    )
    to_do = _("Reread these comments, and remove what the evaluation does not need.")
    return conclude(evidence, "", to_do if found else "")


def judge_documents(facts: RuleFacts) -> RuleFinding:
    """Judge R12: documents printed as they would be printed today."""
    states = printing.find_all(Viewer.SYSTEM)
    count = sum(state.printed is not None and not state.is_outdated for state in states)
    evidence = _(
        "{count} of {total} documents printed since the configuration last changed",
        count=count,
        total=len(states),
    )
    to_do = _("Print the register, the impact assessment and the notices.")
    return conclude(evidence, "", to_do if count < len(states) else "")


def judge_requests(facts: RuleFacts) -> RuleFinding:
    """Judge R13: requests of persons answered within their month."""
    found = requests.find_all(Viewer.SYSTEM)
    late = sum(item.is_late for item in found)
    waiting = [item for item in found if item.is_open]
    evidence = ngettext(
        "{n} request: {late} late, {waiting} open",
        "{n} requests: {late} late, {waiting} open",
        len(found),
        late=late,
        waiting=len(waiting),
    )
    to_do = _("Check the requester's identity, and answer.")
    return conclude(
        evidence,
        to_do if late else "",
        to_do if waiting else "",
        min((item.due_on for item in waiting), default=None),
    )


def judge_journal(facts: RuleFacts) -> RuleFinding:
    """Judge R14: seals that hold, and no row past its period."""
    kept = facts.judge_retention("R14")
    verification = audit_log.verify(facts.session)
    if not verification.ok:
        return conclude(
            ngettext(
                "verification of the audit log failed: {total} row checked",
                "verification of the audit log failed: {total} rows checked",
                verification.rows,
                total=formatting.number(verification.rows),
            ),
            _("Find out who changed the records; see the page Audit log."),
        )
    sealed = ngettext(
        "audit log of {total} row, every seal intact",
        "audit log of {total} rows, every seal intact",
        verification.rows,
        total=formatting.number(verification.rows),
    )
    return RuleFinding(kept.state, f"{sealed} · {kept.evidence}", kept.missing, kept.due_on)


def judge_passwords(facts: RuleFacts) -> RuleFinding:
    """Judge R15: passwords kept as bcrypt hashes."""
    total = facts.count(Account.active)
    is_other = sa.and_(Account.password_hash != "", sa.not_(Account.password_hash.like("$2_$%")))
    wrong = facts.count(Account.active, is_other)
    evidence = ngettext(
        "{wrong} of {n} open account: password not stored as a bcrypt hash",
        "{wrong} of {n} open accounts: password not stored as a bcrypt hash",
        total,
        wrong=wrong,
    )
    return conclude(evidence, _("Reset these passwords.") if wrong else "")


def judge_pseudonyms(facts: RuleFacts) -> RuleFinding:
    """Judge R16: keys of customers that are pseudonyms, and the secret that makes them."""
    total, wrong = count_customer_keys(Viewer.SYSTEM)
    evidence = ngettext(
        "{wrong} of {total} customer key of the newest month is not a pseudonym",
        "{wrong} of {total} customer keys of the newest month are not pseudonyms",
        total,
        total=formatting.number(total),
        wrong=wrong,
    )
    if total and not environment.has_secret("pseudonyms"):
        return conclude(evidence, _("Restore the pseudonym key from a backup."))
    return conclude(evidence, _("Erase these customers, and import again.") if wrong else "")


def judge_small_groups(facts: RuleFacts) -> RuleFinding:
    """Judge R17: nobody but executives needs large groups, and no setting lowers them."""
    readers = facts.count(Account.active, Account.role == Role.EXECUTIVE)
    return conclude(
        ngettext(
            "{n} executive sees figures of at least {advisors} advisors and {contacts} contacts",
            "{n} executives see figures of at least {advisors} advisors and {contacts} contacts",
            readers,
            advisors=MINIMUM_ADVISORS,
            contacts=MINIMUM_CONTACTS,
        )
    )


def judge_signatures(facts: RuleFacts) -> RuleFinding:
    """Judge R18: published evaluations name their evaluator."""
    nobody = sa.or_(Evaluation.evaluator.is_(None), Evaluation.evaluator == "")
    total, wrong = facts.count(*PUBLISHED), facts.count(*PUBLISHED, nobody)
    evidence = ngettext(
        "{wrong} of {total} published evaluation without an evaluator",
        "{wrong} of {total} published evaluations without an evaluator",
        total,
        total=formatting.number(total),
        wrong=wrong,
    )
    return conclude(evidence, _("Undo the import that brought these evaluations.") if wrong else "")


def judge_security(facts: RuleFacts) -> RuleFinding:
    """Judge R19: stores closed to others, and a recent backup."""
    readable = len(permissions.find_open())
    evidence = ngettext(
        "{n} store readable by other users of this machine",
        "{n} stores readable by other users of this machine",
        readable,
    )
    newest = sa.select(sa.func.max(JournalRow.at)).where(JournalRow.action == BACKUP_ACT)
    backed_up = facts.read(newest).scalar()
    day = None
    if backed_up is not None:
        day = environment.to_local(datetime.fromisoformat(backed_up)).date()
        said = _("last backup on {day}", day=formatting.day(day, year=True))
    else:
        said = _("no backup on record")
    is_old = day is None or (environment.today() - day).days > BACKUP_DAYS
    return conclude(
        f"{evidence} · {said}",
        _("Ask the operator of Écoute to close the stores to other users.") if readable else "",
        _("Make a backup.") if is_old else "",
    )


def judge_emotions(facts: RuleFacts) -> RuleFinding:
    """Judge R20: evaluations of no other kind than those a person makes."""
    known = (*EVALUATOR_KINDS, CALIBRATION, SELF)
    total, wrong = facts.count(Evaluation.id > 0), facts.count(Evaluation.kind.not_in(known))
    evidence = ngettext(
        "{wrong} of {total} evaluation: not a kind that a person makes",
        "{wrong} of {total} evaluations: not a kind that a person makes",
        total,
        total=formatting.number(total),
        wrong=wrong,
    )
    return conclude(evidence, _("Delete these evaluations.") if wrong else "")
