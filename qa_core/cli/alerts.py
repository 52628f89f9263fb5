"""`alerts` and `irritants`: what needs a look, and what is done about it."""

from dataclasses import asdict

import typer

from qa_core.access.roles import Viewer
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.base.row_values import read_fields
from qa_core.cli.options import As, Json, add_family, flag, option, print_json, read_as


def register(app: typer.Typer) -> None:
    add_family(
        app,
        "alerts",
        "When a number needs a look, and what was found.",
        evaluate=evaluate,
        list=list_alerts,
        add=add_rule,
        remove=remove_rule,
    )
    help_text = "What annoys customers, and what is done about it."
    add_family(app, "irritants", help_text, list=list_irritants)


def evaluate(as_json: Json = False) -> None:
    """Evaluate every rule on the current data, as after each import."""
    from qa_core.analysis import alerts

    found = alerts.evaluate(Viewer.SYSTEM)
    if as_json:
        return print_json(asdict(found))
    text = _(
        "{opened} alerts opened, {closed} closed, {standing} still open.",
        opened=found.opened,
        closed=found.closed,
        standing=found.standing,
    )
    print(text)


def list_alerts(
    every: bool = flag("--all", "Closed ones too."),
    as_: str | None = option("--as", "USERNAME", "Only what that person may see."),
    as_json: Json = False,
) -> None:
    """List the rules in force, and the open alerts."""
    from qa_core.analysis import alerts

    viewer = read_as(as_)
    rules = alerts.find_rules(viewer)
    found = alerts.find(viewer, alerts.STATES if every else alerts.STATES[:2])
    if as_json:
        shown = {"rules": rules, "alerts": found}
        return print_json({name: [one.as_json() for one in items] for name, items in shown.items()})
    for rule in rules:
        scope = f"{rule.dimension} {rule.name or '*'}" if rule.dimension else _("the whole centre")
        print(f"{rule.id:5} {rule.kpi:32} {rule.grain:5}  {scope}: {alerts.describe_rule(rule)}")
    for event in found:
        print(f"      {event.state}: {alerts.describe_slice(event)}: {alerts.describe(event)}")
    if not found:
        print(_("No alert is open."))


def add_rule(
    kpi: str | None = typer.Argument(None, metavar="KPI"),
    above: str | None = option(
        "--above", "VALUE", "Needs a look above this; a rate as 0.85 or 85%, times in seconds."
    ),
    below: str | None = option("--below", "VALUE", "Needs a look below this."),
    target: bool = flag("--target", "Needs a look when it clearly misses its target."),
    by: str | None = option("--by", "DIM", "For each value of a dimension."),
    where: str | None = option("--where", "DIM=VALUE", "For one value of a dimension."),
    grain: str = typer.Option("week", metavar="day|week|month"),
    periods: int = typer.Option(
        1, metavar="N", help="Days, weeks or months in a row, for --above and --below."
    ),
    clear_after: int = typer.Option(
        2, metavar="N", help="Clear periods in a row that close an alert."
    ),
    suggested: bool = flag(
        "--suggested", "Add the rules that a new centre starts with, where they are missing."
    ),
) -> None:
    """Add a rule: KPI beyond its usual range, or with --above, --below or --target."""
    from qa_core.analysis import alerts, targets
    from qa_core.base.arguments import parse_pairs
    from qa_core.metrics.kpis import get_kpi

    if suggested:
        print(_("{count} rules are added.", count=len(alerts.add_suggested(Viewer.SYSTEM))))
        return
    if kpi is None:
        raise Misuse("no_kpi", "Name the KPI of the rule, or give --suggested.")
    if sum((above is not None, below is not None, target)) > 1 or (
        by is not None and where is not None
    ):
        raise Misuse(
            "two_rules",
            "Give only one of --above, --below and --target, and only one of --by and --where.",
        )
    dimension, name = parse_pairs([where])[0] if where else (by, None)
    written = above if above is not None else below
    side = None if written is None else "above" if above is not None else "below"
    kind = alerts.RuleKind.THRESHOLD if side else alerts.RuleKind.CONTROL
    if target:
        kind = alerts.RuleKind.TARGET
    value = None if written is None else targets.parse_value(get_kpi(kpi), written)
    rule = alerts.add(
        Viewer.SYSTEM,
        alerts.Rule(kpi, kind, grain, dimension, name, side, value, periods, clear_after),
    )
    print(_("Rule {number} is set.", number=rule.id))


def remove_rule(number: int = typer.Argument(metavar="ID")) -> None:
    """End a rule; its alerts are closed."""
    from qa_core.analysis import alerts

    alerts.end(Viewer.SYSTEM, number)
    print(_("Rule {number} is removed.", number=number))


def list_irritants(username: As = None, as_json: Json = False) -> None:
    """List the irritants, open ones first."""
    from qa_core.analysis.irritants import action_list, texts

    entries = action_list.find_entries(read_as(username))
    if as_json:
        return print_json(
            [
                {
                    "id": entry.id,
                    "title": texts.describe_subject(entry.subject),
                    **read_fields(entry.subject, ("kind", "dimension", "value", "terms")),
                    "filters": dict(entry.filters.values),
                    **read_fields(entry, ("teams", "state", "owner", "due_on", "note")),
                    "steps": [
                        {"state": step.state, "at": step.at.isoformat(), "by": step.by}
                        for step in entry.steps
                    ],
                }
                for entry in entries
            ]
        )
    for entry in entries:
        due = entry.due_on and entry.due_on.isoformat()
        said = ", ".join(filter(None, (_(texts.STATES[entry.state]), entry.owner_name, due)))
        print(f"{entry.id}  {texts.describe_subject(entry.subject)}: {said}")
