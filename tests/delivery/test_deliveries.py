"""Deliveries: who gets which mail, when, once, and with which numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from builders.centres import evaluation
from builders.mail_server import Mailbox, html_of, text_of
from builders.mailed_centre import (
    DIGESTS,
    address_of,
    find_link,
    find_outcomes,
    settle_week,
    viewer_of,
    want_digest,
)
from builders.shown_texts import text_of as text_of_page
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, mail_choices
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance.conditions import gates
from qa_core.delivery import ledger, schedule, worker
from qa_core.quality import data_version
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.deliveries import MailChoice
from qa_core.storage.records.evaluations import Evaluation

SYSTEM = Viewer.SYSTEM
MONDAY, NEXT_MONDAY = "2026-10-19T07:05", "2026-10-26T07:05"
SetClock = Callable[[str], None]


def read_page(open_app: Callable[..., AppTest], username: str, page: str) -> str:
    app = open_app(username, page)
    assert not app.exception
    metrics = [f"{item.value} {item.delta}" for item in app.metric]
    return "\n".join((text_of_page(app), *metrics))


def test_each_reader_gets_the_numbers_of_the_page_once_a_week_by_the_wall_clock(
    mailed_and_published: Mailbox, set_clock: SetClock, open_app: Callable[..., AppTest]
) -> None:
    set_clock("2026-10-19T06:59")
    assert worker.work() == 0
    set_clock(MONDAY)
    assert worker.work() == 3
    assert {to.partition("@")[0] for to in mailed_and_published.receivers} == set(DIGESTS)
    first = mailed_and_published.take()
    set_clock("2026-10-20T12:00")
    assert worker.work() == 0
    set_clock("2026-10-26T06:59")  # in winter time since the day before
    assert worker.work() == 0
    set_clock(NEXT_MONDAY)
    assert worker.work() == 2  # executives: no new month
    second = mailed_and_published.take()
    assert all(first[to]["Message-ID"] != second[to]["Message-ID"] for to in second)

    shown = read_page(open_app, "esther", "overview")
    text = text_of(second[address_of("esther")])
    figures = text.partition("FIGURES")[2].partition("\n\n")[0].strip().splitlines()
    assert len(figures) >= 4
    for line in figures:
        found = re.fullmatch(r"- (.+?): (.+?)(?: \((.+)\))?(?: · (small sample))?", line)
        title, value, change, sample = found.groups()
        assert title in shown and value in shown, line
        assert sample is None or sample in shown, line
        assert change is None or change in shown, line
    looked = text.partition("WHAT NEEDS A LOOK")[2].partition("\n\n")[0].strip().splitlines()
    assert len(looked) == 4
    for line in looked:
        assert line.removeprefix("- ") in shown.replace("**", ""), line
    assert f"Data version {data_version.find_version().code}" in text

    shown = read_page(open_app, "boss", "board").replace("**", "")
    text = text_of(first[address_of("boss")])
    months = "Jul – Sept 2026; data starts on 1 Aug 2026"
    assert months in text and months in shown
    sentences = text.partition("IN SHORT")[2].partition("\n\n")[0].strip().splitlines()
    assert len(sentences) == 3
    for line in sentences:
        assert line.removeprefix("- ") in shown, line
    for line in text.partition("FIGURES")[2].partition("\n\n")[0].strip().splitlines():
        assert all(part in shown for part in line.partition(": ")[2].split(" · ")), line


def test_a_mail_has_text_and_html_a_way_out_and_nothing_remote_or_personal(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("nora")
    set_clock(MONDAY)
    worker.work()

    [mail] = mailed.of(address_of("nora"))
    html = html_of(mail)
    assert mail["From"] == "Écoute <ecoute@example.org>"
    assert re.fullmatch("<https://ecoute.example.org/mail/[^>]+>", mail["List-Unsubscribe"])
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert not re.search("<img|<link|<script|src=|url\\(", html)
    assert set(re.findall('href="(https?://[^/]+)', html)) == {"https://ecoute.example.org"}
    whole = text_of(mail) + html
    assert not re.search("Person|Sud|Est|example.org/(contact|advisor)", whole.partition("--")[0])
    assert "overview?period=days&from=2026-09-20&to=2026-10-17" in whole
    assert len(text_of(mail).split()) < 150  # read in half a minute


def test_who_left_or_changed_between_schedule_and_run_gets_nothing_and_the_list_says_why(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock("2026-10-19T06:00")
    want_digest("sam", "esther", "lil", "nic", "both")
    settle_week()
    set_clock(MONDAY)
    schedule.enter_due(now())
    accounts.disable(SYSTEM, "sam")
    accounts.change(SYSTEM, "esther", accounts.AccountTerms("evaluator"))
    with store.writing() as session:
        session.get(MailChoice, "lil").paused_until = environment.today()
        session.get(MailChoice, "nic").digest = False
        session.get(MailChoice, "both").confirmed_at = None
    worker.work()

    outcomes = find_outcomes()
    assert mailed.receivers == []
    assert {name: outcomes[name] for name in ("sam", "lil", "nic", "both", "esther")} == {
        "sam": ("dropped", "left"),
        "lil": ("dropped", "paused"),
        "nic": ("dropped", "declined"),
        "both": ("dropped", "no_address"),
        "esther": ("dropped", "no_permission"),
    }


def test_a_person_who_moved_to_another_team_gets_that_team_s_figures(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("nora")
    set_clock(MONDAY)
    schedule.enter_due(now())
    accounts.change(SYSTEM, "nora", accounts.AccountTerms("team_lead", teams=("Est",)))
    worker.work()

    [mail] = mailed.of(address_of("nora"))
    # Of Est, more than half of the calls since 5 October are abandoned.
    [rate] = re.findall("Answer rate: ([0-9.]+)", text_of(mail))
    assert float(rate) < 80


def test_nothing_leaves_before_the_gate_is_open_nor_after_it_was_closed(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock(MONDAY)
    schedule.enter_due(now())
    gates.set_gate(SYSTEM, "delivery_since", "off")
    worker.work()
    assert mailed.receivers == []
    assert set(find_outcomes().values()) == {("dropped", "gate_closed")}
    set_clock("2026-10-21T09:00")
    gates.set_gate(SYSTEM, "delivery_since", "2026-10-21")
    set_clock("2026-10-21T10:00")
    worker.work()

    assert mailed.receivers == []  # Monday's was due before the gate was opened again


def test_a_gate_that_is_closed_while_mails_leave_stops_the_next_one(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("esther", "boss", "nora")
    set_clock(MONDAY)

    def close() -> None:
        gates.set_gate(SYSTEM, "delivery_since", "off")
        worker.enter_due()  # as another server does

    mailed.meanwhile = close
    assert worker.work() == 1
    [first] = mailed.receivers
    outcomes = find_outcomes()
    assert outcomes.pop(first.partition("@")[0]) == ("sent", None)
    assert ("dropped", "gate_closed") in outcomes.values()
    assert {state for state, _cause in outcomes.values()} == {"dropped"}


def test_an_address_entered_before_the_gate_is_confirmed_when_it_opens(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock("2026-10-20T10:00")
    gates.set_gate(SYSTEM, "delivery_since", "off")
    mail_choices.change(viewer_of("nora"), address="nora.new@example.org")
    worker.work()
    assert mailed.receivers == []
    set_clock("2026-11-20T10:00")
    gates.set_gate(SYSTEM, "delivery_since", "2026-11-20")
    worker.work()
    worker.work()
    [mail] = mailed.of("nora.new@example.org")
    mail_choices.follow(find_link(text_of(mail)))
    assert mail_choices.find(viewer_of("nora")).confirmed_at is not None


def test_a_link_that_has_ended_is_replaced_by_saving_again(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock("2026-10-20T10:00")
    settle_week()
    for moment, sent in (("10-20T10:00", 1), ("10-20T18:00", 1), ("10-21T10:30", 2)):
        set_clock(f"2026-{moment}")
        mail_choices.change(viewer_of("nora"), address="nora.new@example.org")
        worker.work()
        assert len(mailed.of("nora.new@example.org")) == sent
    mail_choices.follow(find_link(text_of(mailed.mails[-1])))
    set_clock("2026-10-23T10:30")
    mail_choices.change(viewer_of("nora"), address="nora.new@example.org", notices=True)
    assert mail_choices.find(viewer_of("nora")).confirmed_at is not None


def test_after_a_stop_of_weeks_only_the_newest_digest_goes_out(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("adv0")
    mailed.answers[address_of("adv0")] = "451 later"
    set_clock(MONDAY)
    worker.work()
    mailed.answers.clear()
    set_clock("2026-11-11T10:00")  # a public holiday
    worker.work()

    entries = [entry for entry in ledger.find_all(SYSTEM) if entry.username == "adv0"]
    assert [(entry.period, entry.state, entry.cause) for entry in entries[:2]] == [
        ("2026-W46", "sent", None),
        ("2026-W43", "dropped", "superseded"),
    ]
    assert len(mailed.receivers) == 1


def test_a_server_that_fails_is_tried_again_later_and_later_under_the_same_id(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("adv0")
    mailed.answers[address_of("adv0")] = "451 later"
    set_clock(MONDAY)
    worker.work()
    waits = []
    for _attempt in range(6):
        [entry] = ledger.find_all(SYSTEM)[:1]
        if entry.state == "failed":
            break
        waits.append(round((entry.blocked_until - now()).total_seconds() / 60))
        set_clock(environment.to_local(entry.blocked_until + timedelta(seconds=5)).isoformat())
        worker.work()
    assert waits == [5, 30, 120, 360, 720]
    [failed] = ledger.find_all(SYSTEM)[:1]
    assert (failed.state, failed.cause, failed.attempts) == ("failed", "unreachable", 6)
    mailed.answers.clear()
    ledger.retry(SYSTEM, failed.id)
    with store.reading() as session:
        newest = session.scalar(sa.select(JournalRow).order_by(JournalRow.seq.desc()).limit(1))
    assert (newest.action, newest.object) == ("delivery_retried", str(failed.id))
    worker.work()

    [mail] = mailed.of(address_of("adv0"))
    assert mail["Message-ID"] == failed.message_id


def test_a_receiver_that_delays_holds_nobody_else_up(mailed: Mailbox, set_clock: SetClock) -> None:
    want_digest("adv0", "adv1")
    mailed.answers[address_of("adv0")] = "451 later"
    set_clock(MONDAY)
    assert worker.work() == 1

    assert mailed.receivers == [address_of("adv1")]
    assert find_outcomes()["adv0"] == ("due", "unreachable")


def test_a_server_that_ends_badly_has_still_taken_what_was_sent(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("adv0")
    mailed.answers["QUIT"] = "421 4.4.2 timeout exceeded"
    set_clock(MONDAY)
    assert worker.work() == 1
    assert find_outcomes()["adv0"][0] == "sent"


def test_a_refused_address_fails_at_once_and_others_still_get_theirs(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest("adv0", "adv1")
    mailed.answers[address_of("adv0")] = "550 unknown"
    set_clock(MONDAY)
    assert worker.work() == 1

    assert find_outcomes()["adv0"] == ("failed", "refused")
    assert mailed.receivers == [address_of("adv1")]


def test_two_servers_share_the_work_and_nobody_gets_it_twice(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock(MONDAY)
    schedule.enter_due(now())
    claimed = [ledger.claim(), ledger.claim()]
    assert claimed[0].id != claimed[1].id
    set_clock("2026-10-19T07:20")  # both died: others take over after ten minutes
    again = ledger.claim()

    assert (again.id, again.message_id) == (claimed[0].id, claimed[0].message_id)
    ledger.settle(claimed[0], ledger.SENT)  # too late: it is another's attempt now
    assert find_outcomes()[again.username] == ("sending", None)


def test_a_restore_drops_what_was_due_before_it(mailed: Mailbox, set_clock: SetClock) -> None:
    set_clock(MONDAY)
    schedule.enter_due(now())
    set_clock("2026-10-19T09:00")
    with store.writing() as session:
        audit_log.record(session, "system", "backup_restored", "backup")
    set_clock("2026-10-19T09:10")
    worker.work()

    assert mailed.receivers == []
    assert set(find_outcomes().values()) == {("dropped", "restored")}


def test_notices_come_once_with_what_began_since_the_last_mail(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    want_digest()
    set_clock("2026-10-20T10:00")
    publish_evaluation_of("a1")
    with store.writing() as session:
        session.get(MailChoice, "adv1").notices = True
        session.get(MailChoice, "adv1").language = "fr"
    set_clock("2026-10-21T07:01")
    assert worker.work() == 1
    [mail] = mailed.of(address_of("adv1"))
    assert "1 évaluation à lire" in text_of(mail)
    set_clock("2026-10-22T07:01")

    assert worker.work() == 0
    assert find_outcomes()["adv1"] == ("dropped", "nothing_new")


def publish_evaluation_of(advisor: str) -> None:
    with store.writing() as session:
        [old] = session.query(Evaluation).filter_by(advisor_id=advisor).limit(1)
        row = {name: getattr(old, name) for name in ("source_system", "contact_id", "advisor_id")}
        made = evaluation({**row, "team": old.team, "local_start": now()}, 70.0)
        made.local_day, made.published_at = environment.today(), now()
        session.add(made)


def test_an_address_is_used_once_its_owner_opened_the_link(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock("2026-10-20T10:00")
    settle_week()
    nora = viewer_of("nora")
    mail_choices.change(nora, address="nora.new@example.org")
    worker.work()
    [mail] = mailed.of("nora.new@example.org")
    link = find_link(text_of(mail))
    assert mail["List-Unsubscribe"] is None
    assert mail_choices.find(nora).confirmed_at is None
    assert mail_choices.find_act(link) == "confirm"  # looking changes nothing
    assert mail_choices.find(nora).confirmed_at is None
    mail_choices.follow(link)
    assert mail_choices.find(nora).confirmed_at is not None
    with pytest.raises(AccessDenied):
        mail_choices.follow(link)  # once
    with pytest.raises(AccessDenied):
        mail_choices.find_act(link)  # nor does its page ask again

    mail_choices.change(nora, address="other@example.org")
    worker.work()
    [mail] = mailed.of("other@example.org")
    link = find_link(text_of(mail))
    set_clock("2026-10-21T10:30")
    with pytest.raises(AccessDenied):
        mail_choices.follow(link)  # a day is over


def test_addresses_cannot_be_used_to_flood_others(mailed: Mailbox, set_clock: SetClock) -> None:
    set_clock("2026-10-20T10:00")
    settle_week()
    nora = viewer_of("nora")
    for number in range(3):
        mail_choices.change(nora, address=f"victim{number}@example.org")
        worker.work()
    with pytest.raises(Refusal) as refused:
        mail_choices.change(nora, address="victim3@example.org")
    assert refused.value.code == "too_many_addresses"
    for bad in ("nora", "a@b", "a@b.org\nBcc: x@y.org", "a b@c.org", "x" * 250 + "@a.org"):
        with pytest.raises(Refusal):
            mail_choices.change(viewer_of("adv0"), address=bad)


def test_an_address_that_the_provider_changes_is_confirmed_again(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    set_clock("2026-10-20T10:00")
    with store.writing() as session:
        row = session.get(MailChoice, "nora")
        row.provider_address = row.address
    mail_choices.note_provider_address("nora", address_of("nora"))
    assert mail_choices.find(viewer_of("nora")).confirmed_at is not None
    mail_choices.note_provider_address("nora", "nora@other.example.org")
    found = mail_choices.find(viewer_of("nora"))
    assert (found.address, found.confirmed_at) == ("nora@other.example.org", None)

    mail_choices.note_provider_address("sam", "sam@provider.example.org")  # who entered one
    assert mail_choices.find(viewer_of("sam")).address == address_of("sam")


def test_a_preview_says_why_there_is_no_such_mail(
    mailed: Mailbox, set_clock: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    set_clock(MONDAY)
    for name, kind, cause in (
        ("all", "alerts", "nothing to report"),
        ("boss", "digest", "nothing to report"),
        ("adv0", "alerts", "the role or the teams no longer allow it"),
        ("dana", "digest", "the role or the teams no longer allow it"),
    ):
        assert run(["deliveries", "preview", name, "--kind", kind]) == 1
        assert f"{name} gets no such mail: {cause}." in capsys.readouterr().err


@pytest.mark.parametrize("text", ["@example.org", "example.com; Example.org"])
def test_allowed_domains_are_read_as_people_write_them(
    mailed: Mailbox, set_clock: SetClock, text: str
) -> None:
    want_digest("adv0")
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "mail_domains", text)
    set_clock(MONDAY)
    worker.work()
    assert mailed.of(address_of("adv0"))


def test_only_addresses_of_the_allowed_domains_get_mail(
    mailed: Mailbox, set_clock: SetClock
) -> None:
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "mail_domains", "example.net")
    want_digest("nora")
    set_clock(MONDAY)
    worker.work()

    assert mailed.receivers == []
    assert find_outcomes()["nora"] == ("dropped", "bad_domain")


@pytest.mark.parametrize("choice", ["figures", "with_pdf"])
def test_the_board_sheet_is_attached_for_executives_alone_where_the_centre_says_so(
    mailed_and_published: Mailbox, set_clock: SetClock, choice: str
) -> None:
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "board_mail", choice)
    set_clock(MONDAY)
    assert worker.work() == 3
    files = {
        to.partition("@")[0]: [part.get_filename() for part in message.iter_attachments()]
        for to, message in mailed_and_published.take().items()
    }
    sheet = ["board-3m-2026-09.pdf"] if choice == "with_pdf" else []
    assert files == {"esther": [], "adv0": [], "boss": sheet}
