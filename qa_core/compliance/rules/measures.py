"""Measures: what is counted for each rule, one function per rule."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access import passwords
from qa_core.access.roles import MINIMUM_ADVISORS, MINIMUM_CONTACTS, Role, Viewer
from qa_core.base import environment, masking
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import audit_report, proportionality, requests
from qa_core.compliance.conditions import consultation, gates, notices, recording_classes
from qa_core.compliance.conditions.accreditations import holds_on
from qa_core.compliance.conditions.evaluators import (
    BEFORE_ACCREDITATION,
    EvaluationAuthors,
    is_emotion,
)
from qa_core.compliance.documents import printing
from qa_core.compliance.recordings import deletion, vault
from qa_core.compliance.rules import witnesses
from qa_core.compliance.rules.findings import (
    DAYS,
    RuleCount,
    RuleFacts,
    RuleFinding,
    RuleState,
    conclude,
    describe_count,
)
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting, selling
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.law import centre_counts
from qa_core.metrics.law.centre_counts import count_customer_keys, count_personal_texts
from qa_core.storage import audit_log, permissions
from qa_core.storage.facts.personal_data import CUSTOMER, PERSONS, ColumnContent
from qa_core.storage.records import data_map
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import (
    CALIBRATION,
    EVALUATOR_KINDS,
    PUBLISHED,
    SELF,
    Evaluation,
    EvaluationAnswer,
)
from qa_core.storage.records.listening import (
    OPEN,
    QUALITY,
    Accreditation,
    DrawnContact,
    ListeningPlan,
    Playback,
    Recording,
    SealedOpening,
)
from qa_core.storage.records.people import Account, Membership

BACKUP_ACT = "backup_made"
BACKUP_DAYS = 7
STORES_CHECKED = "stores_checked"
"""Act of the daily check; its reason has the numbers of damaged files."""
NEWEST_TEXTS = 200
IS_OTHERS_PLAYBACK = Playback.purpose != "own"
REMOVALS = (*(f"{kind}_erased" for kind in PERSONS), "demo_remove")
"""Acts that remove playbacks before their time."""
PSEUDONYM = re.compile(centre_counts.PSEUDONYM)


def count_purposes(facts: RuleFacts) -> RuleCount:
    """Count recordings kept, plans in force, and playbacks of late, for a purpose that is not
    entered or that the recording is not kept for (R1).
    """
    entered = gates.find_purposes(facts.session)
    kept = Counter(facts.live_recordings.values())
    # Audio that was kept before a purpose was taken back may still be there.
    wrong = sum(kept[purposes] for purposes in kept if not {*purposes.split(",")} & {*entered})
    of_playback = sa.select(Playback.purpose, Recording.purpose).join_from(
        Playback, Recording, Playback.recording_id == Recording.id
    )
    played = facts.read(of_playback.where(Playback.played_at >= facts.since, IS_OTHERS_PLAYBACK))
    kept_for = [(gates.COUNTS_AS.get(purpose, purpose), kept) for purpose, kept in played]
    wrong += sum(
        purpose not in {*purposes.split(",")} & {*entered} for purpose, purposes in kept_for
    )
    in_force = ListeningPlan.closed_at.is_(None), ListeningPlan.ends_on >= environment.today()
    plans = facts.read(sa.select(ListeningPlan.purpose).where(*in_force)).scalars().all()
    if entered:
        wrong += sum(gates.COUNTS_AS.get(purpose, purpose) not in entered for purpose in plans)
    return RuleCount(wrong, kept.total() + len(kept_for) + len(plans), is_to_do=not entered)


def judge_proportion(facts: RuleFacts) -> RuleFinding:
    """Judge permanent recording, an advisor listened to far more, nobody listened to (R2)."""
    proportions = proportionality.find(Viewer.SYSTEM)
    above = proportionality.find_above(facts.session)
    shares = proportionality.find_above_share(facts.session, Viewer.SYSTEM)
    permanent, much = proportions.permanent_shares, proportions.much_heard
    evidence = _(
        "{rate} of {answered} answered contacts recorded in {days} days. Teams with nearly all "
        "recorded: {permanent} of {teams}. Advisors listened to far more: {much} of {advisors}",
        rate=formatting.percent(proportions.centre.rate or 0, 0),
        answered=formatting.number(proportions.centre.answered_contacts),
        days=DAYS,
        permanent=len(permanent),
        teams=sum(share.team is not None for share in proportions.recorded_shares),
        much=len(much),
        advisors=proportions.active_advisors,
    )
    if permanent:
        return conclude(evidence, _("Record only a share of the contacts."))
    if above:
        months = (f"{formatting.month(month)} ({count})" for month, count in above.items())
        message = _(
            "Advisors were listened to beyond the monthly maximum: {months}. Proportionality "
            "names them.",
            months=formatting.listing(months),
        )
        return conclude(evidence, message)
    unknown = sum(
        share.unknown_contacts
        for share in proportions.recorded_shares
        if not share.answered_contacts and share.unknown_contacts >= proportionality.MIN_ANSWERED
    )
    if unknown:
        return RuleFinding(
            RuleState.NOT_MEASURABLE,
            describe_count(_("Answered contacts whose recording is unknown"), unknown),
            _("Import the contacts with the column “recorded”, or the recordings themselves."),
            environment.today(),
        )
    to_do = ""
    if shares:
        months = (
            f"{formatting.month(month)} ({formatting.percent(share, 0)})"
            for month, share in shares.items()
        )
        to_do = _(
            "More was recorded than the centre's share: {months}. Record less, or enter why a "
            "sample does not suffice.",
            months=formatting.listing(months),
        )
    if much:
        to_do = _("Explain why an advisor is listened to far more, or listen to the others too.")
    if proportions.is_nobody_heard:
        to_do = _("Contacts are recorded but nobody listens. Listen to some, or stop recording.")
    return conclude(evidence, "", to_do)


def judge_callers(facts: RuleFacts) -> RuleCount | RuleFinding:
    """Count audio kept of callers who objected or were not informed, and lost objections (R3)."""
    total = len(facts.live_recordings)
    if lost := total - len(facts.contacts):
        return RuleFinding(
            RuleState.NOT_MEASURABLE,
            describe_count(_("Recordings kept whose contact is not found"), lost, total),
            _("Import these contacts again, or delete their audio."),
            environment.today(),
        )
    is_entered = gates.value_of(facts.session, "callers_informed_since")
    wrong = facts.count_forbidden("R3") + witnesses.count_lost(facts, "objection")
    return RuleCount(wrong, total, is_to_do=not is_entered)


def count_advisors(facts: RuleFacts) -> RuleCount:
    """Count audio from before the works council was consulted or its advisor informed (R4)."""
    advisors = notices.find_all(Viewer.SYSTEM)
    waiting = sum(notice.informed_on is None for notice in advisors)
    is_consulted = gates.value_of(facts.session, gates.CONSULTATION)
    changes = consultation.describe_changes(facts.session)
    every = N_("All {n} advisors have their notice")
    besides = describe_count(_("Advisors without a notice"), waiting, len(advisors), every)
    if changes:
        besides += " · " + _("Changed since the consultation: {what}", what=changes)
    return RuleCount(
        facts.count_forbidden("R4"),
        len(facts.live_recordings),
        is_to_do=waiting > 0 or not is_consulted or changes != "",
        besides=besides,
    )


def count_listeners(facts: RuleFacts) -> RuleCount:
    """Count playbacks and evaluations by people not accredited at that moment (R7)."""
    by_person: dict[str, list[Accreditation]] = {}
    for item in facts.session.scalars(sa.select(Accreditation)):
        by_person.setdefault(item.username, []).append(item)
    today = environment.today()
    acts = sa.select(Playback.username, Playback.played_at, Playback.purpose)
    playbacks = facts.read(acts.where(Playback.played_at >= facts.since, IS_OTHERS_PLAYBACK)).all()
    wrong = sum(
        not any(
            holds_on(item, environment.to_local(played_at).date(), played_at)
            and gates.COUNTS_AS.get(purpose, purpose) in item.purposes
            for item in by_person.get(username, ())
        )
        for username, played_at, purpose in playbacks
    )
    made = sa.select(Evaluation.evaluator, Evaluation.evaluated_at)
    known, published = EvaluationAuthors(facts.session), 0
    for name, moment in facts.read(made.where(*PUBLISHED, Evaluation.evaluated_at >= facts.since)):
        day, published = environment.to_local(moment).date(), published + 1
        wrong += known.judge(name or "", None, day, moment) == BEFORE_ACCREDITATION
    holding = {
        name for name, items in by_person.items() if any(holds_on(item, today) for item in items)
    }
    assigned = facts.count(
        DrawnContact.state.in_(OPEN),
        DrawnContact.evaluator.is_not(None),
        DrawnContact.evaluator.not_in(holding),
    )
    besides = describe_count(_("Assignments of people without an accreditation"), assigned)
    return RuleCount(
        wrong,
        len(playbacks) + published,
        is_to_do=assigned > 0 or not holding,
        besides=besides if assigned else "",
    )


def count_playbacks(facts: RuleFacts) -> RuleCount:
    """Count playbacks without a row in the audit log or a reason, that their advisor does not see,
    and rows of the log without a playback (R8).
    """
    played = facts.read(
        sa.select(Playback.username, Playback.source_system, Playback.contact_id).where(
            Playback.played_at >= facts.since
        )
    ).all()
    logged = facts.read(
        sa.select(JournalRow.actor, JournalRow.object).where(
            JournalRow.action == "recording_played", facts.is_lately_logged
        )
    ).all()
    acts = Counter((username, f"{system}/{contact}") for username, system, contact in played)
    entries = Counter(map(tuple, logged))
    wrong = (acts - entries).total()
    if not facts.count(JournalRow.action.in_(REMOVALS), facts.is_lately_logged):
        wrong += (entries - acts).total()
    # With a caller who is erased, the audio and the words of a reason go.
    has_no_reason = sa.and_(Playback.reason == "", Recording.file_name.is_not(None))
    is_hidden = sa.and_(Playback.advisor_id.is_(None), Recording.advisor_id.is_not(None))
    wrong += facts.count(
        Playback.played_at >= facts.since,
        Playback.recording_id == Recording.id,
        sa.or_(has_no_reason, is_hidden),
    )
    return RuleCount(wrong, len(played))


def count_exclusions(facts: RuleFacts) -> RuleCount:
    """Count audio kept of stopped, private or excluded contacts, and lost exclusions (R9)."""
    wrong = facts.count_forbidden("R9") + witnesses.count_lost(facts, "exclusion")
    return RuleCount(wrong, len(facts.live_recordings))


def count_screens(facts: RuleFacts) -> RuleCount:
    """Count what is kept of contacts and is not sound (R10)."""
    is_kept = Recording.file_name.is_not(None)
    is_other = sa.not_(Recording.media_type.like("audio/%"))
    return RuleCount(facts.count(is_kept, is_other), facts.count(is_kept))


def count_texts(facts: RuleFacts) -> RuleCount:
    """Count personal data in the newest texts of every free-text column of the map (R11)."""
    texts = [text for column in _find_text_columns() for text in _read_newest(facts, column)]
    suspect = sum(bool(masking.find_personal_data(text)) for text in texts)
    of_contacts, suspect_of_contacts = count_personal_texts(Viewer.SYSTEM, NEWEST_TEXTS)
    suspect += suspect_of_contacts
    return RuleCount(suspect, len(texts) + of_contacts, is_wrong=False, is_to_do=suspect > 0)


def _find_text_columns() -> Iterator[sa.Column[Any]]:
    for entry in data_map.find_records().values():
        yield from (column for column, _datum in entry.find(ColumnContent.TEXT))


def _read_newest(facts: RuleFacts, column: sa.Column[Any]) -> Iterator[str]:
    """Read the newest texts of a column, those inside JSON included."""
    newest = sa.select(column).where(column.is_not(None)).limit(NEWEST_TEXTS)
    newest = newest.order_by(*(key.desc() for key in column.table.primary_key.columns))
    for value in facts.read(newest).scalars().all():
        yield from filter(None, _list_texts(value))


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _list_texts(item)


def count_documents(facts: RuleFacts) -> RuleCount:
    """Count documents that would be printed differently today, and their blanks, which are
    not in order once the centre listens (R12).
    """
    states = printing.find_all(Viewer.SYSTEM)
    old = sum(state.printed is None or state.is_outdated for state in states)
    blanks = dict.fromkeys(blank for state in states for blank in state.missing)
    return RuleCount(
        old,
        len(states),
        is_wrong=bool(blanks) and not gates.find_missing(facts.session),
        is_to_do=old > 0 or bool(blanks),
        besides=_("Blanks: {what}", what=formatting.listing(blanks)) if blanks else "",
    )


def count_requests(facts: RuleFacts) -> RuleCount:
    """Count requests of persons that wait for their answer; find what was changed by hand (R13)."""
    entered = requests.find_all(Viewer.SYSTEM)
    waiting = [item for item in entered if item.is_open]
    wrong = sum(item.is_irregular for item in entered)
    wrong += witnesses.count_requests(facts, entered)
    wrong += witnesses.count_lost(facts, "restriction")
    besides = describe_count(_("Requests and restrictions changed by hand"), wrong)
    return RuleCount(
        len(waiting),
        len(entered),
        is_wrong=wrong > 0 or any(item.is_late for item in entered),
        besides=besides if wrong else "",
        is_to_do=bool(waiting),
        due_on=min((item.due_on for item in waiting), default=None),
    )


def judge_journal(facts: RuleFacts) -> RuleFinding:
    """Judge the seals of the audit log and of certificates, entries past the log, and rows past
    their period (R14).
    """
    kept = facts.judge_retention("R14")
    verification = audit_log.verify(facts.session)
    seals = audit_report.describe(verification).rstrip(".")
    if unlogged := witnesses.count_unlogged(facts):
        seals += " · " + describe_count(_("Entries that the audit log does not have"), unlogged)
    if forged := witnesses.count_forged(facts):
        seals += " · " + describe_count(_("Certificates of deletion that are not genuine"), forged)
    if unlogged or forged or not verification.ok:
        return conclude(seals, _("Find out who changed the records; see the page Audit log."))
    return RuleFinding(kept.state, f"{seals} · {kept.evidence}", kept.missing, kept.due_on)


def count_passwords(facts: RuleFacts) -> RuleCount:
    """Count passwords that are not kept as bcrypt hashes; find accounts of leavers (R15)."""
    cost = sa.func.substr(Account.password_hash, 5, 2)
    is_bcrypt = Account.password_hash.like("$2_$%") & (cost >= f"{passwords.ROUNDS:02}")
    is_other = sa.and_(Account.password_hash != "", sa.not_(is_bcrypt))
    teams = sa.select(Membership.advisor_id)
    is_left = Account.advisor_id.in_(teams) & Account.advisor_id.not_in(
        teams.where(Membership.ends_on.is_(None) | (Membership.ends_on > environment.today()))
    )
    left = facts.count(Account.active, is_left)
    besides = describe_count(_("Open accounts of advisors who left"), left)
    return RuleCount(
        facts.count(Account.active, is_other),
        facts.count(Account.active),
        is_to_do=left > 0,
        besides=besides if left else "",
    )


def judge_pseudonyms(facts: RuleFacts) -> RuleCount | RuleFinding:
    """Count keys of customers that are no pseudonyms, and ids with numbers; the secret makes
    them (R16).
    """
    total, wrong = count_customer_keys(Viewer.SYSTEM)
    if total and not environment.has_secret("pseudonyms"):
        evidence = describe_count(_("Customer keys without their secret"), total)
        return conclude(evidence, _("Restore the pseudonym key from a backup."))
    for entry in data_map.find_records().values():
        for column, _datum in entry.find_identifiers(CUSTOMER):
            kind = entry.table.c.get("subject_kind", sa.literal(CUSTOMER))
            keys = sa.select(column).where(column.is_not(None), column != "", kind == CUSTOMER)
            found = facts.read(keys.distinct()).scalars().all()
            total += len(found)
            wrong += sum(not PSEUDONYM.fullmatch(key) for key in found)
        for column, _datum in entry.find(ColumnContent.CONTACT):
            total += facts.count(column.is_not(None))
            wrong += facts.count(column.regexp_match(f"^{centre_counts.CLEAR_NUMBER}$"))
    return RuleCount(wrong, total)


def judge_small_groups(facts: RuleFacts) -> RuleFinding:
    """Judge that only executives need large groups; no setting lowers them (R17)."""
    return conclude(
        ngettext(
            "{n} executive sees figures of at least {advisors} advisors and {contacts} contacts",
            "{n} executives see figures of at least {advisors} advisors and {contacts} contacts",
            facts.count(Account.active, Account.role == Role.EXECUTIVE),
            advisors=MINIMUM_ADVISORS,
            contacts=MINIMUM_CONTACTS,
        )
    )


def count_signatures(facts: RuleFacts) -> RuleCount:
    """Count published evaluations that nobody signed who may evaluate that advisor (R18)."""
    known = EvaluationAuthors(facts.session)
    makers = sa.select(Evaluation.evaluator, Evaluation.advisor_id, sa.func.count()).where(
        *PUBLISHED
    )
    wrong = sum(
        count
        for name, advisor_id, count in facts.read(makers.group_by(*makers.selected_columns[:2]))
        if not name or known.judge(name, advisor_id, None, None) not in (None, BEFORE_ACCREDITATION)
    )
    return RuleCount(wrong, facts.count(*PUBLISHED))


def judge_security(facts: RuleFacts) -> RuleCount | RuleFinding:
    """Count stores open to others; look for audio that is missing, for damage that the daily
    check found, and for a recent backup (R19).
    """
    missing = sum(not vault.exists(item.file_name) for item in deletion.find_live(facts.session))
    checked = audit_report.find_entries(Viewer.SYSTEM, action=STORES_CHECKED, limit=1)
    damaged = sum(map(int, re.findall(r"\d+", checked[0].reason))) if checked else 0
    if missing or damaged:
        evidence = describe_count(
            _("Files missing, changed, exchanged or unknown"), max(missing, damaged)
        )
        return conclude(
            evidence,
            _("Ask the operator of Écoute to restore these files, or to remove what is unknown."),
        )
    newest = sa.select(sa.func.max(JournalRow.at)).where(JournalRow.action == BACKUP_ACT)
    backed_up = facts.read(newest).scalar()
    day = backed_up and environment.to_local(datetime.fromisoformat(backed_up)).date()
    return RuleCount(
        len(permissions.find_open()),
        is_to_do=day is None or (environment.today() - day).days > BACKUP_DAYS,
        besides=_("last backup on {day}", day=formatting.day(day, year=True))
        if day
        else _("no backup on record"),
    )


def count_emotions(facts: RuleFacts) -> RuleCount:
    """Count evaluations of other kinds than those a person makes, and imported ones whose
    criteria read emotions (R20).
    """
    known = (*EVALUATOR_KINDS, CALIBRATION, SELF)
    criteria = (
        sa.select(EvaluationAnswer.criterion)
        .join(EvaluationAnswer.evaluation)
        .where(Evaluation.batch_id.is_not(None))
        .distinct()
    )
    emotions = [name for name in facts.read(criteria).scalars() if is_emotion(name)]
    reads_emotions = sa.and_(
        Evaluation.batch_id.is_not(None),
        Evaluation.answers.any(EvaluationAnswer.criterion.in_(emotions)),
    )
    wrong = sa.or_(Evaluation.kind.not_in(known), reads_emotions)
    return RuleCount(facts.count(wrong), facts.count(Evaluation.id > 0))


def count_selling(facts: RuleFacts) -> RuleCount:
    """Count breaches of the law on telephone selling in the last days (R21)."""
    today = environment.today()
    period = Period(today - timedelta(days=DAYS - 1), today)
    keys = [kpi.key for kpi in selling.ALL]
    found = query.measure(Viewer.SYSTEM, keys, where=Filters(period)).fillna(0)
    return RuleCount(int(found["numerator"].sum()), int(found["n"].max()))


def judge_sealed(facts: RuleFacts) -> RuleCount | RuleFinding:
    """Judge the periods of sealed recordings; count those whose class is not entered, and find
    those that were played or opened by one person (R23).
    """
    kept = facts.judge_retention("R23")
    if kept.missing:
        return kept
    is_sealed = sa.not_(QUALITY), Recording.file_name.is_not(None)
    is_unknown = Recording.kept_as.not_in(recording_classes.find_all(facts.session))
    unknown = facts.count(*is_sealed, is_unknown)
    opened = facts.count(SealedOpening.confirmed_by == SealedOpening.asked_by)
    opened += facts.count(*is_sealed, Playback.recording_id == Recording.id)
    besides = describe_count(_("Sealed recordings played, or opened by one person"), opened)
    return RuleCount(
        unknown,
        facts.count(*is_sealed),
        is_wrong=opened > 0,
        is_to_do=unknown > 0,
        besides=besides if opened else "",
    )


def count_machines(facts: RuleFacts) -> RuleCount:
    """Count contacts of machines while no notice with its wording is entered (R22)."""
    contacts = query.count_machine_contacts()
    entered = all(gates.value_of(facts.session, gate.name) for gate in gates.OF_MACHINES)
    return RuleCount(0 if entered else contacts, contacts)


MEASURES: dict[str, Callable[[RuleFacts], RuleCount | RuleFinding]] = {
    "R1": count_purposes,
    "R2": judge_proportion,
    "R3": judge_callers,
    "R4": count_advisors,
    "R5": lambda facts: facts.judge_retention("R5"),
    "R6": lambda facts: facts.judge_retention("R6"),
    "R7": count_listeners,
    "R8": count_playbacks,
    "R9": count_exclusions,
    "R10": count_screens,
    "R11": count_texts,
    "R12": count_documents,
    "R13": count_requests,
    "R14": judge_journal,
    "R15": count_passwords,
    "R16": judge_pseudonyms,
    "R17": judge_small_groups,
    "R18": count_signatures,
    "R19": judge_security,
    "R20": count_emotions,
    "R21": count_selling,
    "R22": count_machines,
    "R23": judge_sealed,
}
"""Rule → what it is judged by."""
