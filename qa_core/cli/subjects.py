"""`subject` and `objections`: the rights of persons."""

from dataclasses import asdict
from pathlib import Path

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.cli.output import Lines, Output
from qa_core.cli.registry import NUMBER, ROOT, argument, flag, option

CUSTOMER = option("A number, or the pseudonym.", "X", name="--customer")
CONTACT = option("ID, or SYSTEM/ID.", "ID", name="--contact")
REASON = option("Why.", "R", name="--reason", default=...)
ADVISOR = option("An id, a name or an alias.", "X", name="--advisor")
ACCOUNT = option("A user name.", "NAME", name="--account")

SUBJECT = ROOT.add_group("subject", "What the stores hold of a person.")
OBJECTIONS = ROOT.add_group("objections", "Objections of customers.")
EXCLUSIONS = ROOT.add_group("exclusions", "What is never recorded or heard.")
REQUESTS = ROOT.add_group("requests", "Requests of persons, with their clock.")


@SUBJECT.command("export")
def export(
    customer: str | None = CUSTOMER,
    advisor: str | None = ADVISOR,
    account: str | None = ACCOUNT,
    out: Path = option("Where the zip is written.", "FILE", default=Path("subject.zip")),
    request: int | None = option(
        "The request that it answers. With audio, once a second person has agreed on "
        "the page Compliance",
        "NUMBER",
    ),
) -> Lines:
    """Write all data of a person into a zip that only its owner can read."""
    from qa_core.upkeep import subjects

    if request is not None and not (customer or advisor or account):
        content = subjects.export_for(Viewer.SYSTEM, request)
    else:
        content = subjects.export(Viewer.SYSTEM, **_find(customer, advisor, account))
    if not environment.write_private(out, content):
        raise Misuse("file_exists", "{name} already exists. Choose another name.", name=str(out))
    yield _("Written to {file}. Give it to that person only.", file=out)


@SUBJECT.command("erase")
def erase(
    customer: str | None = CUSTOMER,
    advisor: str | None = ADVISOR,
    account: str | None = ACCOUNT,
) -> Output:
    """Erase a person from every store, at once and for good."""
    from qa_core.upkeep import subjects

    erased = subjects.erase(Viewer.SYSTEM, **_find(customer, advisor, account))
    kept = [
        {"class": item.kept_as, "until": item.until.isoformat(), "contacts": item.contacts}
        for item in erased.kept
    ]
    yield {"erased": dict(erased.counts), "kept": kept}
    yield from (f"{kind}: {count}" for kind, count in erased.counts.items())
    yield from map(subjects.describe_kept, erased.kept)
    if customer:
        yield _(
            "Texts in which only the person’s name stands are not found. Erase these words too."
        )
        yield _("Next: {command}", command="subject erase-words")


@SUBJECT.command("erase-words")
def erase_words(
    words: str = argument("WORDS", "Such as a caller's name, as somebody may have written it."),
    dry_run: bool = flag("Count the texts that have them; change none."),
) -> Output:
    """Erase words from every text: an erasure finds no text in which only a name stands."""
    from qa_core.upkeep import subjects

    counts = subjects.erase_words(Viewer.SYSTEM, words, is_final=not dry_run)
    yield {"texts": dict(counts)}
    yield from (f"{kind}: {count}" for kind, count in counts.items())


@SUBJECT.command("restrict")
def restrict(
    customer: str | None = CUSTOMER,
    advisor: str | None = ADVISOR,
    contact: str | None = CONTACT,
    reason: str = option("Why.", "R", default=""),
) -> Output:
    """Leave a person or a contact out of figures and lists, until it is lifted."""
    from qa_core.upkeep import subjects

    [of_contact] = subjects.read_contacts([contact]) if contact else [None]
    named = _find(customer, advisor)
    outcome = subjects.restrict(Viewer.SYSTEM, **named, contact=of_contact, reason=reason)
    yield from list_restrictions()
    yield outcome.describe()


@SUBJECT.command("lift")
def lift(number: int = NUMBER, reason: str = REASON) -> Output:
    """Lift a restriction: everything counts and is listed again. Tell the person before."""
    from qa_core.upkeep import subjects

    subjects.lift(Viewer.SYSTEM, number, reason)
    yield from list_restrictions()


@SUBJECT.command("restrictions")
def list_restrictions() -> Output:
    """List the restrictions in force, and how many contacts they leave out."""
    from qa_core.compliance import restrictions
    from qa_core.metrics.law import centre_counts

    entries = restrictions.find_all(Viewer.SYSTEM)
    count = centre_counts.count_restricted(Viewer.SYSTEM)
    yield {"contacts": count, "restrictions": [item.as_json() for item in entries]}
    yield from (f"{item.id}  {item.title}" for item in entries)
    yield _("Contacts left out: {count}", count=count)


@SUBJECT.command("rectify")
def rectify(
    pairs: list[str] = argument("FIELD=VALUE…", "Fields of the contact with their right values."),
    contact: str = option("ID, or SYSTEM/ID.", "ID", default=...),
    reason: str = REASON,
    request: int | None = option("The request that it answers.", "NUMBER"),
) -> Output:
    """Correct fields of a contact; later imports do not change them back."""
    from qa_core.upkeep import subjects

    [key] = subjects.read_contacts([contact])
    outcome = subjects.rectify(Viewer.SYSTEM, key, dict(parse_pairs(pairs)), reason, request)
    yield asdict(outcome)
    yield outcome.describe()


@SUBJECT.command("delete-audio")
def delete_audio(
    contact: list[str] | None = CONTACT,
    reason: str = REASON,
    with_forbidden: bool = flag("All that a rule forbids to keep.", name="--forbidden"),
) -> Output:
    """Delete the audio of contacts before its time, and certify it."""
    from qa_core.upkeep import subjects

    contacts = subjects.read_contacts(contact or ())
    made = subjects.delete_audio(Viewer.SYSTEM, contacts, reason, with_forbidden)
    yield made.as_json()
    yield _("Deleted. Certificate no. {number}.", number=made.number)


@OBJECTIONS.command("add")
def add_objection(
    number: list[str] | None = option("A customer's number.", "N"),
    customer: list[str] | None = option("A pseudonym.", "X"),
    contact: list[str] | None = CONTACT,
    advisor: str | None = ADVISOR,
) -> Output:
    """Enter objections; they apply at once, and to later imports, until they are lifted."""
    from qa_core.upkeep import subjects

    keys = [subjects.find_customer(text) for text in (*(number or ()), *(customer or ()))]
    contacts = subjects.read_contacts(contact or ())
    people = [subjects.find_advisor(advisor)] if advisor else []
    if not keys and not contacts and not people:
        raise Misuse("no_objection", "Give --number, --customer, --contact or --advisor.")
    outcome = subjects.object_to(Viewer.SYSTEM, keys, contacts, people)
    yield {
        "entered": len(keys) + len(contacts) + len(people),
        "contacts": outcome.contacts,
        "recordings_deleted": outcome.recordings,
    }
    yield outcome.describe()


@OBJECTIONS.command("lift")
def lift_objection(
    number: int = NUMBER, reason: str = option("Why it is lifted.", "R", default=...)
) -> Output:
    """Lift an objection; deleted audio stays deleted."""
    from qa_core.upkeep import subjects

    outcome = subjects.lift_objection(Viewer.SYSTEM, number, reason)
    listed = list_objections()
    yield next(listed)
    yield _("Lifted. Contacts met: {contacts}.", contacts=outcome.contacts)
    yield from listed


@OBJECTIONS.command("list")
def list_objections() -> Output:
    """List the objections in force."""
    from qa_core.compliance import restrictions
    from qa_core.storage.records.retention import Objection

    entries = restrictions.find_all(Viewer.SYSTEM, Objection)
    yield [item.as_json() for item in entries]
    yield from (f"{item.id}  {item.title}" for item in entries)


@EXCLUSIONS.command("list")
def list_exclusions() -> Output:
    """List the lines, advisors and contacts that are never recorded or heard."""
    from qa_core.compliance.conditions import exclusions

    entries = exclusions.find_all(Viewer.SYSTEM)
    yield [item.as_json() for item in entries]
    for item in entries:
        yield f"{item.id}  {item.what}  {_(exclusions.REASONS[item.reason])}"


@EXCLUSIONS.command("add")
def add_exclusion(
    line: str | None = option("The dialled number.", "N"),
    advisor: str | None = ADVISOR,
    contact: list[str] | None = CONTACT,
    reason: str = option("representative, private or requested.", default="private"),
) -> Output:
    """Exclude a line, an advisor or contacts; stored audio is deleted at once."""
    from qa_core.upkeep import subjects

    outcome = subjects.exclude(
        Viewer.SYSTEM,
        reason,
        line,
        subjects.find_advisor(advisor) if advisor else None,
        subjects.read_contacts(contact or ()),
    )
    listed = list_exclusions()
    yield next(listed)
    yield outcome.describe()
    yield from listed


@EXCLUSIONS.command("remove")
def remove_exclusion(number: int = NUMBER) -> Output:
    """Take an entry off the list; deleted audio stays deleted."""
    from qa_core.compliance.conditions import exclusions

    exclusions.remove(Viewer.SYSTEM, number)
    yield from list_exclusions()


@REQUESTS.command("list")
def list_requests() -> Output:
    """List every request with the day by which it must be answered, open ones first."""
    from qa_core.compliance import requests

    entries = requests.find_all(Viewer.SYSTEM)
    yield [asdict(item) for item in entries]
    for item in entries:
        state = item.answer or _("due {day}", day=item.due_on.isoformat())
        state = f"{_('refused')}: {state}" if item.is_refused else state
        kind = _(requests.TITLES[item.kind])
        yield f"{item.id}  {item.received_on}  {kind}  {item.subject_kind}  {state}"


@REQUESTS.command("add")
def add_request(
    kind: str = argument(
        "KIND",
        "access, rectification, objection, erasure, restriction, portability or contest.",
    ),
    customer: str | None = CUSTOMER,
    advisor: str | None = ADVISOR,
    account: str | None = ACCOUNT,
    on: str | None = option("The day of receipt; default: today.", "DATE"),
    details: str = option("What is asked.", "TEXT", default=""),
) -> Output:
    """Enter a request of a person; its answer is due a month later."""
    from qa_core.compliance import requests

    named = _find(customer, advisor, account)
    if len(named) != 1:
        raise Misuse("one_subject", "Name exactly one person, line or contact.")
    [(subject_kind, subject)] = named.items()
    day = parse_day(on) or environment.today()
    requests.add(Viewer.SYSTEM, kind, subject_kind, subject, day, details)
    yield from list_requests()


@REQUESTS.command("perform")
def perform_request(
    number: int = NUMBER,
    how: str = option("How the identity of the person was checked.", "TEXT", default=""),
) -> Output:
    """Do what a request asks for: erase, restrict, enter the objection or the exclusion."""
    from qa_core.compliance import requests
    from qa_core.upkeep import request_acts

    if how:
        requests.check_identity(Viewer.SYSTEM, number, how)
    outcome = request_acts.perform(Viewer.SYSTEM, number)
    listed = list_requests()
    yield next(listed)
    yield outcome


@REQUESTS.command("extend")
def extend_request(number: int = NUMBER, reason: str = REASON) -> Output:
    """Give the answer two months more, once; tell the person why."""
    from qa_core.compliance import requests

    requests.extend(Viewer.SYSTEM, number, reason)
    yield from list_requests()


@REQUESTS.command("answer")
def answer_request(
    number: int = NUMBER,
    text: str = option("The answer.", "TEXT", name="--answer", default=...),
    identity_checked: bool = flag("The identity of the person was checked."),
    how: str = option("How it was checked.", "TEXT", default=""),
    is_refused: bool = flag("Refuse the request; the answer is the reason.", name="--refuse"),
) -> Output:
    """Record the answer to a request. It cannot say that something is done that is not."""
    from qa_core.upkeep import request_acts

    how = how or ("checked" if identity_checked else "")
    request_acts.answer(Viewer.SYSTEM, number, text, how, is_refused)
    yield from list_requests()


def _find(customer: str | None, advisor: str | None, account: str | None = None) -> dict[str, str]:
    from qa_core.upkeep import subjects

    given = {"customer": customer, "advisor": advisor, "account": account}
    return {kind: subjects.FIND[kind](who) for kind, who in given.items() if who}
