"""`settings` and `targets`: rules of counting, and targets of KPIs."""

from qa_core.access.roles import Viewer
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.base.row_values import read_fields
from qa_core.cli.output import Lines, Output, describe_done
from qa_core.cli.registry import ROOT, argument, option

SETTINGS = ROOT.add_group("settings", "Settings that change numbers.")
TARGETS = ROOT.add_group("targets", "What KPIs should reach.")


@SETTINGS.command("list")
def list_settings() -> Output:
    """List every setting with today's value and its dated values."""
    from qa_core.centre import settings
    from qa_core.storage.records import store

    with store.reading() as session:
        versions, today = settings.find_versions(session), settings.current(session)
    rows = []
    for entry in settings.ALL:
        chosen = [
            {
                "from": version.valid_from,
                **read_fields(version, ("value", "set_by")),
                "set_at": version.set_at.isoformat(),
            }
            for version in versions[entry.name]
        ]
        from_the_start = (
            []
            if chosen and chosen[0]["from"] is None
            else [{"from": None, "value": entry.default, "set_by": None, "set_at": None}]
        )
        value = getattr(today, entry.name)
        rows.append(
            {
                "name": entry.name,
                "value": value,
                "default": entry.default,
                "meaning": _(entry.meaning),
                "history": [*from_the_start, *chosen],
            }
        )
    yield rows
    for row in rows:
        yield f"{row['name']} = {_describe(row['value'])}\n    {row['meaning']}"
        for version in (
            row["history"] if any(version["set_by"] for version in row["history"]) else ()
        ):
            since = _("from {day}", day=version["from"]) if version["from"] else _("always")
            yield (
                f"    {since}: {_describe(version['value'])}"
                + (f" ({version['set_by']}, {version['set_at'][:10]})" if version["set_by"] else "")
            )


def _describe(value: float | int | str | None) -> str:
    return _("not set") if value is None else str(value)


@SETTINGS.command("set", needs_records=False)
def set_setting(
    pair: str = argument("NAME=VALUE"),
    first: str | None = option("The first day; default: for all time.", "DATE", name="--from"),
) -> Lines:
    """Set a value; each contact is counted with the value of its day."""
    from qa_core.centre import settings
    from qa_core.ingest.load import recovery
    from qa_core.storage.records import store
    from qa_core.upkeep import after_import

    [(name, value)] = parse_pairs([pair])
    first_day = parse_day(first)
    store.require_ready()
    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, name, value, first_day)
    yield f"{name} = {value or _('not set')}"
    recovery.apply_due_rules()
    after_import.do_due()


@TARGETS.command("list")
def list_targets() -> Output:
    """List every target: KPI, team, queue or site, period, value."""
    from qa_core.analysis import targets
    from qa_core.metrics.kpis import BY_KEY, formatting

    rows = targets.find_all(Viewer.SYSTEM)
    yield [target.as_json() for target in rows]
    for target in rows:
        scope = f"{target.dimension} {target.name}" if target.dimension else _("The whole centre")
        days = f"{target.starts_on or '…'} – {target.ends_on or '…'}"
        value = formatting.value(target.value, BY_KEY[target.kpi].unit)
        yield f"{target.id:5} {target.kpi:32} {value:>12}  {scope}  {days}"


@TARGETS.command("set")
def set_target(
    pair: str = argument("KPI=VALUE", "A rate as 0.85 or 85%; times in seconds."),
    team: str | None = option("For one team."),
    queue: str | None = option("For one queue."),
    site: str | None = option("For one site."),
    first: str | None = option(
        "The first day on which it applies; default: always.", "DATE", name="--from"
    ),
    last: str | None = option(
        "The last day on which it applies; default: until the next target.", "DATE", name="--to"
    ),
) -> Lines:
    """Set a target of a KPI."""
    from qa_core.analysis import targets
    from qa_core.metrics.kpis.dimensions import Period

    scopes = [
        (dimension, name)
        for dimension, name in (("team", team), ("queue", queue), ("site", site))
        if name is not None
    ]
    if len(scopes) > 1:
        options = "--team, --queue, --site"
        raise Misuse("two_scopes", "Give only one of {names}.", names=options)
    [(kpi, text)] = parse_pairs([pair])
    dimension, name = scopes[0] if scopes else (None, None)
    target = targets.set_target(
        Viewer.SYSTEM, kpi, text, dimension, name, Period(parse_day(first), parse_day(last))
    )
    yield describe_done(target.id)


TARGETS.act("remove", "analysis.targets:remove", "Remove a target.", argument("ID"), int)
