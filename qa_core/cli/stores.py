"""`init`, `demo`, `doctor`, `secrets`, `backup` and `restore`: the stores themselves."""

from dataclasses import asdict
from pathlib import Path

import sqlalchemy as sa
import typer

from qa_core.access import accounts, people
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.cli.imports import show_progress
from qa_core.cli.options import DONE, REFUSED, Json, add_commands, add_family, print_json
from qa_core.storage import permissions, replay_list
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("demo")(demo)
    app.command("doctor")(doctor)
    add_commands(app, backup=backup)
    app.command("restore")(restore)
    family = add_family(app, "secrets", "Keys of this centre, and new ones.", rotate=rotate)
    family.command("list")(list_secrets)


def init(
    admin: str | None = typer.Option(None, metavar="NAME", help="Make the first administrator."),
) -> None:
    """Create the stores and secrets; what exists stays as it is."""
    here, is_new = environment.current(), not store.has_tables()
    here.folder.mkdir(parents=True, exist_ok=True)
    for name in environment.SECRETS:
        environment.secret(name)
    store.migrate()
    replay_list.ensure()
    permissions.protect()
    if is_new:
        from qa_core.analysis import alerts

        alerts.add_suggested(Viewer.SYSTEM)
    print(_("The stores are ready in {folder}.", folder=here.folder))
    if admin:
        password = accounts.add(Viewer.SYSTEM, admin, Role.ADMIN)
        text = _(
            "{name} is the administrator. One-time password, shown only now: {password}",
            name=admin,
            password=password,
        )
        print(text)


def demo(
    months: int = typer.Option(18, min=1, max=60, help="Months of data."),
    advisors: int = typer.Option(60, min=6, max=2000, help="Number of advisors."),
    contacts: int = typer.Option(
        250_000, min=100, max=20_000_000, help="Approximate number of contacts."
    ),
    seed: int = typer.Option(7, help="The same seed gives the same centre."),
    remove: bool = typer.Option(False, "--remove", help="Remove the demo centre."),
    if_empty: bool = typer.Option(False, "--if-empty", hidden=True),
) -> None:
    """Fill the stores with an invented centre, or remove it."""
    from qa_core.cli import demo as centre

    store.migrate()
    if remove:
        centre.remove(Viewer.SYSTEM)
        print(_("The demo centre is removed."))
        return
    if not if_empty or _is_empty() or centre.is_unfinished():
        with show_progress() as progress:
            plan = centre.DemoPlan.until_yesterday(months, advisors, contacts, seed)
            centre.build(Viewer.SYSTEM, plan, progress)
    sign_ins = centre.sign_ins()
    if sign_ins:
        print(_("This is a demo centre with invented people. Sign in from this machine as:"))
        for entry in sign_ins:
            print(f"    {entry['role']:10} {entry['username']:12} {entry['password']}")


def _is_empty() -> bool:
    with store.reading() as session:
        batches = session.scalar(sa.select(sa.func.count()).select_from(ImportBatch))
        return not batches and not people.find_people(session)


def doctor(
    deep: bool = typer.Option(False, "--deep", help="Read every file of the lake, too."),
    as_json: Json = False,
) -> int:
    """Check the health of the stores, and say what to do."""
    from qa_core.cli import doctor as checks

    found = checks.examine(deep)
    if as_json:
        print_json({"ok": checks.is_well(found), "checks": [asdict(check) for check in found]})
    else:
        for check in found:
            print(f"{check.state:5} {_(check.name)}: {check.detail}")
    return DONE if checks.is_well(found) else REFUSED


def backup(
    file: Path = typer.Argument(metavar="FILE", help="A new file, outside of QA_HOME."),
    as_json: Json = False,
) -> None:
    """Write the stores into one encrypted file, while the app runs. The secrets are not in
    it.
    """
    from qa_core.ingest import backup as of_stores

    made = of_stores.back_up(Viewer.SYSTEM, file)
    if as_json:
        return print_json(made.as_json())
    print(_("Written to {file} and read back: {files} files.", file=made.file, files=made.files))
    text = _(
        "The secrets in {folder} are not in this file. Copy them once to a safe place, away "
        "from the backups. Without {needed}, this file is worthless. Copy {list} with each "
        "backup: it lists who was erased since.",
        folder=environment.current().secrets_folder,
        needed=", ".join(of_stores.NEEDED),
        list=of_stores.replay_list.FILE,
    )
    print(text)


def list_secrets(as_json: Json = False) -> None:
    """List the keys in files; old keys only read what was written with them."""
    from qa_core.compliance import key_rotation

    found = key_rotation.find_key_files()
    if as_json:
        return print_json(
            [
                {
                    "name": key.name,
                    "file": key.file.name,
                    "key": key.key_id,
                    "writes": key.writes,
                    "since": key.since.isoformat(),
                }
                for key in found
            ]
        )
    for key in found:
        state = _("writes") if key.writes else _("only reads")
        day = environment.to_local(key.since).date().isoformat()
        print(f"{key.name:10}  {key.key_id}  {day}  {state}  {key.file.name}")


def rotate(name: str = typer.Argument(metavar="NAME", help=", ".join(environment.SECRETS))) -> None:
    """Make a new key, which writes from now on; the old one still reads. Nobody is signed out,
    and nothing has to be started again.
    """
    from qa_core.compliance import key_rotation

    old = key_rotation.rotate(Viewer.SYSTEM, name)
    text = _(
        "A new key of {name} is in use. The old key, {file}, now only reads. Copy {folder} to "
        "your safe place again. Keep the earlier copy as long as your present backups.",
        name=name,
        file=old.file.name,
        folder=old.file.parent,
    )
    print(text)
    if name == "recordings":
        text = _(
            "The app, watch and purge encrypt the recordings again, then destroy the old key. "
            "doctor shows how many are left."
        )
        print(text)


def restore(
    file: Path | None = typer.Argument(None, metavar="FILE", help="A file that `backup` wrote."),
    replay_from: str | None = typer.Option(
        None,
        metavar="DATE",
        help="For stores restored by other means: repeat the deletions since that day.",
    ),
    accept_gaps: bool = typer.Option(
        False, "--accept-gaps", help="Restore even if later erasures are not fully known."
    ),
    as_json: Json = False,
) -> None:
    """Restore a backup into a home without stores, and repeat the deletions since then."""
    from qa_core.compliance import retention
    from qa_core.ingest import restore as of_stores

    day = parse_day(replay_from)
    if (file is None) == (day is None):
        raise Misuse("no_backup_named", "Give either FILE or --replay-from DATE.")
    if file is not None:
        result = of_stores.restore(Viewer.SYSTEM, file, accept_gaps)
    else:
        store.require_ready()
        since = retention.start_of(day)
        result = of_stores.replay(Viewer.SYSTEM, since, "other means", accept_gaps)
    if as_json:
        return print_json(result.as_json())
    text = _(
        "The stores are as of {moment}. Erased again: {customers} customers, {advisors} "
        "advisors and {count} expired items. Objections entered again: {objections}.",
        moment=environment.to_local(result.made_at).isoformat(" ", "minutes"),
        customers=result.customers,
        advisors=result.advisors,
        count=sum(result.deleted.values()),
        objections=result.objections,
    )
    print(text)
    text = _(
        "Check what has changed since: closed accounts, accreditations, settings. Import the "
        "files of that period again."
    )
    print(text)
