"""`init`, `demo`, `doctor`, `secrets`, `backup` and `restore`: the stores themselves."""

from dataclasses import asdict
from pathlib import Path

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Misuse
from qa_core.base.i18n import N_, _
from qa_core.cli.output import (
    DONE,
    REFUSED,
    CommandResult,
    Lines,
    Output,
    describe_done,
    show_progress,
)
from qa_core.cli.registry import ROOT, argument, flag, option

WITHDRAWN = {
    "accounts": N_(
        "Accounts changed after the backup, now closed. Check their roles, then use people "
        "enable and people reset:"
    ),
    "tokens": N_("Service tokens revoked again:"),
    "accreditations": N_("Accreditations ended again:"),
    "mails": N_("Mail choices removed, because they had changed:"),
    "webhooks": N_("Webhooks removed, because they had changed:"),
    "settings": N_("Settings and gates changed after the backup. Set them again:"),
}
"""Kinds of what a restoration closed or ended again."""
SECRETS = ROOT.add_group("secrets", "Keys of this centre, and new ones.")


@ROOT.command("init", needs_records=False)
def init(admin: str | None = option("Make the first administrator.", "NAME")) -> Lines:
    """Create the stores and secrets; what exists stays as it is."""
    from qa_core.access import accounts
    from qa_core.analysis import alerts
    from qa_core.storage import permissions, replay_list
    from qa_core.storage.records import store

    here, is_new = environment.current(), not store.has_tables()
    here.folder.mkdir(parents=True, exist_ok=True)
    for name in environment.SECRETS:
        environment.secret(name)
    store.migrate()
    replay_list.ensure()
    permissions.protect()
    if is_new:
        alerts.add_suggested(Viewer.SYSTEM)
    yield _("The stores are ready in {folder}.", folder=here.folder)
    if admin:
        password = accounts.add(Viewer.SYSTEM, admin, Role.ADMIN)
        yield f"{admin}: " + _("One-time password, shown only now: {secret}", secret=password)


@ROOT.command("demo", needs_records=False)
def demo(
    months: int = option("Months of data.", default=18, min=1, max=60),
    advisors: int = option("Number of advisors.", default=60, min=6, max=2000),
    contacts: int = option(
        "Approximate number of contacts.", default=250_000, min=100, max=20_000_000
    ),
    seed: int = option("The same seed gives the same centre.", default=7),
    remove: bool = flag("Remove the demo centre."),
    if_empty: bool = flag(is_hidden=True),
) -> Lines:
    """Fill the stores with an invented centre, or remove it."""
    from qa_core.cli import demo as centre
    from qa_core.storage.records import store

    store.migrate()
    if remove:
        centre.remove(Viewer.SYSTEM)
        yield describe_done("--remove")
        return
    if not if_empty or _is_empty() or centre.is_unfinished():
        with show_progress() as progress:
            plan = centre.DemoPlan.until_yesterday(months, advisors, contacts, seed)
            centre.build(Viewer.SYSTEM, plan, progress)
    sign_ins = centre.sign_ins()
    if sign_ins:
        yield _("This is a demo centre with invented people. Sign in from this machine as:")
        for entry in sign_ins:
            yield f"    {entry['role']:10} {entry['username']:12} {entry['password']}"


def _is_empty() -> bool:
    import sqlalchemy as sa

    from qa_core.access import people
    from qa_core.storage.records import store
    from qa_core.storage.records.imports import ImportBatch

    with store.reading() as session:
        batches = session.scalar(sa.select(sa.func.count()).select_from(ImportBatch))
        return not batches and not people.find_people(session)


@ROOT.command("doctor", needs_records=False)
def doctor(deep: bool = flag("Read every file of the lake and every recording, too.")) -> Output:
    """Check the health of the stores, and say what to do."""
    from qa_core.cli import doctor as checks

    results = checks.examine(deep)
    is_well = checks.is_well(results)
    document = {"ok": is_well, "checks": [asdict(check) for check in results]}
    yield CommandResult(document, DONE if is_well else REFUSED)
    for check in results:
        yield f"{check.state:5} {check.name}: {check.detail}"


@ROOT.command("backup")
def backup(file: Path = argument("FILE", "A new file, outside of QA_HOME.")) -> Output:
    """Write the stores into one encrypted file, while the app runs. The secrets are not in
    it.
    """
    from qa_core.upkeep import backup as of_stores

    made = of_stores.back_up(Viewer.SYSTEM, file)
    yield made.as_json()
    yield _("Written to {file} and read back: {files} files.", file=made.file, files=made.files)
    yield _(
        "The secrets in {folder} are not in this file. Copy them once to a safe place, away "
        "from the backups. Without {needed}, this file is worthless. Copy {list} with each "
        "backup: it lists who was erased since.",
        folder=environment.current().secrets_folder,
        needed=", ".join(of_stores.NEEDED),
        list=of_stores.replay_list.FILE,
    )


@SECRETS.command("rotate")
def rotate(name: str = argument("NAME", ", ".join(environment.SECRETS))) -> Lines:
    """Make a new key, which writes from now on; the old one still reads. Nobody is signed out,
    and nothing has to be started again.
    """
    from qa_core.compliance import key_rotation

    old = key_rotation.rotate(Viewer.SYSTEM, name)
    yield _(
        "A new key of {name} is in use. The old key, {file}, now only reads. Copy {folder} to "
        "your safe place again. Keep the earlier copy as long as your present backups.",
        name=name,
        file=old.file.name,
        folder=old.file.parent,
    )


@SECRETS.command("list", needs_records=False)
def list_secrets() -> Output:
    """List the keys in files; old keys only read what was written with them."""
    from qa_core.compliance import key_rotation

    keys = key_rotation.find_key_files()
    yield [
        {
            "name": key.name,
            "file": key.file.name,
            "key": key.key_id,
            "writes": key.writes,
            "since": key.since.isoformat(),
        }
        for key in keys
    ]
    for key in keys:
        state = "" if key.writes else _("only reads")
        day = environment.to_local(key.since).date().isoformat()
        yield f"{key.name:10}  {key.key_id}  {day}  {state}  {key.file.name}"


@ROOT.command("restore", needs_records=False)
def restore(
    file: Path | None = argument("FILE", "A file that `backup` wrote.", default=None),
    replay_from: str | None = option(
        "For stores restored by other means: repeat the deletions since that day.", "DATE"
    ),
    accept_gaps: bool = flag("Restore even if later erasures are not fully known."),
) -> Output:
    """Restore a backup into a home without stores, and repeat the deletions since then."""
    from qa_core.compliance import retention
    from qa_core.storage.records import store
    from qa_core.upkeep import restore as of_stores

    day = parse_day(replay_from)
    if (file is None) == (day is None):
        raise Misuse("no_backup_named", "Give either FILE or --replay-from DATE.")
    if file is not None:
        result = of_stores.restore(Viewer.SYSTEM, file, accept_gaps)
    else:
        store.require_ready()
        since = retention.start_of(day)
        result = of_stores.replay(Viewer.SYSTEM, since, "other means", accept_gaps)
    yield result.as_json()
    yield _(
        "The stores are as of {moment}. Customers erased again: {customers}. Advisors erased "
        "again: {advisors}. Expired items deleted again: {count}. Objections entered again: "
        "{objections}.",
        moment=environment.to_local(result.made_at).isoformat(" ", "minutes"),
        customers=result.customers,
        advisors=result.advisors,
        count=sum(result.deleted.values()),
        objections=result.objections,
    )
    if result.lost_corrections:
        yield _("Corrections to enter again: {items}.", items=", ".join(result.lost_corrections))
    if result.words:
        yield _("Words erased again from the texts: {count}.", count=result.words)
    for kind, names in result.withdrawn.items():
        yield f"{_(WITHDRAWN[kind])} {', '.join(names)}."
    yield _("Import the files of that period again.")
