"""`deliveries` and `webhook`: mails and messages, their readers and their outcome."""

from dataclasses import asdict

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.cli.output import Lines, Output, describe_done
from qa_core.cli.registry import NAME, NUMBER, ROOT, argument, flag, option, read_as

DELIVERIES = ROOT.add_group("deliveries", "What goes out by mail and webhook, and its outcome.")
WEBHOOK = ROOT.add_group("webhook", "The address outside that receives new alerts.")


@DELIVERIES.command("list")
def list_deliveries(due: bool = flag("Only what is due.")) -> Output:
    """List the deliveries, the newest first."""
    from qa_core.delivery import ledger

    entries = ledger.find_all(Viewer.SYSTEM, due)
    yield [entry.as_json() for entry in entries]
    for entry in entries:
        reason = f" ({_(ledger.CAUSES[entry.cause])})" if entry.cause else ""
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

    yield from worker.preview(name, kind).splitlines()


@DELIVERIES.command("retry")
def retry(number: int = NUMBER) -> Lines:
    """Make a delivery that failed or waits due again."""
    from qa_core.delivery import ledger

    ledger.retry(Viewer.SYSTEM, number)
    yield describe_done(str(number))


@WEBHOOK.command("show")
def show_webhook() -> Output:
    """Show which host receives alerts, and in whose scope."""
    from qa_core.delivery import webhook

    found = webhook.find(Viewer.SYSTEM)
    yield asdict(found) if found else None
    if found:
        yield f"{found.host} {found.format} {found.username}"


@WEBHOOK.command("set")
def set_webhook(
    address: str = argument("ADDRESS"),
    form: str = option("json|slack|teams", "FORMAT", name="--format", default="json"),
    as_: str | None = option("In the scope of that manager.", "USERNAME", name="--as", default=...),
) -> Lines:
    """Send new alerts to that address; prints the secret that signs the messages."""
    from qa_core.delivery import webhook

    yield webhook.enter(read_as(as_), address, form)


@WEBHOOK.command("remove")
def remove_webhook() -> Lines:
    """Remove the webhook."""
    from qa_core.delivery import webhook

    webhook.remove(Viewer.SYSTEM)
    yield describe_done("webhook")
