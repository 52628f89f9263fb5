"""`names` and `site`: merged names, and opening hours."""

from typing import Annotated

import typer

from qa_core.access.roles import Viewer
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _, ngettext
from qa_core.centre.rules import opening_hours, site_hours
from qa_core.cli.options import Json, Number, add_family, flag, option, print_json

Kind = Annotated[str, typer.Argument(metavar="KIND", help="advisor queue reason campaign")]


def register(app: typer.Typer) -> None:
    commands = {"suggest": suggest, "merge": merge, "apart": apart, "undo": undo}
    add_family(app, "names", "Names that mean the same.", **commands, list=list_decisions)
    add_family(app, "site", "When a site is open.", hours=set_hours, list=list_sites)


def suggest(kind: Kind, as_json: Json = False) -> None:
    """List names that may mean the same; nothing is changed."""
    from qa_core.centre.rules import name_decisions, name_suggestions

    name_decisions.require_kind(kind)
    found = name_suggestions.find_suggestions(Viewer.SYSTEM, kind)
    if as_json:
        return print_json([name_suggestions.as_json(item) for item in found])
    for item in found:
        print(f"{item.spelling} → {item.kept}: " + name_suggestions.describe(item))
    if not found:
        print(_("There are no similar names."))


def merge(
    kind: Kind,
    spelling: Annotated[str, typer.Argument(metavar="SPELLING")],
    kept: Annotated[str, typer.Argument(metavar="KEPT")],
) -> None:
    """Count one name as another, in past and future contacts."""
    from qa_core.centre.rules import name_decisions

    number = name_decisions.merge(Viewer.SYSTEM, kind, spelling, kept)
    text = _(
        "Decision {number}: {spelling} counts as {kept}.",
        number=number,
        spelling=spelling,
        kept=kept,
    )
    print(text, _apply())


def apart(
    kind: Kind,
    one: Annotated[str, typer.Argument(metavar="ONE")],
    other: Annotated[str, typer.Argument(metavar="OTHER")],
) -> None:
    """Say that two names differ, so that they are no longer suggested."""
    from qa_core.centre.rules import name_decisions

    number = name_decisions.keep_apart(Viewer.SYSTEM, kind, one, other)
    text = _(
        "Decision {number}: {one} and {other} stay separate.", number=number, one=one, other=other
    )
    print(text)


def undo(number: Number) -> None:
    """Undo a decision; every contact has the name of its source again."""
    from qa_core.centre.rules import name_decisions

    name_decisions.undo(Viewer.SYSTEM, number)
    print(_("Decision {number} is undone.", number=number), _apply())


def list_decisions(as_json: Json = False) -> None:
    """List the decisions, newest first."""
    from qa_core.centre.rules import name_decisions

    found = name_decisions.find_decisions(Viewer.SYSTEM)
    if as_json:
        return print_json(found)
    for item in found:
        sign = "→" if item["is_same"] else "≠"
        print(
            f"{item['id']:5} {item['kind']:9} {item['spelling']} {sign} {item['kept']}"
            + (" " + _("(undone)") if item["undone_at"] else "")
        )


def set_hours(
    site: str = typer.Argument(metavar="SITE"),
    hours: list[str] | None = typer.Argument(
        None, metavar="DAYS=HOURS", help="mon-fri=09:00-18:00 sat=09:00-12:00,14:00-17:00"
    ),
    first_day: str | None = option(
        "--from", "DATE", "The first day on which they apply; default: always."
    ),
    holidays: str | None = option(
        "--holidays", "CALENDAR", "FR, alsace-moselle, another country or region, none."
    ),
    closed: list[str] | None = option(
        "--closed", "DATE", "A day on which the site is closed; replaces the earlier list."
    ),
    always_open: bool = flag("--clear", "Remove the hours: no contact is closed any more."),
) -> None:
    """Set when a site is open; unanswered contacts outside count as closed, past ones too."""
    if not (hours or holidays or closed or always_open) or (hours and always_open):
        raise Misuse(
            "no_hours", "Give hours (mon-fri=09:00-18:00), --holidays, --closed or --clear."
        )
    spans = opening_hours.parse_hours(hours) if hours else () if always_open else None
    days = [parse_day(day) for day in closed] if closed else None
    site_hours.set_opening(Viewer.SYSTEM, site, spans, parse_day(first_day), holidays, days)
    print(_("The hours of {site} are set.", site=site), _apply())


def list_sites(as_json: Json = False) -> None:
    """List the sites with their hours."""
    found = opening_hours.find_sites(Viewer.SYSTEM)
    if as_json:
        return print_json(found)
    for site in found:
        print(
            _("{site} · public holidays: {calendar}", site=site["site"], calendar=site["holidays"])
        )
        for row in site["hours"]:
            since = f" ({row['from']}…)" if row["from"] else ""
            print(
                f"  {opening_hours.WEEKDAYS[row['weekday'] - 1]} "
                f"{row['opens_at']}-{row['closes_at']}{since}"
            )
        for day in site["closed_days"]:
            print(f"  {day}: " + _("closed"))


def _apply() -> str:
    from qa_core.ingest.rules import due

    return ngettext("This changes {n} contact.", "This changes {n} contacts.", due.apply_due())
