"""`gate`, `accredit`, `inform`, `purge` and `documents`: what the law asks for."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path

from qa_core.access.roles import Viewer
from qa_core.base import environment, i18n
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.errors import Misuse
from qa_core.base.i18n import N_, _, uncapitalise
from qa_core.cli.output import Lines, Output, describe_done
from qa_core.cli.registry import ROOT, argument, flag, option

GATE = ROOT.add_group(
    "gate", "The legal gates: until each is entered, nobody draws, listens or evaluates."
)
EVALUATORS = ROOT.add_group("evaluators", "Persons without an account who evaluated here.")
DOCUMENTS = ROOT.add_group(
    "documents", "Register, impact assessment and notices, from the configuration."
)


@GATE.command("list")
def list_gates() -> Output:
    """List every gate with its value and what it expects."""
    from qa_core.compliance.conditions import accreditations, gates

    listeners = {item.username for item in accreditations.find_all(Viewer.SYSTEM) if item.holds}
    of_listeners = gates.GateState(gates.LISTENERS_GATE, ",".join(sorted(listeners)) or None)
    states = (*gates.find_all(Viewer.SYSTEM), of_listeners)
    rows = [
        {
            "name": state.gate.name,
            "act": state.gate.act,
            "title": _(state.gate.title),
            "rule": state.gate.rule,
            "value": state.value,
            "is_set": state.value is not None,
            "expects": state.gate.expects,
        }
        for state in sorted(states, key=lambda state: gates.ACTS.index(state.gate.act))
    ]
    yield rows
    missing = uncapitalise(_("Missing"))
    for act, of_act in groupby(rows, itemgetter("act")):
        yield f"[{act}]"
        for row in of_act:
            yield (
                f"{row['name']} = {row['value'] or missing}   ({row['rule']})\n    {row['title']}. "
                + _("Expects: {what}", what=row["expects"])
            )
    yield _describe_next()


@GATE.command("set")
def set_gates(pairs: list[str] = argument("NAME=VALUE…")) -> Lines:
    """Set one gate or several, all or none of them."""
    from qa_core.compliance.conditions import gates
    from qa_core.upkeep import after_import

    entered = parse_pairs(pairs)
    gates.set_gates(Viewer.SYSTEM, entered)
    after_import.do_due()
    states = {state.gate.name: state for state in gates.find_all(Viewer.SYSTEM)}
    for name in dict(entered):
        yield f"{name} = {states[name].value or gates.OFF}"
    yield _describe_next()


@ROOT.command("accredit")
def accredit(
    name: str = argument(
        "NAME",
        "The account of an evaluator, a team lead or a manager, or a confirmed evaluator.",
    ),
    until: str = option("The last day of listening.", "DATE", default=...),
    start: str | None = option(
        "The first day; default: today. A past day needs a reason.", "DATE", name="--from"
    ),
    reason: str = option("Why it begins in the past.", default=""),
    purpose: list[str] | None = option(
        "training, evaluation or quality; default: all purposes of the gate."
    ),
) -> Lines:
    """Accredit a person to listen, for a time and for named purposes."""
    from qa_core.compliance.conditions import accreditations
    from qa_core.upkeep import after_import

    starts_on = parse_day(start)
    accreditations.accredit(Viewer.SYSTEM, name, parse_day(until), purpose or (), starts_on, reason)
    after_import.do_due()
    yield describe_done(name)
    yield _describe_next()


@EVALUATORS.command("confirm")
def confirm_evaluator(
    name: str = argument("NAME", "As files name them."),
    reason: str = option("Who they are, and why they have no account.", default=...),
) -> Lines:
    """Confirm a person without an account whose evaluations may be imported."""
    from qa_core.compliance.conditions import evaluators

    yield describe_done(evaluators.confirm(Viewer.SYSTEM, name, reason))
    yield _("Next: {command}", command=f'accredit "{name}" --from DATE --until DATE --reason R')


@ROOT.command("inform")
def inform(
    on: str = option("The day on which they were informed.", "DATE", default=...),
    advisors: list[str] | None = argument("ADVISOR…", "Ids or names.", default=None),
    everybody: bool = flag("Every advisor without a notice.", name="--all"),
) -> Lines:
    """Record that advisors were informed of recording and listening; only their
    contacts are drawn. A new day corrects the one before.
    """
    from qa_core.compliance.conditions import notices

    if bool(advisors) == everybody:
        raise Misuse(
            "no_advisor",
            "Name the advisors who were informed, or give --all for everyone not yet recorded.",
        )
    named = _find_uninformed() if everybody else list(advisors or ())
    yield describe_done(notices.inform(Viewer.SYSTEM, named, parse_day(on)))
    yield _describe_next()


@ROOT.command("purge")
def purge(
    as_of: str | None = option(
        "Delete what must be deleted when that day begins; default: today.", "DATE"
    ),
    dry_run: bool = flag("Count what would be deleted, and delete nothing."),
) -> Output:
    """Delete everything past its retention period, in every store, and certify it."""
    from qa_core.compliance import key_rotation, retention
    from qa_core.upkeep import purge as of_stores

    result = of_stores.purge(Viewer.SYSTEM, parse_day(as_of), dry_run)
    if not dry_run:
        of_stores.note_rules()
        key_rotation.finish()
    yield result.as_json()
    for kind, count in result.deleted.items():
        yield f"{_(retention.TITLES[kind])}: {count}"
    if result.certificate:
        yield _("Deleted. Certificate no. {number}.", number=result.certificate.number)


@DOCUMENTS.command("list")
def list_documents() -> Output:
    """List the documents with their version, what is missing, and when each was printed."""
    from qa_core.compliance.documents import printing

    documents = printing.find_all(Viewer.SYSTEM)
    yield [item.as_json() for item in documents]
    for item in documents:
        yield f"{item.kind.name}  {item.digest}  {_(item.kind.title)}"
        yield "    " + printing.describe_state(item)
        if item.missing:
            yield "    " + _("Missing: {titles}", titles=", ".join(item.missing))


@DOCUMENTS.command("print")
def print_document(
    name: str = argument("NAME", "A name of `documents list`."),
    language: str | None = option("Default: QA_LANGUAGE.", "fr|en"),
    out: Path | None = option(
        "Its suffix, .pdf or .docx, gives the format. Default: NAME.pdf here.", "FILE"
    ),
) -> Lines:
    """Print a document into a file that only its owner can read; an older file is replaced."""
    from qa_core.compliance.documents import printing

    out = out or Path(f"{name}.pdf")
    form = out.suffix.lower().removeprefix(".")
    if form not in printing.RENDERERS:
        message = N_("The name {file} must end in one of: {forms}.")
        raise Misuse("unknown_format", message, file=out.name, forms=".pdf .docx")
    language = language or i18n.language()
    content = printing.print_document(Viewer.SYSTEM, name, language, form)
    environment.write_private(out, content, overwrite=True)
    yield describe_done(out)


def _find_uninformed() -> list[str]:
    from qa_core.compliance.conditions import notices

    advisors = notices.find_all(Viewer.SYSTEM)
    return [notice.advisor_id for notice in advisors if notice.informed_on is None]


def _describe_next() -> str:
    """Describe the first missing condition of listening, with the command that meets it."""
    from qa_core.compliance.conditions import gates
    from qa_core.storage.records import store

    with store.reading() as session:
        missing = gates.find_missing(session)
    waiting = _find_uninformed()
    state = gates.describe_listening(missing, len(waiting))
    if not missing and not waiting:
        return state
    command = "python -m qa_core inform ADVISOR --on DATE"
    if missing:
        command = gates.name_command(missing[0])
    return f"{state} {_('Next: {command}', command=command)}"
