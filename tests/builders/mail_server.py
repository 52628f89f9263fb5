"""A mail server on this machine that keeps what it is sent, and fails as it is told to."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest


@dataclass
class Mailbox:
    """Mails that the server got. `answers`: reply to the end of a mail, by address; `meanwhile`:
    what happens elsewhere before that reply.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None
    passwords: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)

    def of(self, address: str) -> list[EmailMessage]:
        return [mail for mail, to in zip(self.mails, self.receivers, strict=True) if to == address]

    def take(self) -> dict[str, EmailMessage]:
        """Return the mails by receiver, the last of each, and empty the box."""
        found = dict(zip(self.receivers, self.mails, strict=True))
        self.mails.clear(), self.receivers.clear()
        return found


@contextmanager
def serve(certificate: Path | None = None, from_start: bool = False) -> Iterator[Mailbox]:
    """Serve on a free port of the loopback; with a certificate over TLS, `from_start` or by
    STARTTLS.
    """
    box = Mailbox()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                if from_start:
                    self.encrypt()
                self.talk()
            except (OSError, ssl.SSLError):
                return

        def encrypt(self) -> None:
            self.connection = context.wrap_socket(self.request, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", 0)

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def talk(self) -> None:
            is_encrypted, to = from_start, ""
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "EHLO":
                    offers = ["here", "AUTH PLAIN"]
                    if context and not is_encrypted:
                        offers.append("STARTTLS")
                    for position, offer in enumerate(offers, 1):
                        self.say(f"250{' ' if position == len(offers) else '-'}{offer}")
                elif word == "STARTTLS":
                    self.say("220 go")
                    self.encrypt()
                    is_encrypted = True
                elif word == "AUTH":
                    box.passwords.append(line)
                    self.say("235 welcome")
                elif word == "RCPT":
                    to = line.partition("<")[2].rstrip(">")
                    self.say("250 ok")
                elif word == "DATA":
                    self.say("354 go")
                    lines = []
                    while (part := self.rfile.readline()) != b".\r\n":
                        lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
                    box.meanwhile()
                    answer = box.answers.get(to, "250 taken")
                    if answer == "hang up":
                        return
                    if answer.startswith("2"):
                        box.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
                        box.receivers.append(to)
                        box.was_encrypted.append(is_encrypted)
                    self.say(answer)
                elif word == "QUIT":
                    self.say(box.answers.get("QUIT", "221 bye"))
                    return
                else:
                    self.say("250 ok")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    return mail.get_body(("plain",)).get_content().replace("\r\n", "\n")


def html_of(mail: EmailMessage) -> str:
    return mail.get_body(("html",)).get_content()


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have the centre send by that server."""
    monkeypatch.setenv("QA_SMTP_URL", url)
    monkeypatch.setenv("QA_MAIL_FROM", "Écoute <ecoute@example.org>")
    monkeypatch.setenv("QA_PUBLIC_URL", "https://ecoute.example.org/")
