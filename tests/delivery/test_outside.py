"""Between a centre and the outside: TLS, links in mails, the webhook, the pages."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from builders import mail_server, nginx
from builders.mail_server import Mailbox, text_of
from builders.mailed_centre import (
    address_of,
    find_link,
    find_outcomes,
    settle_week,
    viewer_of,
    want_digest,
)
from builders.shown_texts import text_of as text_of_page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, mail_choices
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli.app import run
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger, mail, schedule, webhook, worker
from qa_core.ui import asgi
from qa_core.ui.server import mail_routes

SYSTEM = Viewer.SYSTEM
MONDAY = "2026-10-19T07:05"
SetClock = Callable[[str], None]


def build_mail(server: environment.MailServer) -> Any:
    content = {"subject": "s", "title": "t", "period": "", "sections": (), "foot": ()}
    content |= {"link_label": "l", "link": "https://ecoute.example.org"}
    return mail.build_message(server, "nora@example.org", "<1@example.org>", content, None)


def test_a_mail_has_short_lines_of_ascii_and_its_way_out_in_one() -> None:
    server = environment.MailServer("x", 25, True, "", "Écoute <a@b.org>", "https://e.org")
    subject = "Vos équipes à Châteauroux – période du 1er août au 30 septembre 2026, été compris"
    line = "La satisfaction à l’accueil a baissé, comparée à la période précédente. " * 3
    content = {"subject": subject, "title": "t", "period": "", "foot": (), "link_label": "l"}
    content |= {"sections": ({"title": "é", "lines": (line,)},), "link": "https://e.org"}
    stop = "https://e.org/mail/" + "A" * 150
    raw = mail.build_message(server, "n@b.org", "<1@b.org>", content, stop).as_bytes()
    assert raw.isascii()
    long = [one for one in raw.decode().splitlines() if len(one) > 78]
    assert [one for one in long if "boundary" not in one] == [f"List-Unsubscribe: <{stop}>"]
    assert message_from_bytes(raw, policy=policy.default)["Subject"] == subject


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_mail_goes_over_tls_to_a_server_that_is_verified_or_not_at_all(
    centre: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    scheme: str,
) -> None:
    nginx.write_certificate(tmp_path)
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        (tmp_path / "fullchain.pem").read_bytes() + (tmp_path / "privkey.pem").read_bytes()
    )
    monkeypatch.setenv("QA_SECRET_SMTP", "a password")
    monkeypatch.setattr(environment.MailServer, "is_local", False)  # as one elsewhere
    caplog.set_level(logging.DEBUG)
    with mail_server.serve(pem, from_start=scheme == "smtps") as box:
        mail_server.use(monkeypatch, f"{scheme}://user@127.0.0.1:{box.port}")
        server = environment.find_mail_server()
        with pytest.raises(mail.Unreachable), mail.connect(server):
            pass  # nobody vouches for it
        assert box.passwords == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "fullchain.pem"))
        with mail.connect(server) as connection:
            mail.send(connection, build_mail(server))
    assert box.was_encrypted == [True] and len(box.passwords) == 1
    assert "a password" not in caplog.text

    with mail_server.serve() as plain:
        mail_server.use(monkeypatch, f"smtp://user@127.0.0.1:{plain.port}")
        with pytest.raises(mail.Unreachable), mail.connect(environment.find_mail_server()):
            pass
        assert plain.passwords == []


@pytest.mark.parametrize(
    ("url", "sender", "public"),
    [
        ("smtp://user:secret@mail.example.org", "e@example.org", "https://e.example.org"),
        ("http://mail.example.org", "e@example.org", "https://e.example.org"),
        ("smtp://mail.example.org:x", "e@example.org", "https://e.example.org"),
        ("smtp://mail.example.org", "", "https://e.example.org"),
        ("smtp://mail.example.org", "e@example.org", ""),
    ],
)
def test_a_bad_setting_is_refused_without_showing_it(
    centre: Path, monkeypatch: pytest.MonkeyPatch, url: str, sender: str, public: str
) -> None:
    monkeypatch.setenv("QA_SMTP_URL", url)
    monkeypatch.setenv("QA_MAIL_FROM", sender)
    monkeypatch.setenv("QA_PUBLIC_URL", public)
    with pytest.raises(Refusal) as refused:
        environment.find_mail_server()
    assert refused.value.code == "bad_mail_server" and "secret" not in str(refused.value)


def open_links() -> TestClient:
    app = Starlette(routes=mail_routes.ROUTES, middleware=[Middleware(asgi.Wall)])
    return TestClient(app, base_url="http://localhost")


def test_one_click_stops_the_mails_by_post_and_never_by_looking(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("adv0")
    set_clock(MONDAY)
    worker.work()
    [sent] = mailed.of(address_of("adv0"))
    address = f"/mail/{find_link(text_of(sent).partition('Stop these')[2])}"
    assert sent["List-Unsubscribe"] == f"<https://ecoute.example.org{address}>"
    client = open_links()
    for _look in range(2):
        page = client.get(address)
        assert page.status_code == 200 and '<form method="post">' in page.text
        assert "no-store" in page.headers["cache-control"]
    assert client.head(address).status_code == 200
    assert mail_choices.find(viewer_of("adv0")).digest is True

    answer = client.post(address, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200 and "no more of these mails" in answer.text
    assert mail_choices.find(viewer_of("adv0")).digest is False
    assert client.post(address).status_code == 200  # again, years later, does no harm
    set_clock("2026-10-26T07:05")
    assert worker.work() == 0
    assert client.get(address[:-4] + "AAAA").status_code == 404
    assert client.post("/mail/x").status_code == 404


def test_the_link_of_a_leaver_does_no_harm(mailed: Mailbox, set_clock: SetClock) -> None:
    ticket, leaver = mail_choices.build_ticket("adv0", "digest", None), viewer_of("adv0")
    accounts.disable(SYSTEM, "adv0")

    assert open_links().post(f"/mail/{ticket}").status_code == 200
    with pytest.raises(AccessDenied):
        mail_choices.change(leaver, address="adv0@elsewhere.example")


DRIPPING = 0
"""Status of a server whose answer begins, and goes on byte by byte."""


class Hook(BaseHTTPRequestHandler):
    """A receiver that answers with the status of its server."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        if self.server.status == DRIPPING:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            with suppress(OSError):  # the sender has had enough
                for _byte in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def receive(status: int = 200) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.got, server.status = [], status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def alerted(mailed: Mailbox, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """An alert may open on Monday; a receiver on this machine is allowed."""
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", "127.0.0.1, hooks.example.org")
    want_digest()
    return mailed


def open_alert(set_clock: SetClock) -> None:
    set_clock(MONDAY)
    settle_week()
    assert run(["alerts", "add", "answer_rate", "--above", "0.1"]) == 0
    assert run(["alerts", "evaluate"]) == 0


def test_a_new_alert_is_told_once_signed_in_the_scope_of_who_entered_the_webhook(
    alerted: Mailbox, set_clock: SetClock
) -> None:
    with receive() as hook:
        address = f"http://127.0.0.1:{hook.server_port}/in?key=1"
        secret = webhook.enter(viewer_of("all"), address, "json")
        open_alert(set_clock)
        assert worker.work() == 1
        assert worker.work() == 0
        [(path, headers, body)] = hook.got
    assert path == "/in?key=1"
    signed = headers["X-Ecoute-Timestamp"].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Ecoute-Signature"] == f"sha256={expected}"
    content = json.loads(body)
    assert content["title"] == "New alerts" and "Answer rate" in content["lines"][0]
    assert content["link"] == "https://ecoute.example.org/overview"
    [entry] = [one for one in ledger.find_all(SYSTEM) if one.kind == "webhook"]
    assert content["id"] in entry.message_id and entry.state == "sent"
    # The webhook is no mail.
    assert "all" not in {recipient.username for recipient in schedule.find_recipients(SYSTEM)}
    assert ledger.find_own_last(viewer_of("all")) is None


def test_an_alert_on_what_the_person_does_not_see_is_not_told(
    alerted: Mailbox, set_clock: SetClock
) -> None:
    with receive() as hook:
        webhook.enter(viewer_of("lil"), f"http://127.0.0.1:{hook.server_port}", "slack")
        open_alert(set_clock)  # on the whole centre
        assert worker.work() == 0
    assert hook.got == [] and find_outcomes()["lil"] == ("dropped", "nothing_new")


@pytest.mark.parametrize(
    ("status", "outcome", "told"),
    [
        (302, ("failed", "answered:302"), "the receiving server answered with status 302"),
        (410, ("failed", "answered:410"), "the receiving server answered with status 410"),
        (503, ("due", "answered:503"), "the receiving server answered with status 503"),
        (DRIPPING, ("due", "unreachable"), "the receiving server did not answer"),
    ],
)
def test_a_receiver_that_fails_is_seen_and_a_redirect_is_not_followed(
    alerted: Mailbox,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    outcome: tuple[str, str],
    told: str,
) -> None:
    if status == DRIPPING:  # which is an answer of 200 after five seconds
        monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.5)
    with receive(status) as hook:
        webhook.enter(viewer_of("all"), f"http://127.0.0.1:{hook.server_port}/in", "teams")
        open_alert(set_clock)
        assert worker.work() == 0
        assert [path for path, _headers, _body in hook.got] == ["/in"]
        card = json.loads(hook.got[0][2])["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard" and "Answer rate" in card["body"][1]["text"]
    assert find_outcomes()["all"] == outcome
    assert run(["deliveries", "list"]) == 0 and f"({told})" in capsys.readouterr().out


def test_a_mail_server_that_is_down_holds_back_no_message(
    alerted: Mailbox, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(MONDAY)
    settle_week()
    mail_choices.change(viewer_of("nora"), address="nora.new@example.org")
    monkeypatch.setenv("QA_SMTP_URL", "smtp://127.0.0.1:1")
    with receive() as hook:
        webhook.enter(viewer_of("all"), f"http://127.0.0.1:{hook.server_port}", "json")
        set_clock("2026-10-19T07:06")
        assert run(["alerts", "add", "answer_rate", "--above", "0.1"]) == 0
        assert run(["alerts", "evaluate"]) == 0
        assert worker.work() == 1
    assert len(hook.got) == 1
    assert (find_outcomes()["nora"], find_outcomes()["all"][0]) == (("due", "unreachable"), "sent")


NOT_ALLOWED = (
    "https://other.example.org/in",
    "http://hooks.example.org/in",
    "https://user@hooks.example.org/in",
    "https://10.0.0.1/in",
    "https://[::1]/in",
    "ftp://127.0.0.1/in",
    "https://127.0.0.1:x/in",
    "https://[bad/in",
)
PRIVATE = (
    "127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
    "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "fec0::1",
    "::10.0.0.1",
)  # fmt: skip


def test_an_address_that_is_not_allowed_or_leads_to_a_private_network_is_refused(
    alerted: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager, public = viewer_of("all"), (2, 1, 6, "", ("93.184.216.34", 443))
    found: list[Any] = [public]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_given, **_named: found)
    for address in NOT_ALLOWED:
        with pytest.raises(Refusal) as refused:
            webhook.enter(manager, address, "json")
        assert refused.value.code == "outside_host", address
    for ip in PRIVATE:
        found[:] = [public, (2, 1, 6, "", (ip, 443))]
        with pytest.raises(Refusal):
            webhook.enter(manager, "https://hooks.example.org/in", "json")
    found[:] = [public]
    webhook.enter(manager, "https://hooks.example.org/in", "json")


@pytest.mark.parametrize("form", ["json", "slack", "teams"])
def test_without_an_address_of_the_centre_a_message_has_no_link(
    alerted: Mailbox, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for name in ("QA_PUBLIC_URL", "QA_SMTP_URL"):
        monkeypatch.delenv(name)
    with receive() as hook:
        webhook.enter(viewer_of("all"), f"http://127.0.0.1:{hook.server_port}", form)
        open_alert(set_clock)
        assert worker.work() == 1
    [(_path, _headers, body)] = hook.got
    assert b"overview" not in body and b"OpenUrl" not in body and b"<>" not in body


@pytest.mark.parametrize(
    "name", ["[a](https://x.example)", "\\[a](https://x.example)", "<!channel>"]
)
def test_no_name_is_a_link_or_a_call_in_a_chat(name: str) -> None:
    message = webhook.AlertMessage("1", "New alerts", (f"**{name}**: 3",), "", "Version 1")
    slack = webhook.FORMATS["slack"](message)["text"]
    card = webhook.FORMATS["teams"](message)["attachments"][0]["content"]["body"][1]["text"]
    assert "<" not in slack
    # Each bracket follows an odd number of backslashes, so that Markdown shows it as it is.
    assert all(len(run) % 2 for run in re.findall(r"(\\*)\[", card))


def test_a_name_that_leads_nowhere_is_refused_as_such(
    alerted: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", "hooks.example.invalid")
    with pytest.raises(Refusal, match="No server is found under this address"):
        webhook.enter(viewer_of("all"), "https://hooks.example.invalid/in", "json")


@pytest.mark.sqlite("it looks into the file of the records")
def test_only_who_sees_alerts_enters_the_webhook_and_nobody_reads_its_address_again(
    alerted: Mailbox,
) -> None:
    for username in ("root", "nora", "boss", "dana", "adv0"):
        with pytest.raises(AccessDenied):
            webhook.enter(viewer_of(username), "http://127.0.0.1:9/in", "json")
    webhook.enter(viewer_of("all"), "http://127.0.0.1:9/secret-path", "json")
    found = webhook.find(viewer_of("dana"))
    assert (found.host, found.username) == ("127.0.0.1", "all")
    assert b"secret-path" not in (environment.current().folder / "records.sqlite").read_bytes()
    with pytest.raises(AccessDenied):
        webhook.find(viewer_of("nora"))
    with pytest.raises(AccessDenied):
        webhook.enter(SYSTEM, "http://127.0.0.1:9/in", "json")


def test_the_pages_show_who_receives_what_and_let_a_person_choose(
    alerted: Mailbox, set_clock: SetClock, open_app: Callable[..., AppTest]
) -> None:
    want_digest("adv0")
    set_clock(MONDAY)
    alerted.answers[address_of("adv0")] = "550 unknown"
    worker.work()

    gate = "Mail and webhook in use since"
    assert not [button for button in open_app("dana", "deliveries").button if "Try" in button.label]
    app = open_app("root", "deliveries")
    assert not app.exception and gate not in [item.label for item in app.text_input]
    assert "the receiving server refused it" in text_of_page(app)
    [again] = [button for button in app.button if button.label == "Try again"]
    alerted.answers.clear()
    again.click().run()
    assert worker.work() == 1

    app = open_app("adv0", "my_account")
    assert not app.exception and "Last mail: sent" in text_of_page(app)
    assert "New alerts, at once" not in [box.label for box in app.checkbox]
    [digest] = [box for box in app.checkbox if box.label == "Digest"]
    digest.uncheck()
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert mail_choices.find(viewer_of("adv0")).digest is False

    app = open_app("dana", "deliveries")
    next(item for item in app.text_input if item.label == gate).set_value("off")
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    [state] = [one for one in gates.find_all(SYSTEM) if one.gate == gates.OF_DELIVERY]
    assert (state.value, state.set_by) == (None, "dana")
