"""`alerts`: what needs a look."""

from dataclasses import asdict

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.cli.output import Output
from qa_core.cli.registry import ROOT, flag, option, read_as

ALERTS = ROOT.add_group("alerts", "When a number needs a look, and what was found.")


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
