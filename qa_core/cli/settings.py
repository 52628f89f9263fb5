"""`settings`: rules of counting."""

from qa_core.access.roles import Viewer
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.i18n import _
from qa_core.base.row_values import read_fields
from qa_core.cli.output import Lines, Output
from qa_core.cli.registry import ROOT, argument, option

SETTINGS = ROOT.add_group("settings", "Settings that change numbers.")


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
