"""Sending of mails by SMTP: over TLS that is verified, with text beside HTML, nothing remote."""

import functools
import re
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

import jinja2

from qa_core.base import environment, i18n
from qa_core.base.environment import MailServer
from qa_core.base.i18n import _
from qa_core.metrics.downloads import Download
from qa_core.storage.records.base import now

TIMEOUT_SECONDS = 30
FOLDER = Path(__file__).with_name("templates")
SHORT = SMTP.clone(cte_type="7bit")
LONG = SHORT.clone(max_line_length=998)


class MailPolicy(EmailPolicy):
    """Short lines of ASCII alone, as every server takes them. Folding would encode the long
    address of `List-Unsubscribe`, which programs then cannot read.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        return (LONG if name == "List-Unsubscribe" else SHORT).fold_binary(name, value)


_BOLD = re.compile(r"\*\*(.+?)\*\*")


class Unreachable(Exception):
    """The server did not answer, or not as it should: try later. The argument of this and of
    `Refused` is the status with which a webhook's server answered.
    """


class Delayed(Unreachable):
    """The server does not take this message now; others may pass."""


class Refused(Exception):
    """The server refused this message or its receiver for good."""


def build_message(
    server: MailServer,
    address: str,
    message_id: str,
    content: Mapping[str, Any],
    stop_link: str | None,
    attachment: Download | None = None,
) -> EmailMessage:
    """Build the mail of a content (see `templates`), in the language spoken."""
    name, sender = parseaddr(server.sender)
    user, _at, domain = sender.partition("@")
    message = EmailMessage(policy=MailPolicy(linesep="\r\n", cte_type="7bit"))
    message["From"] = Address(name or _("Écoute"), user, domain)
    message["To"] = address
    message["Subject"] = content["subject"]
    message["Date"] = format_datetime(now())
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = i18n.language()
    if stop_link is not None:
        message["List-Unsubscribe"] = f"<{stop_link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(render("mail.txt", content, stop_link))
    message.add_alternative(render("mail.html", content, stop_link), subtype="html")
    if attachment is not None:
        kind, _slash, form = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.content, maintype=kind, subtype=form, filename=attachment.file_name
        )
    return message


@contextmanager
def connect(server: MailServer) -> Iterator[smtplib.SMTP]:
    """Open a connection that is encrypted and verified, unless the server is on this machine.
    Raises Unreachable.
    """
    context = ssl.create_default_context()
    try:
        if server.is_tls:
            connection = smtplib.SMTP_SSL(
                server.host, server.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable from error
    try:
        try:
            if not server.is_tls and not server.is_local:
                connection.starttls(context=context)
            password = environment.find_mail_password()
            if server.username and password is not None:
                connection.login(server.username, password)
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable from error
        yield connection
    finally:
        # What was sent is sent, however the server takes its leave.
        with closing(connection), suppress(OSError, smtplib.SMTPException):
            connection.quit()


def send(connection: smtplib.SMTP, message: EmailMessage) -> None:
    """Send a mail. Raises Refused where it will never be taken, Delayed where it may be later,
    Unreachable where the connection is of no more use.
    """
    try:
        connection.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _text in error.recipients.values()]
        raise Refused if all(code >= 500 for code in codes) else Delayed from error
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise Refused if error.smtp_code >= 500 else Delayed from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable from error


def render(name: str, content: Mapping[str, Any], stop_link: str | None = None) -> str:
    """Return a mail as text or HTML, with the link to stop such mails if one is given."""
    labels = {"language": i18n.language(), "stop_label": _("Stop these mails")}
    return _templates().get_template(name).render(stop_link=stop_link, **labels, **content)


@functools.cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = lambda text: _BOLD.sub(r"\1", text)
    made.filters["bold"] = lambda text: jinja2.utils.markupsafe.Markup(
        _BOLD.sub(r"<b>\1</b>", str(jinja2.utils.markupsafe.escape(text)))
    )
    return made
