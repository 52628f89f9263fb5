"""`alerts` and `irritants`: what needs a look, and what is done about it."""

from dataclasses import asdict

from qa_core.access.roles import Viewer
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.base.row_values import read_fields
from qa_core.cli.output import Lines, Output, describe_done
from qa_core.cli.registry import AS_USERNAME, ROOT, argument, flag, option, read_as

ALERTS = ROOT.add_group("alerts", "When a number needs a look, and what was found.")
IRRITANTS = ROOT.add_group("irritants", "What annoys customers, and what is done about it.")


@ALERTS.command("evaluate")
def evaluate() -> Output:
    """Evaluate every rule on the current data, with the other work that an import leaves."""
    from qa_core.analysis import alerts
    from qa_core.storage.records.imports import PUBLICATIONS
    from qa_core.upkeep import after_import

    after_import.do_due([PUBLICATIONS])
    changes = alerts.evaluate(Viewer.SYSTEM)
    after_import.do_due()
    yield asdict(changes)
    yield _(
        "{opened} alerts opened, {closed} closed, {standing} still open.",
        opened=changes.opened,
        closed=changes.closed,
        standing=changes.standing,
    )


@ALERTS.command("list")
def list_alerts(
    every: bool = flag("Closed ones too.", name="--all"),
    as_: str | None = option("Only what that person may see.", "USERNAME", name="--as"),
) -> Output:
    """List the rules in force, and the open alerts."""
    from qa_core.analysis import alerts

    viewer = read_as(as_)
    rules = alerts.find_rules(viewer)
    events = alerts.find(viewer, alerts.STATES if every else alerts.STATES[:2])
    yield {
        "rules": [rule.as_json() for rule in rules],
        "alerts": [event.as_json() for event in events],
    }
    for rule in rules:
        scope = f"{rule.dimension} {rule.name or '*'}" if rule.dimension else _("The whole centre")
        yield f"{rule.id:5} {rule.kpi:32} {rule.grain:5}  {scope}: {alerts.describe_rule(rule)}"
    for event in events:
        yield f"      {event.state}: {alerts.describe_slice(event)}: {alerts.describe(event)}"


@ALERTS.command("add")
def add_rule(
    kpi: str | None = argument("KPI", default=None),
    above: str | None = option(
        "Needs a look above this; a rate as 0.85 or 85%, times in seconds.", "VALUE"
    ),
    below: str | None = option("Needs a look below this.", "VALUE"),
    target: bool = flag("Needs a look when it clearly misses its target."),
    by: str | None = option("For each value of a dimension.", "DIM"),
    where: str | None = option("For one value of a dimension.", "DIM=VALUE"),
    grain: str = option(None, "day|week|month", default="week"),
    periods: int = option(
        "Days, weeks or months in a row, for --above and --below.", "N", default=1
    ),
    clear_after: int = option("Clear periods in a row that close an alert.", "N", default=2),
    suggested: bool = flag("Add the rules that a new centre starts with, where they are missing."),
) -> Lines:
    """Add a rule: KPI beyond its usual range, or with --above, --below or --target."""
    from qa_core.analysis import alerts, targets
    from qa_core.base.arguments import parse_pairs
    from qa_core.metrics.kpis import get_kpi

    if suggested:
        yield from (describe_done(rule.kpi) for rule in alerts.add_suggested(Viewer.SYSTEM))
        return
    if kpi is None:
        raise Misuse("no_kpi", "Name the KPI of the rule, or give --suggested.")
    if sum((above is not None, below is not None, target)) > 1 or (
        by is not None and where is not None
    ):
        raise Misuse(
            "two_rules",
            "Give only one of {names}.",
            names="--above, --below, --target · --by, --where",
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
    yield describe_done(rule.id)
    if unjudged := alerts.describe_unjudged(rule):
        yield unjudged


ALERTS.act(
    "remove",
    "analysis.alerts:end",
    "End a rule; its alerts are closed.",
    argument("ID"),
    int,
)


@IRRITANTS.command("list")
def list_irritants(username: str | None = AS_USERNAME) -> Output:
    """List the irritants, open ones first."""
    from qa_core.analysis.irritants import action_list, texts

    entries = action_list.find_entries(read_as(username))
    yield [
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
    for entry in entries:
        due = entry.due_on and entry.due_on.isoformat()
        details = ", ".join(filter(None, (_(texts.STATES[entry.state]), entry.owner_name, due)))
        yield f"{entry.id}  {texts.describe_subject(entry.subject)}: {details}"
