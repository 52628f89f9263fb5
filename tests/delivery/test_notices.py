"""Notices: what waits for a person, on the page and for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import centre_with_calls
from builders.centre_with_calls import viewer_of
from builders.listening_centre import accredit
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance import requests
from qa_core.delivery import notices
from qa_core.quality.coaching import plans
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ConfirmedReading
from qa_core.storage.records.people import SignInThrottle

SYSTEM = Viewer.SYSTEM


@pytest.fixture
def people(start_from: Callable[..., None], add_person: Callable[..., str]) -> None:
    start_from(centre_with_calls.build, add_person)
    add_person("dana", "dpo")
    add_person("root", "admin")
    add_person("boss", "executive")
    add_person("mona", "manager", sites=("Lille",))


def find(username: str) -> dict[str, str]:
    return {notice.kind: notice.text for notice in notices.find_notices(viewer_of(username))}


def test_each_thing_waits_for_the_one_it_concerns_and_leads_to_a_page(
    people: None, open_app: Callable[..., AppTest]
) -> None:
    today = environment.today()
    accredit("max", days=5)
    requests.add(SYSTEM, "access", "account", "eve", today - timedelta(days=26))
    plans.open_plan(viewer_of("lea"), "A1", "Listen more", (), (), today, None)
    with store.writing() as session:
        old = now() - timedelta(days=60)
        session.add(SignInThrottle(key="account:x", last_failure_at=old))
        session.add(
            ConfirmedReading(
                layout="0123456789", kind="contacts", system="generic", mapping={}, headers=[],
                options={}, words={}, facts={}, printed=[], waiting="/in/calls.csv",
            )
        )  # fmt: skip

    assert find("eve") == {"draw_assigned": "1 contact drawn for you to evaluate"}
    assert find("max") == {"accreditation_ends": "1 accreditation ends soon"}
    assert find("ann") == {
        "evaluation_published": "1 evaluation to read",
        "coaching_agreed": "1 new coaching plan",
    }
    assert find("dana") == {
        "accreditations_end": "1 accreditation ends soon",
        "request_due": "1 request of a person to answer",
        "deletion_overdue": "1 kind of data kept too long",
    }
    assert find("root") == {"import_waiting": "1 file waits for an answer"}
    for username in ("bob", "lea", "boss", "mona"):
        assert find(username) == {}

    app = open_app("dana", "my_account")
    assert not app.exception
    links = [item.proto.label for item in app.get("page_link")]
    # The sign-in deleted the failure that was kept too long.
    assert {"2 notices for you", "1 request of a person to answer"} <= set(links)


def test_only_what_began_in_that_time_is_in_a_mail(people: None) -> None:
    ann, moment = viewer_of("ann"), now()

    assert notices.find_notices(ann, moment - timedelta(days=1), moment)
    assert not notices.find_notices(ann, moment, moment + timedelta(days=1))
