"""The worker that sends what is due, in the served app or by `deliveries due`."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from functools import partial
from smtplib import SMTP
from typing import Any

from qa_core.access import accounts, mail_choices
from qa_core.access.mail_choices import CONFIRM, LINK_TIME, MailChoices
from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import alerts, board, board_pdf
from qa_core.base import environment, i18n
from qa_core.base.environment import MailServer
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.base.i18n import N_, _
from qa_core.centre import settings
from qa_core.compliance.conditions import gates
from qa_core.delivery import digests, ledger, mail, notices, schedule, webhook
from qa_core.delivery.digests import Digest, MailSection
from qa_core.delivery.ledger import DeliveryEntry
from qa_core.quality import data_version
from qa_core.storage import system_errors
from qa_core.storage.records import store
from qa_core.storage.records.base import now

LOG = logging.getLogger("qa_core")
MAX_READS = 3
"""Times that a content is built anew because the data changed meanwhile."""


class Dropped(Exception):
    """Nothing is sent; the argument is its code of `ledger.CAUSES`."""


def enter_due() -> int:
    """Enter in the ledger what is due, and return how much may be sent now. While mail is not
    set up, that is the webhook alone; while the gate is closed, what was due is dropped.
    """
    if not store.is_ready():
        return 0
    if not _is_gate_open():
        ledger.drop_open("gate_closed")
        return 0
    if restored := schedule.find_last_restore():
        ledger.drop_open("restored", restored)
    only_kind = None if environment.find_mail_server() else schedule.WEBHOOK
    schedule.enter_due(now(), only_kind is not None)
    return ledger.count_due(only_kind)


def work() -> int:
    """Send what is due; returns the number of mails and messages sent. What could not be sent
    stays due.
    """
    if not enter_due():
        return 0
    server, sent = environment.find_mail_server(), 0
    only_kind = None if server else schedule.WEBHOOK
    with ExitStack() as stack:
        connection: list[SMTP] = []

        def send(message: EmailMessage) -> None:
            if not connection:
                connection.append(stack.enter_context(mail.connect(server)))
            mail.send(connection[0], message)

        while (entry := ledger.claim(only_kind)) is not None:
            outcome = _deliver(server, entry, send)
            sent += outcome == ledger.SENT
            if outcome == "unreachable" and entry.kind != schedule.WEBHOOK:
                only_kind = schedule.WEBHOOK  # mails wait for their server, messages do not
    return sent


def _is_gate_open() -> bool:
    with store.reading() as session:
        return gates.find_delivery_start(session) is not None


def preview(username: str, kind: str) -> str:
    """Return the mail that a person would get now, as text; nothing is entered or sent."""
    require_known(kind, mail_choices.SUBJECTS, "unknown_kind")
    server = environment.find_mail_server()
    moment = now()
    with store.reading() as session:
        viewer = accounts.get_named(session, username)
        month, alert = schedule.find_newest_month(session), schedule.find_newest_alert(session)
    wanted = MailChoices(digest=True, notices=True, alerts=True)
    found = schedule.find_periods(viewer, wanted, month, alert, moment)
    periods = {name: (period, due_at) for name, period, due_at in found}
    if kind not in periods:
        is_allowed = _may_read(kind, viewer)
        raise _refuse_preview(username, "nothing_new" if is_allowed else "no_permission")
    period, due_at = periods[kind]
    entry = DeliveryEntry(
        0, username, kind, period, ledger.DUE, None, 0, "<preview@localhost>", due_at, due_at, None
    )
    try:
        with _as_reader(entry) as (viewer, _choices):
            digest = _read_content(entry, viewer)
            home = server.public_url if server else "https://…"
            return mail.render("mail.txt", digest.as_values(home))
    except Dropped as dropped:
        raise _refuse_preview(username, str(dropped)) from None


def _refuse_preview(username: str, cause: str) -> Refusal:
    message = N_("{name} gets no such mail: {reason}.")
    return Refusal("dropped", message, name=username, reason=ledger.describe_cause(cause))


def _name_cause(error: Exception, cause: str) -> str:
    """Return the cause of a failed attempt, with the status of a server that gave one."""
    return f"answered:{error.args[0]}" if error.args else cause


def _deliver(server: MailServer | None, entry: DeliveryEntry, send: Callable[[Any], None]) -> str:
    """Make one attempt; returns the state or how it failed."""
    try:
        with _as_reader(entry) as (viewer, choices):
            if entry.kind == schedule.WEBHOOK:
                act = partial(webhook.post, entry.username, _build_message(entry, viewer))
            else:
                act = partial(send, _compose(server, entry, viewer, choices))
        if not _is_gate_open():
            raise Dropped("gate_closed")
        act()
    except Dropped as dropped:
        ledger.settle(entry, ledger.DROPPED, str(dropped))
        return ledger.DROPPED
    except webhook.NotAllowed:
        ledger.settle(entry, ledger.FAILED, "not_allowed")
        return ledger.FAILED
    except mail.Refused as error:
        LOG.warning(
            "delivery %s was refused (%s)", entry.id, type(error.__cause__ or error).__name__
        )
        ledger.settle(entry, ledger.FAILED, _name_cause(error, "refused"))
        return ledger.FAILED
    except mail.Unreachable as error:
        cause = type(error.__cause__ or error).__name__
        LOG.warning("delivery %s: the server did not take it (%s)", entry.id, cause)
        ledger.postpone(entry, _name_cause(error, "unreachable"))
        return "delayed" if isinstance(error, mail.Delayed) else "unreachable"
    except Exception as error:
        system_errors.log_failure(LOG, f"delivery {entry.id}", error)
        ledger.postpone(entry, "error")
        return "error"
    ledger.settle(entry, ledger.SENT)
    return ledger.SENT


@contextmanager
def _as_reader(entry: DeliveryEntry) -> Iterator[tuple[Viewer, MailChoices]]:
    """Work as the person is now, on one state of the records, in their language. Raises
    Dropped for a closed account.
    """
    with store.one_state(), store.reading() as session:
        try:
            viewer = accounts.get_viewer(session, entry.username)
        except AccessDenied:
            raise Dropped("left") from None
        choices = mail_choices.find(viewer)
        spoken = choices.language or viewer.language or environment.current().language
        with i18n.in_language(spoken):
            yield viewer, choices


def _compose(
    server: MailServer, entry: DeliveryEntry, viewer: Viewer, choices: MailChoices
) -> EmailMessage:
    """Compose a mail. Raises Dropped where it may not be sent, or says nothing."""
    if not choices.address:
        raise Dropped("no_address")
    with store.reading() as session:
        rules = settings.current(session)
    domains = re.findall(r"[^\s,;@]+", (rules.mail_domains or "").casefold())
    if domains and choices.address.rpartition("@")[2].casefold() not in domains:
        raise Dropped("bad_domain")
    if entry.kind == CONFIRM:
        content = _build_confirmation(server, entry, viewer)
        return mail.build_message(server, choices.address, entry.message_id, content, None)
    if choices.confirmed_at is None:
        raise Dropped("no_address")
    if choices.paused_until is not None and choices.paused_until >= environment.today():
        raise Dropped("paused")
    if not choices.wants(entry.kind, viewer.role):
        raise Dropped("declined")
    digest = _read_content(entry, viewer)
    ticket = mail_choices.build_ticket(viewer.username, entry.kind, None)
    stop_link = f"{server.public_url}/mail/{ticket}"
    values = digest.as_values(server.public_url)
    sheet = None
    if (entry.kind, digest.page, rules.board_mail) == (schedule.DIGEST, "board", "with_pdf"):
        sheet = board_pdf.build_file(viewer, board.DEFAULT)
    return mail.build_message(server, choices.address, entry.message_id, values, stop_link, sheet)


def _read_content(entry: DeliveryEntry, viewer: Viewer) -> Digest:
    """Read the content as of one version of the data, which its foot names."""
    for _attempt in range(MAX_READS):
        before = data_version.find_version().code
        digest = _build_content(entry, viewer)
        if data_version.find_version().code == before:
            break
    if digest is None or not digest.sections:
        raise Dropped("nothing_new")
    return digest


def _may_read(kind: str, viewer: Viewer) -> bool:
    if kind == schedule.DIGEST:
        return digests.is_open_to(viewer)
    return kind == schedule.NOTICES or viewer.can(Permission.SEE_ALERTS)


def _build_content(entry: DeliveryEntry, viewer: Viewer) -> Digest | None:
    if not _may_read(entry.kind, viewer):
        raise Dropped("no_permission")
    if entry.kind == schedule.DIGEST:
        return digests.build(viewer, entry.period)
    build = _build_notices if entry.kind == schedule.NOTICES else _build_alerts
    return build(entry, viewer)


def _build_notices(entry: DeliveryEntry, viewer: Viewer) -> Digest:
    """Build the mail of what began to wait since the last such mail."""
    with store.reading() as session:
        last = ledger.find_last_sent(session, entry.username, entry.kind)
    earliest = entry.due_at - schedule.MAX_BACK
    after = earliest if last is None else max(last.due_at, earliest)
    lines = tuple(notice.text for notice in notices.find_notices(viewer, after, entry.due_at))
    sections = (MailSection(_("Waiting for you"), lines),) if lines else ()
    title = _("New in Écoute for you")
    return Digest(title, title, "", sections, _("Open in Écoute"), "my_account", {}, ())


def _build_alerts(entry: DeliveryEntry, viewer: Viewer) -> Digest:
    """Build the mail of the alerts opened since the last such mail."""
    lines = find_new_alerts(entry, viewer)
    sections = (MailSection(_("What needs a look"), lines),) if lines else ()
    title, foot = _("New alerts"), digests.build_foot(viewer)
    return Digest(title, title, "", sections, _("Open in Écoute"), "overview", {}, foot)


def _build_message(entry: DeliveryEntry, viewer: Viewer) -> webhook.AlertMessage:
    """Build the message to the webhook. Raises Dropped where nothing is new."""
    digest = _read_content(entry, viewer)
    lines = tuple(line for section in digest.sections for line in section.lines)
    home = environment.find_public_url()
    link = home and digests.build_address(home, digest.page)
    name = entry.message_id.strip("<>").partition("@")[0]
    return webhook.AlertMessage(name, digest.title, lines, link, " · ".join(digest.foot))


def find_new_alerts(entry: DeliveryEntry, viewer: Viewer) -> tuple[str, ...]:
    """Describe the open alerts that the viewer sees, up to the one of this delivery and after
    the last one sent.
    """
    with store.reading() as session:
        last = ledger.find_last_sent(session, entry.username, entry.kind)
        start = schedule.find_start(session) or entry.due_at
    after, newest = int(last.period) if last else 0, int(entry.period)
    earliest = max(start, entry.due_at - schedule.MAX_BACK)
    return digests.describe_alerts(
        viewer,
        (
            event
            for event in alerts.find(viewer)
            if after < event.id <= newest and event.first_seen >= earliest
        ),
    )


def _build_confirmation(server: MailServer, entry: DeliveryEntry, viewer: Viewer) -> dict[str, Any]:
    nonce, asked = mail_choices.find_nonce(viewer)
    if nonce is None or asked != entry.period:
        raise Dropped("superseded")
    until = now() + LINK_TIME
    ticket = mail_choices.build_ticket(viewer.username, CONFIRM, until, nonce=nonce)
    text = _("Somebody entered this address in Écoute. If it was not you, do nothing.")
    return {
        "subject": _("Confirm your address"),
        "title": _("Confirm your address"),
        "period": "",
        "sections": (MailSection(_("Écoute"), (text, _("The link works once, for 24 hours."))),),
        "link_label": _("Confirm"),
        "link": f"{server.public_url}/mail/{ticket}",
        "foot": (),
    }
