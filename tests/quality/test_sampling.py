"""Plans, draws and worklists: who is listened to, how much, and that nobody is who may
not be.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import listening_centre, plain_draw
from builders.centres import add_people, contact, evaluation, land

from qa_core.access import accounts
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli import app
from qa_core.compliance import audit_report
from qa_core.compliance.conditions.listened import whole_months
from qa_core.ingest.load import recovery
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.law import sampling_frame as frames
from qa_core.quality import sampling
from qa_core.quality.evaluations import drafts
from qa_core.quality.sampling import draw_status
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.listening import Draw, DrawnContact, Recording
from qa_core.storage.records.people import Account
from qa_core.upkeep import purge, subjects

MONTH = environment.today().replace(day=1)
LAST = MONTH - timedelta(days=1)
FIRST = LAST.replace(day=1)
"""The last full month, so that nothing is too old to be listened to."""

SYSTEM = Viewer.SYSTEM
RECORDED = {"recorded": True, "notice_played": True, "talk_seconds": 200.0}


def at(day: int, hour: int = 10) -> str:
    return f"{FIRST.replace(day=day)} {hour:02d}:00"


def call(
    contact_id: str, advisor: str, day: int = 2, hour: int = 10, **columns: Any
) -> dict[str, Any]:
    """A recorded call that may be listened to, unless said otherwise."""
    return contact(
        at(day, hour),
        contact_id,
        advisor_id=advisor,
        **{**RECORDED, "team": "North", "queue": "Orders"} | columns,
    )


def calls(advisor: str, count: int, **columns: Any) -> list[dict[str, Any]]:
    return [
        call(f"{advisor}{number}", advisor, day=2 + number % 20, hour=9 + number % 8, **columns)
        for number in range(count)
    ]


def plan(**changed: Any) -> dict[str, Any]:
    """The plan of the contract's example, over the last month."""
    content = {
        "name": "november",
        "purpose": "training",
        "from": FIRST,
        "to": LAST,
        "grid": "customer-service",
        "per_advisor": 4,
    }
    content |= {
        "maximum_per_advisor": 6,
        "strata": ["channel", "weekday"],
        "evaluators": ["eve"],
        "due": environment.today(),
    } | changed
    return {name: value for name, value in content.items() if value is not None}


@pytest.fixture
def listened(
    start_from: Callable[..., Any], add_person: Callable[..., str]
) -> Callable[[list[dict[str, Any]]], None]:
    """Fill a centre that may listen with contacts."""
    start_from(build_listened, add_person)
    return land


def build_listened(add_person: Callable[..., str]) -> None:
    """A centre that may listen: Zoé and Max in the North, Lea in the South, all
    informed; Eve and Tom evaluate.
    """
    add_people(
        {"zoe": "Zoé", "max": "Max", "lea": "Lea", "new": "Neu"}, {"North": "Lyon", "South": "Nice"}
    )
    add_person("eve", "evaluator")
    add_person("tom", "evaluator")
    listening_centre.open_gates()
    listening_centre.accredit("eve", "tom", days=60)
    listening_centre.inform("zoe", "max", "lea", on=f"{FIRST - timedelta(days=10)}")


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def keys(result: sampling.DrawResult) -> list[str]:
    return [one.contact_id for one in result.drawn]


# Plans.


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"colour": "red"}, "colour", "colour is unknown here. Known: name"),
        ({"name": "novem\nber"}, "name", "a text of 1 to"),
        ({"to": date(9999, 12, 31)}, "to", "a day, such as"),
        ({"purpose": "punishment"}, "purpose", "training, evaluation, quality"),
        ({"per_advisor": None}, "per_advisor", "missing"),
        ({"per_advisor": 0}, "per_advisor", "from 1 to"),
        ({"per_advisor": True}, "per_advisor", "whole number"),
        ({"maximum_per_advisor": 3}, "maximum_per_advisor", "at least 4 (per_advisor)"),
        ({"from": LAST + timedelta(days=3)}, "to", f"a day from {LAST + timedelta(days=3)}"),
        ({"to": "31/10/2026"}, "to", "a day, such as"),
        ({"strata": ["channel", "mood"]}, "strata", "mood is unknown"),
        ({"strata": "channel"}, "strata", "a list of texts"),
        ({"evaluators": ["nobody"]}, "evaluators", "nobody is not an active evaluator"),
        ({"evaluators": ["boss"]}, "evaluators", "boss is not an active evaluator"),
        ({"evaluators": []}, "evaluators", "at least one"),
        ({"grid": "manners"}, "grid", "manners is unknown here. Known: "),
        (
            {"minimum_seconds": 60, "maximum_seconds": 30},
            "maximum_seconds",
            "at least 60 (minimum_seconds)",
        ),
        ({"due": FIRST - timedelta(days=1)}, "due", f"a day from {FIRST}"),
    ],
)
def test_every_fault_of_a_plan_is_named_by_its_field(
    listened: Any, add_person: Any, changed: dict[str, Any], field: str, said: str
) -> None:
    add_person("boss", "manager", sites=("Lyon",))

    with pytest.raises(Refusal) as refused:
        sampling.add_plan(SYSTEM, plan(**changed))

    assert refused.value.code == "bad_plan" and refused.value.params["field"] == field
    assert said in str(refused.value)
    assert sampling.find_plans(SYSTEM) == []


def test_a_plan_publishes_the_starter_grid_that_it_names_and_is_added_once(listened: Any) -> None:
    sampling.add_plan(SYSTEM, plan(grid="customer_service"))

    with store.reading() as session:
        assert session.scalars(
            sa.select(ScorecardVersion.key).where(ScorecardVersion.published_at.is_not(None))
        ).all() == ["customer-service"]
    with pytest.raises(Refusal) as refused:
        sampling.add_plan(SYSTEM, plan())
    assert refused.value.code == "plan_exists"


def test_only_managers_plan_and_draw(listened: Any, add_person: Any) -> None:
    sampling.add_plan(SYSTEM, plan())
    for role in ("team_lead", "admin", "dpo", "executive"):
        viewer = viewer_of(add_person(f"the_{role}", role))
        for act in (
            lambda v: sampling.add_plan(v, plan(name="other")),
            lambda v: sampling.draw(v, "november", 5),
            lambda v: sampling.close(v, "november"),
            sampling.find_plans,
        ):
            with pytest.raises(AccessDenied):
                act(viewer)


# The frame.


def test_every_contact_of_the_period_is_in_the_frame_or_outside_for_its_first_reason(
    listened: Any,
) -> None:
    listened(
        [
            *calls("zoe", 5),
            call("abandoned", "zoe", outcome="abandoned", customer_objected=True),
            contact(at(3), "nobody", advisor_id=None, **RECORDED),
            contact(at(3), "bot", advisor_id=None, handled_by="machine", **RECORDED),
            call("uninformed", "new", customer_objected=True),
            call("objected", "zoe", customer_objected=True, notice_played=False),
            call("silent", "zoe", notice_played=None),
            call("stopped", "zoe", stopped_by_advisor=True),
            call("private", "zoe", private_line=True),
            call("proof", "zoe", recording_purpose="proof"),
            call("unrecorded", "zoe", recorded=None),
            call("short", "zoe", talk_seconds=29.0),
            call("long", "zoe", talk_seconds=700.0, hold_seconds=300.0),
            call("marked", "zoe"),
            call("inside", "zoe", direction="internal"),
            contact(f"{MONTH} 10:00", "later", advisor_id="zoe", **RECORDED),
        ]
    )
    with store.writing() as session:
        session.add(evaluation(call("marked", "zoe"), 80.0))
    sampling.add_plan(SYSTEM, plan(minimum_seconds=30, maximum_seconds=900))

    result = sampling.draw(SYSTEM, "november", 5, dry_run=True)

    once = (
        "not_answered",
        "machine",
        "no_advisor",
        "advisor_not_informed",
        "objected",
        "no_notice",
        "stopped_by_advisor",
        "private_line",
        "proof",
    )
    assert dict(result.excluded) == dict.fromkeys(
        (*once, "not_recorded", "too_short", "too_long", "already_evaluated"), 1
    )
    assert result.frame == 5 and set(keys(result)) < {f"zoe{number}" for number in range(5)}
    # 18 inbound contacts of the month; the internal call and the one of next month are
    # no part of it.
    assert result.frame + sum(result.excluded.values()) == 18
    assert dict(result.short) == {"new": 4}


def test_an_advisor_is_drawn_from_the_day_of_their_notice_on(listened: Any) -> None:
    listened(
        [call("before", "new", day=9), call("same", "new", day=10), call("after", "new", day=11)]
    )
    listening_centre.inform("new", on=f"{FIRST.replace(day=10)}")
    sampling.add_plan(SYSTEM, plan())

    assert sorted(keys(sampling.draw(SYSTEM, "november", 5))) == ["after", "same"]


def test_where_recordings_are_kept_only_those_that_can_be_played_are_drawn(listened: Any) -> None:
    listened([*calls("zoe", 8), call("chat", "zoe", recorded=None)])
    sampling.add_plan(SYSTEM, plan())
    with store.writing() as session:
        for contact_id, deleted in (("zoe1", None), ("zoe2", now()), ("chat", None)):
            row = {
                "source_system": "generic",
                "contact_id": contact_id,
                "local_day": FIRST,
                "purpose": "training,quality",
                "digest": contact_id,
                "media_type": "audio/ogg",
            }
            session.add(
                Recording(
                    **row,
                    clear_bytes=1,
                    seconds=60.0,
                    recorded_at=now(),
                    delete_after=now() + timedelta(days=90),
                    deleted_at=deleted,
                )
            )

    result = sampling.draw(SYSTEM, "november", 5)

    assert sorted(keys(result)) == ["chat", "zoe1"]
    assert dict(result.excluded) == {"no_audio": 7}


# The draw.


def test_nothing_is_drawn_before_the_gates_are_open_and_somebody_is_accredited(
    centre: Path, add_person: Any
) -> None:
    add_people({"zoe": "Zoé"})
    add_person("eve", "evaluator")
    add_person("tom", "evaluator")
    land(calls("zoe", 6))
    sampling.add_plan(SYSTEM, plan())
    with pytest.raises(Refusal) as closed:
        sampling.draw(SYSTEM, "november", 5)
    listening_centre.open_gates()
    listening_centre.accredit("tom")
    with pytest.raises(Refusal) as nobody:
        sampling.draw(SYSTEM, "november", 5)

    assert (closed.value.code, nobody.value.code) == ("gate_closed", "no_evaluator")
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Draw.id))) == 0


def test_the_lake_draws_what_the_arithmetic_says(listened: Any) -> None:
    contacts = [*calls("zoe", 23), *calls("max", 9, channel="chat"), *calls("lea", 2)]
    listened(contacts)
    sampling.add_plan(SYSTEM, plan())

    result = sampling.draw(SYSTEM, "november", 5, dry_run=True)

    strata: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for row in contacts:
        cell = frames.SEPARATOR.join((row["channel"], str(row["local_start"].isoweekday())))
        strata.setdefault(row["advisor_id"], {}).setdefault(cell, []).append(
            ("generic", row["contact_id"])
        )
    expected = plain_draw.draw(strata, dict.fromkeys(strata, 4), 5, "november")
    assert [
        (one.advisor_id, (one.source_system, one.contact_id)) for one in result.drawn
    ] == expected
    assert Counter(one.advisor_id for one in result.drawn) == {"zoe": 4, "max": 4, "lea": 2}
    assert dict(result.short) == {"lea": 2}


def test_the_same_seed_gives_the_same_list_before_and_after_it_is_stored(listened: Any) -> None:
    listened([*calls("zoe", 23), *calls("max", 9)])
    sampling.add_plan(SYSTEM, plan())
    tried = sampling.draw(SYSTEM, "november", 5, dry_run=True)
    drawn = sampling.draw(SYSTEM, "november", 5)
    again = sampling.draw(SYSTEM, "november", 5)
    other = sampling.draw(SYSTEM, "november", 6)

    assert tried.as_json() == drawn.as_json() == again.as_json()
    entries = audit_report.find_entries(SYSTEM, action="draw_tried")
    assert [(entry.object, entry.reason) for entry in entries] == [("november", "seed 5, 8/32")]
    assert again.draw_id == drawn.draw_id
    assert other.drawn == () and dict(other.excluded) == {"already_drawn": 8}
    # Three contacts of an advisor who had none then: only these are added.
    land([*calls("lea", 3)], "second")
    assert sorted(keys(sampling.draw(SYSTEM, "november", 5))) == ["lea0", "lea1", "lea2"]


def test_whoever_may_see_a_draw_gets_the_same_list_from_its_seed(
    listened: Any, add_person: Callable[..., str]
) -> None:
    listened([*calls("zoe", 9), *calls("lea", 9, team="South")])
    sampling.add_plan(SYSTEM, plan())
    for name, site in (("mona", "Lyon"), ("nils", "Nice")):
        add_person(name, "manager", sites=(site,))
    norths, souths = (sampling.draw(viewer_of(name), "november", 5) for name in ("mona", "nils"))
    whole = sampling.draw(SYSTEM, "november", 5)

    assert sampling.draw(viewer_of("mona"), "november", 5).as_json() == norths.as_json()
    assert {one.advisor_id for one in norths.drawn} == {"zoe"} and {
        one.advisor_id for one in souths.drawn
    } == {"lea"}
    assert whole.as_json() == souths.as_json()  # the newest of the two


def test_draws_at_once_give_each_advisor_no_more_than_the_plan_says_and_nothing_twice(
    listened: Any,
) -> None:
    listened([*calls("zoe", 30), *calls("max", 30)])
    sampling.add_plan(SYSTEM, plan(maximum_per_advisor=4))
    together = threading.Barrier(4)

    def draw(seed: int) -> int:
        together.wait()
        return len(sampling.draw(SYSTEM, "november", seed).drawn)

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(draw, range(4)))

    assert sorted(drawn) == [0, 0, 0, 8]
    with store.reading() as session:
        rows = session.execute(
            sa.select(
                DrawnContact.advisor_id, sa.func.count(sa.distinct(DrawnContact.contact_id))
            ).group_by(DrawnContact.advisor_id)
        ).all()
    assert dict(map(tuple, rows)) == {"zoe": 4, "max": 4}


def test_a_draw_can_be_verified_and_says_what_changed_since(listened: Any) -> None:
    listened([*calls("zoe", 23), *calls("max", 9)])
    sampling.add_plan(SYSTEM, plan())
    drawn = sampling.draw(SYSTEM, "november", 5)
    with store.writing() as session:
        first = session.scalars(sa.select(DrawnContact).order_by(DrawnContact.position)).first()
        session.add(evaluation(call(first.contact_id, first.advisor_id), 70.0, drawn_id=first.id))
    same = sampling.verify(SYSTEM, drawn.draw_id)
    land(
        [call(drawn.drawn[0].contact_id, drawn.drawn[0].advisor_id, customer_objected=True)],
        "second",
    )
    changed = sampling.verify(SYSTEM, drawn.draw_id)

    assert same == sampling.DrawVerification(True, (), 32, 32)
    assert not changed.is_same
    assert changed.causes == ("lake_changed", "frame_changed", "objected", "list_changed")
    assert (changed.frame_then, changed.frame_now) == (32, 31)


def test_no_advisor_is_listened_to_beyond_the_maximum_whatever_the_plans(listened: Any) -> None:
    listened([*calls("zoe", 30), *calls("max", 30)])
    sampling.add_plan(SYSTEM, plan())
    sampling.add_plan(SYSTEM, plan(name="second"))
    with store.writing() as session:  # five were evaluated before, by whatever tool
        session.add_all(evaluation(call(f"max{number}", "max"), 80.0) for number in range(5))
    first = sampling.draw(SYSTEM, "november", 5)
    second = sampling.draw(SYSTEM, "second", 5)

    # Six at most: of Zoé four and two more, of Max one beside the five.
    assert Counter(one.advisor_id for one in first.drawn) == {"zoe": 4, "max": 1} and dict(
        first.short
    ) == {"max": 3}
    assert Counter(one.advisor_id for one in second.drawn) == {"zoe": 2} and dict(second.short) == {
        "zoe": 2,
        "max": 4,
    }
    assert second.excluded["advisor_at_maximum"] == 24
    with store.reading() as session:
        heard = session.execute(
            sa.select(DrawnContact.advisor_id, sa.func.count()).group_by(DrawnContact.advisor_id)
        ).all()
    assert dict(map(tuple, heard)) == {"zoe": 6, "max": 1}


def test_two_plans_of_half_a_month_limit_each_other(listened: Any) -> None:
    before = FIRST - timedelta(days=1)
    listened(
        [
            *calls("zoe", 30),
            *(
                contact(f"{before} {hour:02d}:00", f"old{hour}", advisor_id="zoe", **RECORDED)
                for hour in range(9, 15)
            ),
        ]
    )
    with (
        store.writing() as session
    ):  # four of the month before were evaluated: none of these plans counts them
        session.add_all(
            evaluation(
                call(f"old{hour}", "zoe") | {"local_start": datetime.combine(before, time(hour))},
                80.0,
            )
            for hour in range(9, 13)
        )
    for name, first, last in (
        ("early", FIRST, FIRST.replace(day=11)),
        ("late", FIRST.replace(day=12), LAST),
        ("whole", FIRST, LAST),
    ):
        sampling.add_plan(
            SYSTEM, plan(name=name, strata=[], maximum_per_advisor=6, **{"from": first, "to": last})
        )

    early, late, whole = (sampling.draw(SYSTEM, name, 5) for name in ("early", "late", "whole"))

    # Six of the month at most: four, then two, then none.
    assert [len(result.drawn) for result in (early, late, whole)] == [4, 2, 0]
    assert [dict(result.short) for result in (early, late, whole)] == [{}, {"zoe": 2}, {"zoe": 4}]
    assert sampling.verify(SYSTEM, late.draw_id).is_same


def test_a_maximum_is_counted_over_whole_months() -> None:
    assert whole_months(Period(date(2026, 11, 30), date(2026, 12, 6))) == Period(
        date(2026, 11, 1), date(2026, 12, 31)
    )
    assert whole_months(Period(date(2026, 11, 1), date(2026, 11, 30))) == Period(
        date(2026, 11, 1), date(2026, 11, 30)
    )


def test_evaluators_get_as_much_as_each_other_and_never_their_own_calls(listened: Any) -> None:
    listened([*calls("zoe", 10), *calls("max", 10), *calls("lea", 10)])
    with store.writing() as session:
        session.get(Account, "tom").advisor_id = "lea"
    sampling.add_plan(SYSTEM, plan(evaluators=["eve", "tom"]))
    sampling.add_plan(SYSTEM, plan(name="narrow", evaluators=["eve", "tom"], most_per_evaluator=1))

    given = Counter(
        (one.evaluator, one.advisor_id == "lea")
        for one in sampling.draw(SYSTEM, "november", 5).drawn
    )

    assert given["tom", True] == 0
    assert (
        given["eve", True] == 4
        and given["eve", False] + given["tom", False] == 8
        and 5 <= given["tom", False] <= 8
    )
    with pytest.raises(Refusal) as refused:
        sampling.draw(SYSTEM, "narrow", 5)
    assert refused.value.code == "evaluators_full"


def test_managers_draw_within_their_own_teams_alone(listened: Any, add_person: Any) -> None:
    listened([*calls("zoe", 10), *calls("lea", 10, team="South")])
    sampling.add_plan(SYSTEM, plan())
    lyon, nice = (
        viewer_of(add_person(name, "manager", sites=(site,)))
        for name, site in (("lyon", "Lyon"), ("nice", "Nice"))
    )

    drawn = sampling.draw(lyon, "november", 5)

    assert (
        drawn.frame == 10
        and {one.advisor_id for one in drawn.drawn} == {"zoe"}
        and dict(drawn.short) == {}
    )
    assert [(state.drawn, state.short) for state in sampling.find_plans(lyon)] == [(4, 0)]
    # A manager who sees nothing of that draw does not read that it found no contact.
    assert [(state.drawn, state.draws) for state in sampling.find_plans(nice)] == [(0, 0)]
    assert sampling.verify(lyon, drawn.draw_id).is_same
    with pytest.raises(AccessDenied):
        sampling.verify(nice, drawn.draw_id)
    with store.reading() as session:
        ids = session.scalars(sa.select(DrawnContact.id)).all()
    with pytest.raises(AccessDenied):
        sampling.replace(nice, ids[0], "inaudible")
    for find, most in ((draw_status.find_assignments, 4), (draw_status.find_load, 1)):
        assert (len(find(lyon)), find(nice)) == (most, [])
    # Of Zoé's team, and Eve until yesterday: neither is enough.
    lead = Viewer("eve", Role.TEAM_LEAD, (TeamSpan("North"),))
    with pytest.raises(AccessDenied):
        sampling.verify(lead, drawn.draw_id)
    with pytest.raises(AccessDenied):
        sampling.replace(lead, ids[0], "inaudible")
    with store.writing() as session:
        session.get_one(Account, "lyon").role = "team_lead"
    # Whoever drew may not any more: it is computed again over the whole centre.
    assert sampling.verify(SYSTEM, drawn.draw_id).frame_now == 20


# Worklists, replacing and picking.


def test_an_evaluator_finds_what_waits_for_them_and_nobody_elses(listened: Any) -> None:
    listened([*calls("zoe", 10), *calls("max", 10)])
    sampling.add_plan(
        SYSTEM, plan(evaluators=["eve"], per_advisor=2, due=environment.today() - timedelta(days=1))
    )
    sampling.add_plan(SYSTEM, plan(name="calm", evaluators=["eve", "tom"], per_advisor=2, due=None))
    sampling.draw(SYSTEM, "calm", 5)
    sampling.draw(SYSTEM, "november", 5)

    eve, tom = (sampling.find_worklist(viewer_of(name)) for name in ("eve", "tom"))

    assert [(item.plan, item.is_overdue) for item in eve] == [("november", True)] * 4 + [
        ("calm", False)
    ] * 2
    assert [item.plan for item in tom] == ["calm"] * 2
    assert {
        (item.channel, item.queue, item.purpose, item.grid_key, item.state) for item in eve
    } == {("phone", "Orders", "training", "customer-service", "waiting")}
    with pytest.raises(AccessDenied):
        sampling.find_worklist(Viewer("boss", None))


def test_a_contact_whose_caller_objects_after_the_draw_is_not_even_listed(listened: Any) -> None:
    listened(calls("zoe", 2))
    sampling.add_plan(SYSTEM, plan(per_advisor=2))
    sampling.draw(SYSTEM, "november", 5)
    assert {item.contact_id for item in sampling.find_worklist(viewer_of("eve"))} == {
        "zoe0",
        "zoe1",
    }

    land([call("zoe1", "zoe", day=3, hour=10, customer_objected=True)], "later")

    assert {item.contact_id for item in sampling.find_worklist(viewer_of("eve"))} == {"zoe0"}


def test_a_contact_is_replaced_by_the_next_one_of_the_same_advisor_and_never_drawn_again(
    listened: Any,
) -> None:
    listened([*calls("zoe", 6), *calls("max", 4)])
    sampling.add_plan(SYSTEM, plan(strata=[], maximum_per_advisor=4))
    drawn = sampling.draw(SYSTEM, "november", 5)
    eve, tom = viewer_of("eve"), viewer_of("tom")
    place = {(item.contact_id): item.drawn_id for item in sampling.find_worklist(eve)}
    zoes = [one.contact_id for one in drawn.drawn if one.advisor_id == "zoe"]
    order = sorted(
        (f"zoe{number}" for number in range(6)),
        key=lambda key: plain_draw.compute_ticket(5, "november", "generic", key),
    )

    assert zoes == order[:4]
    with pytest.raises(AccessDenied):
        sampling.replace(tom, place[zoes[0]], "inaudible")
    with pytest.raises(Refusal) as refused:
        sampling.replace(eve, place[zoes[0]], "boring")
    assert refused.value.code == "unknown_reason"
    new = sampling.replace(eve, place[zoes[0]], "inaudible")
    newest = {item.drawn_id: item.contact_id for item in sampling.find_worklist(eve)}
    assert newest[new] == order[4] and zoes[0] not in newest.values()
    assert (
        sampling.replace(
            eve,
            place[drawn.drawn[-1].contact_id]
            if drawn.drawn[-1].advisor_id == "max"
            else place["max0"],
            "private",
        )
        is None
    )
    assert sampling.draw(SYSTEM, "november", 9, dry_run=True).excluded["replaced"] == 2
    assert sampling.verify(SYSTEM, drawn.draw_id).is_same
    with store.reading() as session:
        reasons = session.scalars(
            sa.select(JournalRow.reason)
            .where(JournalRow.action == "drawn_replaced")
            .order_by(JournalRow.seq)
        ).all()
        assert reasons == ["inaudible", "private"]
        assert session.scalar(sa.select(Draw.short)) == {"max": 1}


@pytest.mark.parametrize(
    "obstacle",
    [
        "objection",
        "customer_objected",
        "stopped_by_advisor",
        "private_line",
        "exclusion",
        "condition",
    ],
)
def test_what_is_forbidden_by_now_leaves_the_lists_and_the_plan_lacks_it(
    listened: Any, obstacle: str
) -> None:
    listened(calls("zoe", 6))
    sampling.add_plan(SYSTEM, plan(strata=[]))
    sampling.draw(SYSTEM, "november", 5)
    eve = viewer_of("eve")
    begun, waiting, *_others = sampling.find_worklist(eve)
    evaluation_id = drafts.start(eve, begun.drawn_id)
    forbidden = [begun.contact_id, waiting.contact_id]
    dora, contacts = Viewer("dora", Role.DPO), [("generic", key) for key in forbidden]

    if obstacle == "objection":
        subjects.object_to(dora, contacts=contacts)
    elif obstacle == "exclusion":
        subjects.exclude(dora, "private", contacts=contacts)
    elif obstacle == "condition":
        land([call(key, "zoe", day=1, hour=8, notice_played=False) for key in forbidden], "later")
        purge.purge(dora)  # as every day
    else:
        of = {row["contact_id"]: row for row in calls("zoe", 6)}
        land([of[key] | {obstacle: True} for key in forbidden], "later")
        with store.one_import_at_a_time():
            recovery.keep_objections("dora")
            recovery.apply_objections("dora")

    # Nobody has opened the list since.
    with store.reading() as session:
        assert session.get(Evaluation, evaluation_id) is None
        acts = session.scalars(
            sa.select(JournalRow)
            .where(JournalRow.action.in_(("evaluation_withdrawn", "drawn_replaced")))
            .order_by(JournalRow.seq)
        ).all()
        assert [(row.actor, row.action) for row in acts] == [
            ("dora", "evaluation_withdrawn"),
            ("dora", "drawn_replaced"),
            ("dora", "drawn_replaced"),
        ]
    [state] = sampling.find_plans(SYSTEM)
    assert (state.drawn, state.short) == (2, 2)
    assert sampling.draw(SYSTEM, "november", 6).short == {}
    [state] = sampling.find_plans(SYSTEM)
    assert (state.drawn, state.short) == (4, 0)


def test_a_plan_lacks_the_contacts_of_an_erased_customer(listened: Any) -> None:
    customer = "ab" * 16
    listened(calls("zoe", 6, customer_key=customer))
    sampling.add_plan(SYSTEM, plan(strata=[]))
    sampling.draw(SYSTEM, "november", 5)
    [state] = sampling.find_plans(SYSTEM)
    drawn, missing = state.drawn, state.short
    assert drawn > 0

    subjects.erase(SYSTEM, customer=customer)

    [state] = sampling.find_plans(SYSTEM)
    assert (state.drawn, state.short) == (0, missing + drawn)


def test_what_is_replaced_by_nothing_is_missing_in_the_newest_draw(listened: Any) -> None:
    listened(calls("zoe", 3))
    sampling.add_plan(SYSTEM, plan(strata=[]))
    sampling.draw(SYSTEM, "november", 5)
    sampling.draw(SYSTEM, "november", 6)
    assert [state.short for state in sampling.find_plans(SYSTEM)] == [1]

    [first, *_others] = sampling.find_worklist(viewer_of("eve"))
    assert sampling.replace(SYSTEM, first.drawn_id, "inaudible") is None

    assert [(state.drawn, state.short) for state in sampling.find_plans(SYSTEM)] == [(2, 2)]


def test_a_contact_picked_by_hand_is_held_to_the_same_rules_and_counts_towards_the_maximum(
    listened: Any,
) -> None:
    listened([*calls("zoe", 9), call("objected", "zoe", customer_objected=True)])
    sampling.add_plan(SYSTEM, plan(per_advisor=5))
    picked = sampling.pick(SYSTEM, "generic", "zoe3", "complaint", "tom")
    with pytest.raises(Refusal) as refused:
        sampling.pick(SYSTEM, "generic", "objected", "complaint", "tom")
    with pytest.raises(Refusal) as again:
        sampling.pick(SYSTEM, "generic", "zoe3", "complaint", "eve")
    with pytest.raises(AccessDenied):
        sampling.pick(SYSTEM, "generic", "unknown", "complaint", "tom")

    assert (refused.value.params["outside"], again.value.params["outside"]) == (
        "objected",
        "already_drawn",
    )
    assert [(item.drawn_id, item.purpose) for item in sampling.find_worklist(viewer_of("tom"))] == [
        (picked, "targeted")
    ]
    sampling.draw(SYSTEM, "november", 5)
    with pytest.raises(Refusal) as full:
        left = next(
            f"zoe{number}"
            for number in range(9)
            if f"zoe{number}"
            not in {item.contact_id for item in sampling.find_worklist(viewer_of("eve"))} | {"zoe3"}
        )
        sampling.pick(SYSTEM, "generic", left, "praise", "tom")
    assert full.value.params["outside"] == "advisor_at_maximum"


def test_a_draft_of_what_was_replaced_goes_with_it(listened: Any) -> None:
    listened(calls("zoe", 9))
    sampling.add_plan(SYSTEM, plan(per_advisor=1))
    sampling.draw(SYSTEM, "november", 5)
    eve = viewer_of("eve")
    [item] = sampling.find_worklist(eve)
    with store.writing() as session:
        session.add(
            evaluation(call(item.contact_id, "zoe"), None, drawn_id=item.drawn_id, state="draft")
        )

    assert sampling.find_worklist(eve)[0].evaluation_id is not None
    sampling.replace(eve, item.drawn_id, "not_a_conversation")

    assert [one.evaluation_id for one in sampling.find_worklist(eve)] == [None]
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Evaluation.id))) == 0


# The command line.


def test_the_command_line_adds_draws_lists_and_closes(
    listened: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listened([*calls("zoe", 5), call("objected", "zoe", customer_objected=True), *calls("lea", 1)])
    file = tmp_path / "november.toml"
    lines = (
        'name = "november"',
        'purpose = "training"',
        f"from = {FIRST}",
        f"to = {LAST}",
        'grid = "customer-service"',
        "per_advisor = 2",
    )
    file.write_text(
        "\n".join(
            (
                *lines,
                "maximum_per_advisor = 6",
                'strata = ["channel", "weekday"]',
                'evaluators = ["eve"]',
            )
        ),
        encoding="utf-8",
    )

    assert app.run(["plan", "add", str(file)]) == 0
    capsys.readouterr()
    assert app.run(["draw", "--plan", "november", "--seed", "5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert list(told) == ["plan", "seed", "frame", "excluded", "drawn", "short"]
    assert (told["plan"], told["seed"], told["frame"], told["excluded"], told["short"]) == (
        "november",
        5,
        6,
        {"objected": 1},
        {"Lea": 1},
    )
    assert len(told["drawn"]) == 3 and set(told["drawn"][0]) == {
        "source_system",
        "contact_id",
        "advisor",
    }
    assert sorted(entry["advisor"] for entry in told["drawn"]) == ["Lea", "Zoé", "Zoé"]
    assert app.run(["plan", "close", "november"]) == 0
    capsys.readouterr()
    assert app.run(["plan", "list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["drawn"], listed["closed"], listed["strata"]) == (
        "november",
        3,
        True,
        ["channel", "weekday"],
    )
    assert app.run(["draw", "--plan", "winter", "--seed", "5", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unknown_plan"
    assert app.run(["plan", "add", str(tmp_path / "none.toml")]) == 1
    assert app.run(["draw", "--plan", "november", "--seed", "-1"]) == 2
