"""`init`, `demo` and `doctor`: the stores themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.cli.imports import show_progress
from qa_core.cli.options import Json
from qa_core.cli.output import DONE, REFUSED, print_json


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("demo")(demo)
    app.command("doctor")(doctor)


def init(
    admin: Annotated[
        str | None, typer.Option("--admin", metavar="NAME", help="Make the first administrator.")
    ] = None,
) -> None:
    """Create the stores and secrets; what exists stays as it is."""
    from qa_core.access import accounts
    from qa_core.storage import permissions
    from qa_core.storage.records import store

    here, is_new = environment.current(), not store.has_tables()
    here.folder.mkdir(parents=True, exist_ok=True)
    for name in environment.SECRETS:
        environment.secret(name)
    store.migrate()
    permissions.protect()
    if is_new:
        from qa_core.analysis import alerts

        alerts.add_suggested(Viewer.SYSTEM)
    print(_("The stores are ready in {folder}.", folder=here.folder))
    if admin:
        password = accounts.add(Viewer.SYSTEM, admin, Role.ADMIN)
        print(
            _(
                "{name} is the administrator. One-time password, shown only now: {password}",
                name=admin,
                password=password,
            )
        )


def demo(
    months: Annotated[int, typer.Option(min=1, max=60, help="How long.")] = 18,
    advisors: Annotated[int, typer.Option(min=6, max=2000, help="How many advisors.")] = 60,
    contacts: Annotated[
        int, typer.Option(min=100, max=20_000_000, help="About how many contacts.")
    ] = 250_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same centre.")] = 7,
    remove: Annotated[bool, typer.Option("--remove", help="Take the demo centre away.")] = False,
    if_empty: Annotated[bool, typer.Option("--if-empty", hidden=True)] = False,
) -> None:
    """Fill the stores with an invented centre, or remove it."""
    from qa_core.cli import demo as centre
    from qa_core.storage.records import store

    store.migrate()
    if remove:
        centre.remove(Viewer.SYSTEM)
        print(_("The demo centre is gone."))
        return
    if not if_empty or _is_empty() or centre.is_unfinished():
        with show_progress() as progress:
            plan = centre.DemoPlan.until_yesterday(months, advisors, contacts, seed)
            centre.build(Viewer.SYSTEM, plan, progress)
    sign_ins = centre.sign_ins()
    if sign_ins:
        print(_("A demo centre, its people invented. Sign in from this machine as:"))
        for entry in sign_ins:
            print(f"    {entry['role']:10} {entry['username']:12} {entry['password']}")


def _is_empty() -> bool:
    import sqlalchemy as sa

    from qa_core.access import people
    from qa_core.storage.records import store
    from qa_core.storage.records.imports import ImportBatch

    with store.reading() as session:
        batches = session.scalar(sa.select(sa.func.count()).select_from(ImportBatch))
        return not batches and not people.find_people(session)


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read every file of the lake, too.")] = False,
    as_json: Json = False,
) -> int:
    """Check the health of the stores, and say what to do."""
    from qa_core.cli import doctor as checks

    found = checks.examine(deep)
    if as_json:
        print_json(
            {
                "ok": checks.is_well(found),
                "checks": [
                    {"name": check.name, "state": check.state, "detail": check.detail}
                    for check in found
                ],
            }
        )
    else:
        for check in found:
            print(f"{check.state:5} {_(check.name)}: {check.detail}")
    return DONE if checks.is_well(found) else REFUSED
