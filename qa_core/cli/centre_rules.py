"""`names` and `site`: merged names, and opening hours."""

from qa_core.access.roles import Viewer
from qa_core.base.arguments import parse_day
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _, ngettext
from qa_core.cli.output import Lines, Output, describe_done
from qa_core.cli.registry import NUMBER, ROOT, argument, flag, option

KIND = argument("KIND", "advisor queue reason campaign")


NAMES = ROOT.add_group("names", "Names that mean the same.")
SITE = ROOT.add_group("site", "When a site is open.")


@NAMES.command("suggest")
def suggest(kind: str = KIND) -> Output:
    """List names that may mean the same; nothing is changed."""
    from qa_core.centre.rules import name_decisions, name_suggestions

    name_decisions.require_kind(kind)
    suggestions = name_suggestions.find_suggestions(Viewer.SYSTEM, kind)
    yield [name_suggestions.as_json(item) for item in suggestions]
    for item in suggestions:
        yield f"{item.spelling} → {item.kept}: " + name_suggestions.describe(item)


@NAMES.command("merge")
def merge(
    kind: str = KIND, spelling: str = argument("SPELLING"), kept: str = argument("KEPT")
) -> Lines:
    """Count one name as another, in past and future contacts."""
    from qa_core.centre.rules import name_decisions

    number = name_decisions.merge(Viewer.SYSTEM, kind, spelling, kept)
    yield describe_done(number) + " " + _apply()


@NAMES.command("apart")
def apart(kind: str = KIND, name: str = argument("ONE"), other: str = argument("OTHER")) -> Lines:
    """Say that two names differ, so that they are no longer suggested."""
    from qa_core.centre.rules import name_decisions

    yield describe_done(name_decisions.keep_apart(Viewer.SYSTEM, kind, name, other))


@NAMES.command("undo")
def undo(number: int = NUMBER) -> Lines:
    """Undo a decision; every contact has the name of its source again."""
    from qa_core.centre.rules import name_decisions

    name_decisions.undo(Viewer.SYSTEM, number)
    yield describe_done(number) + " " + _apply()


@NAMES.command("list")
def list_decisions() -> Output:
    """List the decisions, newest first."""
    from qa_core.centre.rules import name_decisions

    decisions = name_decisions.find_decisions(Viewer.SYSTEM)
    yield decisions
    for item in decisions:
        sign = "→" if item["is_same"] else "≠"
        yield (
            f"{item['id']:5} {item['kind']:9} {item['spelling']} {sign} {item['kept']}"
            + (" " + _("(undone)") if item["undone_at"] else "")
        )


@SITE.command("hours")
def set_hours(
    site: str = argument("SITE"),
    hours: list[str] | None = argument(
        "DAYS=HOURS", "mon-fri=09:00-18:00 sat=09:00-12:00,14:00-17:00", default=None
    ),
    first_day: str | None = option(
        "The first day on which they apply; default: always.", "DATE", name="--from"
    ),
    holidays: str | None = option(
        "FR, alsace-moselle, another country or region, none.", "CALENDAR"
    ),
    closed: list[str] | None = option(
        "A day on which the site is closed; replaces the earlier list.", "DATE"
    ),
    always_open: bool = flag("Remove the hours: no contact is closed any more.", name="--clear"),
) -> Lines:
    """Set when a site is open; unanswered contacts outside count as closed, past ones too."""
    from qa_core.centre.rules import opening_hours

    if not (hours or holidays or closed or always_open) or (hours and always_open):
        raise Misuse(
            "no_hours", "Give hours (mon-fri=09:00-18:00), --holidays, --closed or --clear."
        )
    spans = opening_hours.parse_hours(hours) if hours else () if always_open else None
    days = [parse_day(day) for day in closed] if closed else None
    opening_hours.set_opening(Viewer.SYSTEM, site, spans, parse_day(first_day), holidays, days)
    yield describe_done(site) + " " + _apply()


@SITE.command("list")
def list_sites() -> Output:
    """List the sites with their hours."""
    from qa_core.centre.rules import opening_hours

    sites = opening_hours.find_sites(Viewer.SYSTEM)
    yield sites
    for site in sites:
        yield _(
            "{site} · public holidays: {calendar}", site=site["site"], calendar=site["holidays"]
        )
        for row in site["hours"]:
            since = f" ({row['from']}…)" if row["from"] else ""
            yield (
                f"  {opening_hours.WEEKDAYS[row['weekday'] - 1]} "
                f"{row['opens_at']}-{row['closes_at']}{since}"
            )
        for day in site["closed_days"]:
            yield f"  {day}: " + _("closed")


def _apply() -> str:
    from qa_core.ingest.load import recovery

    return ngettext(
        "This changes {n} contact.", "This changes {n} contacts.", recovery.apply_due_rules()
    )
