"""`gate`, `accredit`, `inform`, `purge` and `documents`: what the law asks for."""

from pathlib import Path
from typing import Any

import typer

from qa_core.access.roles import Viewer
from qa_core.base import environment, i18n
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _, ngettext
from qa_core.cli.options import Json, add_commands, add_family, flag, option, print_json
from qa_core.compliance import gates, notices
from qa_core.storage.records import store


def register(app: typer.Typer) -> None:
    help_text = "The legal gates: until each is entered, nobody draws, listens or evaluates."
    add_family(app, "gate", help_text, list=list_gates, set=set_gates)
    add_commands(app, accredit=accredit, inform=inform, purge=purge)
    help_text = "Register, impact assessment and notices, from the configuration."
    add_family(app, "documents", help_text, list=list_documents, print=print_document)


def list_gates(as_json: Json = False) -> None:
    """List every gate with its value and what it expects."""
    rows = _find_rows()
    if as_json:
        return print_json(rows)
    missing = _("missing")
    for row in rows:
        print(
            f"{row['name']} = {row['value'] or missing}   ({row['rule']})\n    {row['title']}. "
            + _("Expects: {what}", what=row["expects"])
        )
    _describe_next()


def set_gates(pairs: list[str] = typer.Argument(metavar="NAME=VALUE…")) -> None:
    """Set one gate or several, all or none of them."""
    from qa_core.ingest import purge as of_stores

    entered = parse_pairs(pairs)
    gates.set_gates(Viewer.SYSTEM, entered)
    if any(name.endswith("_retention_months") for name, _value in entered):
        of_stores.purge(Viewer.SYSTEM)
    standing = {standing.gate.name: standing for standing in gates.find_all(Viewer.SYSTEM)}
    for name in dict(entered):
        print(f"{name} = {standing[name].value}")
    _describe_next()


def accredit(
    name: str = typer.Argument(
        metavar="NAME", help="The account of an evaluator, a team lead or a manager."
    ),
    until: str = typer.Option(..., metavar="DATE", help="The last day of listening."),
    purpose: list[str] | None = typer.Option(
        None, help="training, evaluation or quality; default: all purposes of the gate."
    ),
) -> None:
    """Accredit a person to listen, for a time and for named purposes."""
    from qa_core.compliance import accreditations

    number = accreditations.accredit(Viewer.SYSTEM, name, parse_day(until), purpose or ())
    made = next(item for item in accreditations.find_all(Viewer.SYSTEM) if item.id == number)
    text = _(
        "{name} may listen until {day}, for: {purposes}.",
        name=made.username,
        day=made.ends_on.isoformat(),
        purposes=", ".join(made.purposes),
    )
    print(text)
    _describe_next()


def inform(
    on: str = typer.Option(..., metavar="DATE", help="The day on which they were informed."),
    advisors: list[str] | None = typer.Argument(None, metavar="ADVISOR…", help="Ids or names."),
    everybody: bool = flag("--all", "Every advisor without a notice."),
) -> None:
    """Record that advisors were informed of recording and listening; only their
    contacts are drawn.
    """
    if bool(advisors) == everybody:
        raise Misuse(
            "no_advisor",
            "Name the advisors who were informed, or give --all for everyone not yet recorded.",
        )
    named = _find_uninformed() if everybody else list(advisors or ())
    count = notices.inform(Viewer.SYSTEM, named, parse_day(on))
    text = ngettext(
        "{n} advisor is recorded as informed on {day}.",
        "{n} advisors are recorded as informed on {day}.",
        count,
        day=on,
    )
    print(text)
    _describe_next()


def purge(
    as_of: str | None = option(
        "--as-of", "DATE", "Delete what must be deleted when that day begins; default: today."
    ),
    dry_run: bool = flag("--dry-run", "Count what would be deleted, and delete nothing."),
    as_json: Json = False,
) -> None:
    """Delete everything past its retention period, in every store, and certify it."""
    from qa_core.compliance import key_rotation, retention
    from qa_core.ingest import purge as of_stores

    result = of_stores.purge(Viewer.SYSTEM, parse_day(as_of), dry_run)
    if not dry_run:
        of_stores.note_rules()
        key_rotation.finish()
    if as_json:
        return print_json(result.as_json())
    for kind, count in result.deleted.items():
        print(f"{_(retention.BY_KIND[kind].title)}: {count}")
    if not result.deleted:
        print(_("There is nothing to delete."))
    elif dry_run:
        print(_("Nothing was deleted: this was a dry run."))
    else:
        print(_("Deleted. Certificate no. {number}.", number=result.certificate.number))


def list_documents(as_json: Json = False) -> None:
    """List the documents with their version, what is missing, and when each was printed."""
    from qa_core.compliance.documents import printing

    found = printing.find_all(Viewer.SYSTEM)
    if as_json:
        return print_json([item.as_json() for item in found])
    for item in found:
        print(f"{item.kind.name}  {item.digest}  {_(item.kind.title)}")
        print("    " + printing.describe_state(item))
        if item.missing:
            print("    " + _("Missing: {titles}", titles=", ".join(item.missing)))


def print_document(
    name: str = typer.Argument(metavar="NAME", help="A name of `documents list`."),
    language: str | None = option("--language", "fr|en", "Default: QA_LANGUAGE."),
    out: Path | None = option(
        "--out", "FILE", "Its suffix, .pdf or .docx, gives the format. Default: NAME.pdf here."
    ),
) -> None:
    """Print a document into a file that only its owner can read; an older file is replaced."""
    from qa_core.compliance.documents import printing

    out = out or Path(f"{name}.pdf")
    form = out.suffix.lower().removeprefix(".")
    if form not in printing.RENDERERS:
        raise Misuse("unknown_format", "The name {file} must end in .pdf or .docx.", file=out.name)
    language = language or i18n.language()
    content = printing.print_document(Viewer.SYSTEM, name, language, form)
    environment.write_private(out, content, overwrite=True)
    print(_("Written to {file}.", file=out))


def _find_rows() -> list[dict[str, Any]]:
    from qa_core.compliance import accreditations

    rows = [
        {
            "name": standing.gate.name,
            "title": _(standing.gate.title),
            "rule": standing.gate.rule,
            "value": standing.value,
            "is_set": standing.value is not None,
            "expects": _(standing.gate.expects, **standing.gate.expects_params),
        }
        for standing in gates.find_all(Viewer.SYSTEM)
    ]
    listeners = sorted(
        {item.username for item in accreditations.find_all(Viewer.SYSTEM) if item.holds}
    )
    rows.append(
        {
            "name": gates.LISTENERS,
            "title": _(gates.LISTENERS_TITLE),
            "rule": gates.LISTENERS_RULE,
            "value": ",".join(listeners) or None,
            "is_set": bool(listeners),
            "expects": _("at least one person: {command}", command=gates.ACCREDIT),
        }
    )
    return rows


def _find_uninformed() -> list[str]:
    found = notices.find_all(Viewer.SYSTEM)
    return [notice.advisor_id for notice in found if notice.informed_on is None]


def _describe_next() -> None:
    """Describe the first missing condition of listening, with the command that meets it."""
    with store.reading() as session:
        missing = gates.find_missing(session)
    waiting = _find_uninformed()
    if missing:
        text = _(
            "Listening is not open. Still missing: {names}. Next: {command}",
            names=", ".join(missing),
            command=gates.name_command(missing[0]),
        )
        print(text)
    elif waiting:
        message = ngettext(
            "Listening is open. {n} advisor is not yet informed and cannot be drawn. Next: "
            "{command}",
            "Listening is open. {n} advisors are not yet informed and cannot be drawn. Next: "
            "{command}",
            len(waiting),
            command="python -m qa_core inform ADVISOR --on DATE",
        )
        print(message)
    else:
        print(_("Listening is open, and every advisor is informed."))
