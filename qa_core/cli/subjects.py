"""`subject` and `objections`: the rights of persons."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.cli.options import Json, Number, add_family, flag, option, print_json

Customer = Annotated[
    str | None, typer.Option("--customer", metavar="X", help="A number, or the pseudonym.")
]
Contacts = Annotated[
    list[str] | None, typer.Option("--contact", metavar="ID", help="ID, or SYSTEM/ID.")
]
AdvisorName = Annotated[
    str | None, typer.Option("--advisor", metavar="X", help="An id, a name or an alias.")
]


def register(app: typer.Typer) -> None:
    of_person = {"export": export, "erase": erase, "restrict": restrict, "lift": lift}
    of_person["restrictions"] = list_restrictions
    add_family(app, "subject", "What the stores hold of a person.", **of_person)
    add_family(app, "objections", "Objections of customers.", add=add_objection)
    lists = {"list": list_exclusions, "add": add_exclusion, "remove": remove_exclusion}
    add_family(app, "exclusions", "What is never recorded or heard.", **lists)
    commands = {"list": list_requests, "add": add_request, "answer": answer_request}
    add_family(app, "requests", "Requests of persons, with their clock.", **commands)


def export(
    customer: Customer = None,
    advisor: AdvisorName = None,
    out: Path = typer.Option(
        Path("subject.zip"), "--out", metavar="FILE", help="Where the zip is written."
    ),
    request: int | None = option(
        "--request",
        "NUMBER",
        "The request that it answers. With audio, once a second person has agreed on "
        "the page Are we in order?",
    ),
) -> None:
    """Write all data of a person into a zip that only its owner can read."""
    from qa_core.ingest import subjects

    if request is not None and not (customer or advisor):
        content = subjects.export_for(Viewer.SYSTEM, request)
    else:
        content = subjects.export(Viewer.SYSTEM, **_find(customer, advisor))
    if not environment.write_private(out, content):
        raise Misuse("file_exists", "{file} already exists. Choose another name.", file=str(out))
    print(_("Written to {file}. Give it to that person only.", file=out))


def erase(customer: Customer = None, advisor: AdvisorName = None, as_json: Json = False) -> None:
    """Erase a person from every store, at once and for good."""
    from qa_core.ingest import subjects

    counts = subjects.erase(Viewer.SYSTEM, **_find(customer, advisor))
    if as_json:
        return print_json({"erased": dict(counts)})
    shown = ", ".join(f"{kind}: {count}" for kind, count in counts.items())
    print(_("Erased ({counts}).", counts=shown))


def restrict(
    customer: Customer = None,
    advisor: AdvisorName = None,
    contact: str | None = option("--contact", "ID", "ID, or SYSTEM/ID."),
    as_json: Json = False,
) -> None:
    """Leave a person or a contact out of figures and lists, until it is lifted."""
    from qa_core.ingest import subjects

    [of_contact] = subjects.read_contacts([contact]) if contact else [None]
    subjects.restrict(Viewer.SYSTEM, **_find(customer, advisor), contact=of_contact)
    list_restrictions(as_json)


def lift(number: Number, as_json: Json = False) -> None:
    """Lift a restriction: everything counts and is listed again."""
    from qa_core.ingest import subjects

    subjects.lift(Viewer.SYSTEM, number)
    list_restrictions(as_json)


def list_restrictions(as_json: Json = False) -> None:
    """List the restrictions in force, and how many contacts they leave out."""
    from qa_core.compliance import restrictions
    from qa_core.metrics.query import restricted_contacts

    found = restrictions.find_all(Viewer.SYSTEM)
    count = restricted_contacts.count_restricted(Viewer.SYSTEM)
    if as_json:
        return print_json({"contacts": count, "restrictions": [item.as_json() for item in found]})
    for item in found:
        print(f"{item.id}  {item.customer_key or item.advisor_id or item.contact_id}")
    print(_("Contacts left out: {count}", count=count))


def add_objection(
    number: list[str] | None = option("--number", "N", "A customer's number."),
    customer: list[str] | None = option("--customer", "X", "A pseudonym."),
    contact: Contacts = None,
    as_json: Json = False,
) -> None:
    """Enter objections; they apply at once, and to later imports."""
    from qa_core.ingest import subjects

    keys = [subjects.find_customer(text) for text in (*(number or ()), *(customer or ()))]
    contacts = subjects.read_contacts(contact or ())
    if not keys and not contacts:
        raise Misuse("no_objection", "Give --number, --customer or --contact.")
    deleted = subjects.object_to(Viewer.SYSTEM, keys, contacts)
    if as_json:
        return print_json({"entered": len(keys) + len(contacts), "recordings_deleted": deleted})
    print(_("Entered. Recordings deleted: {count}.", count=deleted))


def list_exclusions(as_json: Json = False) -> None:
    """List the lines, advisors and contacts that are never recorded or heard."""
    from qa_core.compliance import exclusions

    found = exclusions.find_all(Viewer.SYSTEM)
    if as_json:
        return print_json([item.as_json() for item in found])
    for item in found:
        print(f"{item.id}  {item.what}  {_(exclusions.REASONS[item.reason])}")
    if not found:
        print(_("Nothing is excluded."))


def add_exclusion(
    line: str | None = option("--line", "N", "The dialled number."),
    advisor: AdvisorName = None,
    contact: Contacts = None,
    reason: str = typer.Option("private", help="representative, private or requested."),
    as_json: Json = False,
) -> None:
    """Exclude a line, an advisor or contacts; stored audio is deleted at once."""
    from qa_core.ingest import subjects

    deleted = subjects.exclude(
        Viewer.SYSTEM,
        reason,
        line,
        subjects.find_advisor(advisor) if advisor else None,
        subjects.read_contacts(contact or ()),
    )
    if not as_json:
        print(_("Entered. Recordings deleted: {count}.", count=deleted))
    list_exclusions(as_json)


def remove_exclusion(number: Number, as_json: Json = False) -> None:
    """Take an entry off the list; deleted audio stays deleted."""
    from qa_core.compliance import exclusions

    exclusions.remove(Viewer.SYSTEM, number)
    list_exclusions(as_json)


def list_requests(as_json: Json = False) -> None:
    """List every request with the day by which it must be answered, open ones first."""
    from qa_core.compliance import requests

    found = requests.find_all(Viewer.SYSTEM)
    if as_json:
        return print_json([asdict(item) for item in found])
    for item in found:
        state = item.answer or _("due on {day}", day=item.due_on.isoformat())
        kind = _(requests.TITLES[item.kind])
        print(f"{item.id}  {item.received_on}  {kind}  {item.subject_kind}  {state}")
    if not found:
        print(_("There are no requests."))


def add_request(
    kind: str = typer.Argument(
        metavar="KIND",
        help="access, rectification, objection, erasure, restriction or portability.",
    ),
    customer: Customer = None,
    advisor: AdvisorName = None,
    on: str | None = option("--on", "DATE", "The day of receipt; default: today."),
    as_json: Json = False,
) -> None:
    """Enter a request of a person; its answer is due a month later."""
    from qa_core.compliance import requests

    found = {name: value for name, value in _find(customer, advisor).items() if value}
    if len(found) != 1:
        raise Misuse("one_subject", "Name either a customer or an advisor.")
    [(subject_kind, subject)] = found.items()
    day = parse_day(on) or environment.today()
    requests.add(Viewer.SYSTEM, kind, subject_kind, subject, day)
    list_requests(as_json)


def answer_request(
    number: Number,
    text: str = typer.Option(..., "--answer", metavar="TEXT", help="The answer."),
    identity_checked: bool = flag("--identity-checked", "The identity of the person was checked."),
    is_granted: bool = flag("--exclude", "Exclude the contact that an advisor asked for."),
    as_json: Json = False,
) -> None:
    """Record the answer to a request."""
    from qa_core.compliance import requests
    from qa_core.ingest import subjects

    if is_granted:
        subjects.grant_exclusion(Viewer.SYSTEM, number)
    requests.answer(Viewer.SYSTEM, number, text, identity_checked)
    list_requests(as_json)


def _find(customer: str | None, advisor: str | None) -> dict[str, str | None]:
    from qa_core.ingest import subjects

    return {
        "customer": subjects.find_customer(customer) if customer else None,
        "advisor": subjects.find_advisor(advisor) if advisor else None,
    }
