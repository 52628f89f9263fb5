"""`deliveries`: mails and messages, their readers and their outcome."""

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.cli.output import Lines, Output
from qa_core.cli.registry import NAME, NUMBER, ROOT, flag, option, record

DELIVERIES = ROOT.add_group("deliveries", "What goes out by mail and webhook, and its outcome.")


@DELIVERIES.command("list")
def list_deliveries(due: bool = flag("Only what is due.")) -> Output:
    """List the deliveries, the newest first."""
    from qa_core.delivery import ledger

    entries = ledger.find_all(Viewer.SYSTEM, due)
    yield [entry.as_json() for entry in entries]
    for entry in entries:
        reason = f" ({ledger.describe_cause(entry.cause)})" if entry.cause else ""
        state = _(ledger.STATES[entry.state])
        yield f"{entry.id:6} {entry.username:20} {entry.kind:8} {entry.period:12} {state}{reason}"


@DELIVERIES.command("due")
def send_due() -> Output:
    """Send what is due now, as the served app does by itself."""
    from qa_core.delivery import worker

    sent = worker.work()
    yield {"sent": sent}
    yield ngettext("{n} message was sent.", "{n} messages were sent.", sent)


@DELIVERIES.command("send")
def send(number: int = NUMBER) -> Output:
    """Send a delivery that failed or waits at once, with what else is due."""
    from qa_core.delivery import ledger

    ledger.retry(Viewer.SYSTEM, number)
    yield from send_due()


@DELIVERIES.command("preview")
def preview(
    name: str = NAME,
    kind: str = option("digest|notices|alerts", "KIND", default="digest"),
) -> Lines:
    """Print the mail that this person would get now; nothing is sent."""
    from qa_core.delivery import worker

    text = worker.preview(name, kind)
    record("acted_as", name)
    yield from text.splitlines()


DELIVERIES.act(
    "retry",
    "delivery.ledger:retry",
    "Make a delivery that failed or waits due again.",
    NUMBER,
    int,
)
