"""Rights of persons (docs/compliance.md, section 5): the stored data of a customer or
an advisor, their erasure, and objections, which apply to later imports too.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import masking
from qa_core.base.errors import AccessDenied, Misuse, Refusal, build_unknown, require_known
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre import advisors
from qa_core.centre.advisors import normalise_name
from qa_core.compliance import recordings, requests, restrictions
from qa_core.compliance.conditions import exclusions, notices
from qa_core.compliance.recordings import deletion
from qa_core.compliance.rules.findings import RuleFacts
from qa_core.ingest.load import recovery
from qa_core.ingest.rules import rectified
from qa_core.ingest.staging.pseudonyms import (
    KEY_LENGTH,
    Pseudonyms,
    find_number,
    normalise_numbers,
)
from qa_core.metrics import downloads
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law.centre_counts import count_matching
from qa_core.quality.evaluations import withdrawal
from qa_core.storage import audit_log, lake, replay_list
from qa_core.storage.facts.personal_data import CUSTOMER, PERSONS
from qa_core.storage.records import store
from qa_core.storage.records.listening import ConfirmedEvaluator
from qa_core.storage.records.people import Account
from qa_core.storage.records.retention import Objection
from qa_core.upkeep import erasure, person_copy, purge

LINE = re.compile(r"\+?[0-9]{2,15}")
"""Number of a line or an extension, normalised."""
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.\w+")


def find_customer(text: str) -> str:
    """Find a customer's pseudonym from a number, an address, a known id or itself. Raises
    Refusal for anything else: its copy would be empty, and its erasure would erase nothing.
    """
    if re.fullmatch(rf"[0-9a-f]{{{KEY_LENGTH}}}", text):
        return text
    pseudonyms = Pseudonyms.current()
    key = pseudonyms.find_key(text)
    is_clear = find_number(text, pseudonyms.country) or EMAIL.fullmatch(text.strip())
    if key is None or not (is_clear or _is_known(key)):
        message = N_("{text} is no number or address, and no customer is known by it.")
        raise Refusal("no_customer", message, text=text)
    return key


def _is_known(customer_key: str) -> bool:
    with lake.working() as connection:
        known = "SELECT 1 FROM contacts WHERE ? IN (customer_key, given_customer_key) LIMIT 1"
        return connection.execute(known, [customer_key]).fetchone() is not None


def find_account(text: str) -> str:
    """Find a username, or the name of a person whose evaluations are imported. Raises
    Refusal for an unknown one.
    """
    names = sa.union(sa.select(Account.username), sa.select(ConfirmedEvaluator.name))
    with store.reading() as session:
        known = session.scalars(erasure.exempt(names)).all()
    for name in (text, normalise_name(text)):
        if name in known:
            return name
    raise build_unknown("unknown_account", N_("Account"), text)


def find_advisor(text: str) -> str:
    """Find an advisor's id. Raises Refusal for an unknown one and for a shared name."""
    with store.reading() as session:
        return notices.get_advisor(advisors.Directory.load(session), text)


def export(
    viewer: Viewer,
    customer: str | None = None,
    advisor: str | None = None,
    account: str | None = None,
) -> bytes:
    """Build the zip that a person is entitled to: JSON, CSV and a page, without audio,
    shown to nobody here. Needs MANAGE_COMPLIANCE.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    return _export(viewer, *_get_subject(customer, advisor, account))


def _get_subject(*identifiers: str | None) -> tuple[str, str]:
    """Return the kind and the identifier of the one person that is named."""
    named = [item for item in zip(PERSONS, identifiers, strict=True) if item[1]]
    if len(named) != 1:
        raise Misuse("one_subject", "Name exactly one person, line or contact.")
    return named[0]


def export_for(viewer: Viewer, number: int) -> bytes:
    """Build the zip for a request, with the audio that is still kept once a second person
    has agreed. Needs MANAGE_COMPLIANCE. Raises AccessDenied for a request there is not.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    asked = requests.get(viewer, number)
    if not asked.subject:
        raise AccessDenied()
    agreed = asked.audio_confirmed_by not in (None, viewer.username)
    return _export(viewer, asked.subject_kind, asked.subject, agreed, f"request {number}")


def build_file(viewer: Viewer, number: int, form: str) -> downloads.Download:
    """Build the copy for a request as a download; `form` is always `zip`."""
    content = export_for(viewer, number)
    return downloads.Download(f"request-{number}.{form}", "application/zip", content)


downloads.declare("copy_of_person", Permission.MANAGE_COMPLIANCE, build_file)


def _export(
    viewer: Viewer, kind: str, subject: str, with_audio: bool = False, what: str = ""
) -> bytes:
    tables = person_copy.collect(kind, subject)
    audio = person_copy.find_audio(tables) if with_audio else []
    with store.writing() as session:
        reason = f"{kind}, {len(audio)} recordings" if with_audio else kind
        audit_log.record(session, viewer.username, "subject_exported", what, reason)
    is_shared = kind == CUSTOMER and erasure.is_shared(subject)
    return person_copy.write_zip(tables, audio, is_shared)


def erase(
    viewer: Viewer,
    customer: str | None = None,
    advisor: str | None = None,
    account: str | None = None,
) -> erasure.Erasure:
    """Erase a person from every store at once; can be repeated. Needs MANAGE_COMPLIANCE. The
    map of personal data says what stays and why, such as the acts in the audit log, in which
    advisors have a pseudonym that nothing resolves any more.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    subject = _get_subject(customer, advisor, account)
    return erasure.erase(Viewer.SYSTEM, *subject, viewer.username)


def erase_words(viewer: Viewer, words: str, is_final: bool = False) -> Mapping[str, int]:
    """Replace words in every text, likewise: what names a person by no number and no id. Returns
    texts by table; without `is_final`, they are only counted.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    return erasure.erase_words(Viewer.SYSTEM, words.strip(), viewer.username, not is_final)


def erase_and_count(viewer: Viewer, **who: str) -> "ActOutcome":
    """Erase a person likewise, and return the contacts and recordings that went or stay."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    erased = erase(viewer, **who)
    return ActOutcome(erased.counts["contacts"], erased.counts["recording"], kept=erased.kept)


@dataclass(frozen=True)
class ActOutcome:
    """Outcome of an act: stored contacts that it met, and their recordings that were deleted;
    `unknown`: contacts imported before whose lines are not kept, and cannot be met · `kept`:
    sealed recordings that stay.
    """

    contacts: int
    recordings: int
    unknown: int = 0
    kept: Sequence[deletion.KeptRecordings] = ()

    def describe(self) -> str:
        """Describe it for the person who acted."""
        contacts = ngettext(
            "{count} contact",
            "{count} contacts",
            self.contacts,
            count=formatting.number(self.contacts),
        )
        recordings_deleted = ngettext(
            "{count} recording deleted",
            "{count} recordings deleted",
            self.recordings,
            count=formatting.number(self.recordings),
        )
        met = _("Done: {what}.", what=f"{contacts}, {recordings_deleted}")
        if not self.contacts and not self.recordings:
            met = f"{met} {_('It met nothing: check the number or id.')}"
        met = " ".join((met, *map(describe_kept, self.kept)))
        if not self.unknown:
            return met
        unknown = ngettext(
            "{n} contact imported before has no line number: no line can meet it.",
            "{n} contacts imported before have no line number: no line can meet them.",
            self.unknown,
        )
        return f"{met} {unknown}"


def describe_kept(item: deletion.KeptRecordings) -> str:
    """Describe what an erasure left under an obligation, and where the officer finds it."""
    return ngettext(
        "{n} recording is kept, sealed, under the class {name} until {day}: {contacts}.",
        "{n} recordings are kept, sealed, under the class {name} until {day}: {contacts}.",
        len(item.contacts),
        name=item.kept_as,
        day=formatting.day(item.until, year=True),
        contacts=formatting.listing(list(item.contacts)),
    )


def object_to(
    viewer: Viewer,
    customers: Sequence[str] = (),
    contacts: Sequence[tuple[str | None, str]] = (),
    advisors: Sequence[str] = (),
) -> ActOutcome:
    """Enter objections of customers (pseudonyms) and advisors, and to contacts (system or
    None, id), for what is stored and comes later, until they are lifted.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    against: list[dict[str, str | None]] = [{"customer_key": key} for key in customers]
    against += [{"source_system": system, "contact_id": number} for system, number in contacts]
    against += [{"advisor_id": advisor_id} for advisor_id in advisors]
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        replay_list.add("objection", *(restrictions.write_key(**what) for what in against))
        with store.writing() as session:
            for what in against:
                restrictions.add(session, viewer, Objection, **what)
        met = count_matching(viewer, contacts, customer_key=customers, advisor_id=advisors)
        return ActOutcome(met, recovery.apply_objections(viewer.username))


def lift_objection(viewer: Viewer, number: int, reason: str) -> ActOutcome:
    """Lift an objection, with a reason; what was deleted stays so. Only a person does: neither
    an undone import nor a later file. Returns the contacts that it had met.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        with store.writing() as session:
            what = restrictions.lift(session, viewer, number, reason, Objection)
            replay_list.drop("objection", restrictions.write_key(**what))
        customers = [what["customer_key"]] if what["customer_key"] else []
        people = [what["advisor_id"]] if what["advisor_id"] else []
        contacts = [(what["source_system"], what["contact_id"])] if what["contact_id"] else []
        met = count_matching(viewer, contacts, customer_key=customers, advisor_id=people)
        lake.mark("customer_objected", customers, contacts, value=False)
        recovery.apply_objections(viewer.username)  # others may meet the same contacts
        return ActOutcome(met, 0)


def exclude(
    viewer: Viewer,
    reason: str,
    line: str | None = None,
    advisor: str | None = None,
    contacts: Sequence[tuple[str | None, str]] = (),
    must_exist: bool = True,
) -> ActOutcome:
    """Exclude a line (the number dialled), an advisor or contacts (system or None, id)
    from recording and listening. Raises Refusal for what is no number, and for contacts
    that are not stored. A replay (`must_exist` false) enters what was entered before.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    entries: list[dict[str, str | None]] = [
        {"source_system": system, "contact_id": number} for system, number in contacts
    ]
    lines: list[str] = []
    if line:
        lines = normalise_numbers(pa.array([line.strip()])).to_pylist()
        if must_exist and not LINE.fullmatch(lines[0] or ""):
            raise Refusal("no_line", N_("{text} is no number of a line."), text=line)
        entries.append({"number": lines[0]})
    if advisor:
        entries.append({"advisor_id": advisor})
    if not entries:
        raise Misuse("one_exclusion", "Name exactly one person, line or contact.")
    unknown = [
        contact for contact in contacts if must_exist and not count_matching(viewer, [contact])
    ]
    if unknown:
        message = N_("No contact with this id is stored: {ids}. Check it.")
        raise Refusal("no_contact", message, ids=", ".join(number for _system, number in unknown))
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        replay_list.add("exclusion", *map(json.dumps, entries), value=reason)
        with store.writing() as session:
            for entry in entries:
                exclusions.add(session, viewer, reason, **entry)
        people = [advisor] if advisor else []
        # Of a caller's number that is one of the lines, its pseudonym is kept.
        keys = [key for key in map(Pseudonyms.current().find_key, lines) if key]
        kept = {"tracking_number": lines, "customer_key": keys}
        met = count_matching(viewer, contacts, **kept, advisor_id=people)
        lake.mark("private_line", keys)
        unknown = count_matching(viewer, without="tracking_number") if lines else 0
        return ActOutcome(met, withdrawal.withdraw_forbidden(viewer.username), unknown)


def restrict(
    viewer: Viewer,
    customer: str | None = None,
    advisor: str | None = None,
    contact: tuple[str | None, str] | None = None,
    reason: str = "",
) -> ActOutcome:
    """Leave a customer (pseudonym), an advisor or a contact out of figures, lists, draws and
    exports until it is lifted. Their data stay, and are still deleted by age.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    system, contact_id = contact or (None, None)
    what = {"customer_key": customer, "advisor_id": advisor}
    what |= {"source_system": system, "contact_id": contact_id}
    with store.one_import_at_a_time():
        with store.writing() as session:
            restrictions.add(session, viewer, reason=reason, **what)
            replay_list.add("restriction", restrictions.write_key(**what))
        lake.touch()
    people = {name: [what[name]] for name in ("customer_key", "advisor_id") if what[name]}
    return ActOutcome(count_matching(viewer, [contact] if contact else [], **people), 0)


def lift(viewer: Viewer, number: int, reason: str) -> None:
    """Lift a restriction: everything counts and is listed again. The person hears it before
    (GDPR art. 18(3)); the audit log has the reason.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.one_import_at_a_time():
        with store.writing() as session:
            what = restrictions.lift(session, viewer, number, reason)
            replay_list.drop("restriction", restrictions.write_key(**what))
        lake.touch()


def rectify(
    viewer: Viewer,
    contact: tuple[str | None, str],
    fields: Mapping[str, str],
    reason: str,
    request: int | None = None,
) -> ActOutcome:
    """Correct fields of a stored contact (GDPR art. 16); later files do not change them back.
    `fields`: name as in `rectified.FIELDS` → value, a number or name for people, or an empty
    text. `request`: the number of the request that it answers. Raises Misuse for what is no
    such field or value, and for an unknown contact.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = masking.clean_text(reason, requests.MAX_TEXT, "no_reason")
    values = {}
    for name, text in fields.items():
        require_known(name, rectified.FIELDS, "unknown_field")
        find = FIND.get(name)
        values[rectified.FIELDS[name]] = find(text) if find and text.strip() else text
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        key = rectified.find_contact(*contact)
        with store.writing() as session:
            rectified.enter(session, viewer, key, values, reason, request)
            replay_list.add("rectification", *(json.dumps([*key, column]) for column in values))
        rectified.keep()
        return ActOutcome(1, withdrawal.withdraw_forbidden(viewer.username))


def delete_audio(
    viewer: Viewer,
    contacts: Sequence[tuple[str | None, str]],
    reason: str,
    with_forbidden: bool = False,
) -> purge.Certificate:
    """Delete the audio of contacts (system or None, id), and all that a rule forbids to keep
    with `with_forbidden`, at once and also in restored backups; sealed recordings stay until
    their period ends. Raises Refusal where there is none.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = masking.clean_text(reason, requests.MAX_TEXT, "no_reason")
    with store.one_import_at_a_time():
        with store.reading() as session:
            days = RuleFacts(session, list).forbidden if with_forbidden else {}
            for item in deletion.find_live(session, [number for _system, number in contacts]):
                key = (item.source_system, item.contact_id)
                if item.kept_as is None and {key, (None, item.contact_id)} & set(contacts):
                    days[key] = item.local_day
        if not days:
            raise Refusal("no_audio", N_("No audio is kept of this. Check the id."))
        replay_list.add("audio", *map(json.dumps, days), value=deletion.BY_HAND)
        with store.writing() as session:
            recordings.delete_of(session, days, deletion.BY_HAND, viewer.username)
            number = purge.begin_certificate(session, viewer, "recordings", [*days.values()])
        return purge.close_certificate(number, reason)


FIND = {"customer": find_customer, "advisor": find_advisor, "account": find_account}
"""Kind of person → function that finds the identifier from what somebody writes."""


def read_contacts(texts: Iterable[str]) -> list[tuple[str | None, str]]:
    """Parse contacts written `ID` or `SYSTEM/ID`; a number inside of an id is keyed, as an
    import does.
    """
    split = [text.split("/", 1) if "/" in text else (None, text) for text in texts]
    ids = pa.array([number for _system, number in split], pa.string())
    keyed = Pseudonyms.current().key_ids(ids).to_pylist()
    return [(system, number) for (system, _id), number in zip(split, keyed, strict=True)]
