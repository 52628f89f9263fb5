"""What annoys customers: counted by hand, told in words to those who may read them, and
followed on a list that several people change.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, close_month, contact, evaluation, land
from builders.erasure import CALLS, find_traces, forget
from builders.import_files import bring, find_contacts
from builders.listening_centre import allow_evaluations
from builders.shown_texts import text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis.irritants import action_list, detection, term_counts, terms, texts
from qa_core.analysis.irritants.action_list import ActionPlan, ActionState
from qa_core.analysis.irritants.subject import IrritantCandidate, IrritantKind, IrritantSubject
from qa_core.analysis.irritants.term_counts import Document, TermShare
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.cli import app
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.editions import Edition
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import BeforeImage
from qa_core.storage.records.irritants import Irritant
from qa_core.storage.records.people import Team, TeamLead
from qa_core.upkeep import erasure

MARCH = Filters(Period(date(2026, 3, 1), date(2026, 3, 31)))
MANAGER = Viewer("mona", Role.MANAGER, managed_teams=("Nord", "Sud"))
LEAD = Viewer("leo", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
EXECUTIVE = Viewer("eva", Role.EXECUTIVE)
BILL = IrritantSubject(IrritantKind.CUSTOMER_WORDS, terms=("fr:factur",), shown="facture")
INVOICE = IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "invoice")


def rated(number: int, csat: float, text: str | None, **columns: Any) -> dict[str, Any]:
    at = datetime(2026, 3, 2, 9) + timedelta(hours=number)
    given = {
        "csat": csat,
        "csat_scale": "1-5",
        "survey_sent": True,
        "survey_comment": text,
        "team": "Nord",
        "advisor_id": f"a{number % 6}",
    }
    return contact(at, f"c{number:03d}", **given | columns)


@pytest.fixture
def bills(centre: Path, start_from: Callable[..., Any]) -> Path:
    """28 customers who were asked. Of the 8 unhappy, 6 write of their bill, all about
    invoices; of the 20 others, 1 does.

    reason    rated  unhappy
    invoice      10        7
    delivery     18        1
    """
    start_from(land_bills)
    return centre


def land_bills() -> None:
    texts = ["La facture est fausse."] * 3 + ["Facture illisible."] * 3
    unhappy = [
        rated(number, 1, text, reason="invoice", team="Sud" if number < 2 else "Nord")
        for number, text in enumerate(texts)
    ]
    unhappy += [
        rated(6, 2, "Conseiller pressé.", reason="invoice"),
        rated(7, 1, None, reason="delivery"),
    ]
    happy = [rated(number, 5, "Réponse rapide.", reason="delivery") for number in range(8, 25)]
    happy += [
        rated(25, 4, "Merci pour la facture !", reason="invoice"),
        rated(26, 5, None, reason="invoice"),
        rated(27, 5, "Parfait.", reason="invoice"),
    ]
    land([*unhappy, *happy])
    close_month("2026-03")
    add_people(teams={"Nord": "Lille", "Sud": "Nice"})


def test_remarks_of_all_months_are_found_and_the_newest_come_first(centre: Path) -> None:
    starts = [datetime(2025, 1, 5, 9) + timedelta(days=30 * number) for number in range(18)]
    given = {"csat": 1.0, "csat_scale": "1-5", "survey_comment": "Trop long.", "team": "Nord"}
    land([contact(at, **given) for at in starts])

    remarks = query.find_remarks(Viewer.SYSTEM)
    assert list(remarks["local_start"]) == starts[::-1]
    summer = Filters(Period(date(2025, 6, 1), date(2025, 8, 31)))
    assert len(query.find_remarks(Viewer.SYSTEM, summer)) == 3
    assert query.find_remarks(MANAGER, MARCH.with_period(Period(date(2024, 1, 1)))).shape[0] == 18
    nothing = query.find_remarks(Viewer.SYSTEM, Filters(Period(last_day=date(2024, 12, 1))))
    assert nothing.empty


def found(
    viewer: Viewer = MANAGER, where: Filters = MARCH
) -> dict[IrritantSubject, IrritantCandidate]:
    return {candidate.subject: candidate for candidate in detection.find_candidates(viewer, where)}


def test_a_period_with_data_on_too_few_days_is_not_compared_with(
    bills: None, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    # Contacts on every day of January, and of February on the tenth alone, all rated.
    days = [datetime(2026, 1, day, 9) for day in range(1, 32)]
    land([contact(day, f"j{day:%d}", team="Nord") for day in days], "january")
    given = {"reason": "invoice", "survey_comment": "La facture.", "team": "Nord"}
    tenth = [
        contact(
            datetime(2026, 2, 10, 8 + number),
            f"f{number}",
            csat=1.0 if number < 7 else 5.0,
            csat_scale="1-5",
            **given,
        )
        for number in range(10)
    ]
    land(tenth, "february")
    february = Period(date(2026, 2, 1), date(2026, 2, 28))

    candidates = detection.find_candidates(MANAGER, MARCH, february)
    assert {one.subject: one.before for one in candidates} == {BILL: None, INVOICE: None}
    name = add_person("mona", Role.MANAGER, sites=("Lille", "Nice"))
    app = open_app(name, "irritants", period="2026-03")
    assert "No comparison: the earlier period has data on too few days." in text_of(app)


def terms_of(text: str) -> list[str]:
    return [mention.term for mention in terms.find_mentions(text)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Les factures sont fausses.", ["fr:factur", "fr:fauss"]),
        ("Ma facture : encore une facturation.", ["fr:factur", "fr:factur"]),
        ("Le conseiller n'avait pas la réponse.", ["fr:conseil", "fr:-répons"]),
        ("Le lien ne fonctionne pas du tout", ["fr:lien", "fr:-fonction"]),
        ("The bills are wrong.", ["en:bill", "en:wrong"]),
        ("The problem is still not fixed", ["en:problem", "en:-fix"]),
        ("They didn't answer.", ["en:-answer"]),
        ("Rappelez-moi au ••• s'il vous plaît", ["fr:rappelez-moi", "fr:plaît"]),
        ("!?", []),
    ],
)
def test_a_remark_is_cut_into_stems_in_its_language_and_what_is_denied_is_another_term(
    text: str, terms: list[str]
) -> None:
    assert [term.replace("repons", "répons") for term in terms_of(text)] == terms


def test_words_that_stand_together_are_shown_as_they_are_written() -> None:
    text = "Je trouve que la nouvelle facture, c'est faux"
    found_here = {mention.term: mention for mention in terms.find_mentions(text)}
    assert (
        terms.extract(text, [found_here["fr:factur"], found_here["fr:nouvel"]])
        == "nouvelle facture"
    )
    assert (
        terms.extract(text, [found_here["fr:trouv"], found_here["fr:factur"]]) == "trouve … facture"
    )


def test_a_pair_counts_within_one_sentence_and_what_goes_with_a_term_stands_with_it() -> None:
    def say(text: str, is_unhappy: bool) -> Document:
        return Document(is_unhappy, terms.find_mentions(text))

    documents = [say("La nouvelle facture est fausse.", True)] * 6 + [
        say("La facture est fausse.", True)
    ] * 4
    documents += [say("Une nouvelle. Une facture.", False)] + [say("Accueil rapide.", False)] * 29
    (said,) = term_counts.find_frequent_terms(documents)
    assert (said.share.hits, said.share.n, said.share.other_n) == (10, 10, 30)
    assert ("fr:factur", "fr:nouvel") in said.related


def test_fewer_than_five_contacts_are_never_said_and_chance_is_not_either() -> None:
    assert (
        term_counts.find_significant(
            {
                "four": TermShare(4, 4, 0, 100),
                "chance": TermShare(10, 50, 20, 100),
                "none": TermShare(5, 5, 0, 0),
            }
        )
        == {}
    )
    assert list(term_counts.find_significant({"five": TermShare(5, 5, 0, 100)})) == ["five"]


def test_the_words_of_the_unhappy_are_counted_against_those_of_the_others(bills: Path) -> None:
    bill = found()[BILL]
    # 7 unhappy customers wrote something, 19 of the others did.
    assert bill.share == TermShare(6, 7, 1, 19)
    assert (bill.now.hits, bill.now.n) == (6, 26)
    assert texts.describe_subject(bill.subject) == "“facture” in unhappy comments"
    assert [(place.value, place.contacts) for place in bill.places] == [("invoice", 6)]


def test_low_ratings_about_a_reason_are_counted_against_the_other_reasons(bills: Path) -> None:
    invoice = found()[INVOICE]
    assert invoice.share == TermShare(7, 10, 1, 18)
    assert invoice.share.excess == pytest.approx(7 - 10 / 18)
    assert IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "delivery") not in found()


def test_a_detractor_is_unhappy_and_so_is_a_rating_in_the_lowest_third_of_any_scale(
    centre: Path,
) -> None:
    land(
        [
            rated(0, 4, None, csat_scale="0-10", reason="low"),
            rated(1, 3, None, csat_scale="0-10", reason="low"),
            rated(2, 5, None, nps=6, reason="low"),
            rated(3, 2, None, nps=9, reason="low"),
            rated(4, 3, None, reason="low"),
        ]
    )
    count = detection.count_contacts(
        Viewer.SYSTEM, IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "low"), MARCH
    )
    assert (count.hits, count.n) == (3, 5)


def test_customers_who_come_back_about_a_reason_are_counted_against_the_others(
    centre: Path,
) -> None:
    # Ten customers each: of those about the box nine come back on the next day, of
    # those about the bill one does.
    first = datetime(2026, 3, 10, 9)
    calls = [
        contact(first - timedelta(days=60), customer_key="x"),
        contact(first + timedelta(days=60), customer_key="y"),
    ]
    for reason, back in (("box", 9), ("bill", 1)):
        for number in range(10):
            times = [first + timedelta(minutes=number)] + (
                [first + timedelta(days=1, minutes=number)] if number < back else []
            )
            calls += [
                contact(at, customer_key=f"{reason}{number}", reason=reason, team="Nord")
                for at in times
            ]
    land([{**call, "contact_id": f"n{place}"} for place, call in enumerate(calls)])
    box = found()[IrritantSubject(IrritantKind.REPEATS, "reason", "box")]
    assert box.share == TermShare(9, 10, 1, 10)


def test_what_evaluators_note_and_tag_is_counted_on_failed_contacts_against_the_others(
    centre: Path,
) -> None:
    calls = [
        contact(
            datetime(2026, 3, 2, 9) + timedelta(hours=number),
            f"e{number}",
            team="Nord",
            advisor_id="a1",
        )
        for number in range(30)
    ]
    land(calls)
    add_people({"a1": "Ann"}, {"Nord": None})
    with store.writing() as session:
        for number, call in enumerate(calls):
            failed = number < 8
            text = "Coupe la parole." if failed else "Bonne reformulation."
            session.add(
                evaluation(
                    call,
                    40 if failed else 90,
                    outcome="fail" if failed else "pass",
                    comment=text,
                    tags=["Écoute"] if failed else ["bravo"],
                )
            )
    candidates = found()
    assert candidates[IrritantSubject(IrritantKind.TAGS, terms=("tag:écoute",))].share == TermShare(
        8, 8, 0, 22
    )
    (noted,) = [
        candidate
        for subject, candidate in candidates.items()
        if subject.kind == IrritantKind.EVALUATOR_WORDS
    ]
    assert noted.share == TermShare(8, 8, 0, 22)
    assert noted.subject.shown == "coupe la parole"


def test_examples_are_those_in_scope_with_the_sentence_around_the_words(bills: Path) -> None:
    land(
        [rated(40, 1, "Bonjour. Ma facture a doublé ! Merci.", reason="invoice", team="Sud")],
        "second",
    )
    (newest, *others) = detection.find_examples(MANAGER, BILL, MARCH)
    assert (newest.contact_id, newest.sentence, newest.sentence[newest.start : newest.end]) == (
        "c040",
        "Ma facture a doublé !",
        "facture",
    )
    assert [(example.contact_id, example.sentence) for example in others] == [
        ("c005", "Facture illisible."),
        ("c002", "La facture est fausse."),
    ]
    assert [example.contact_id for example in detection.find_examples(LEAD, BILL, MARCH)] == [
        "c005",
        "c002",
    ]
    assert found(LEAD).get(BILL) is None, "four contacts of the lead's own team"


def test_nobody_else_reads_what_customers_wrote(bills: Path) -> None:
    for viewer in (
        EXECUTIVE,
        Viewer("ed", Role.EVALUATOR),
        Viewer("dan", Role.DPO),
        Viewer("adam", Role.ADMIN),
        Viewer("a1", Role.ADVISOR, advisor_id="a1"),
    ):
        with pytest.raises(AccessDenied):
            detection.find_examples(viewer, BILL, MARCH)
    with pytest.raises(AccessDenied):
        detection.find_candidates(Viewer("a1", Role.ADVISOR, advisor_id="a1"), MARCH)


def test_an_executive_meets_no_words_and_no_reason_that_is_hidden(bills: Path) -> None:
    candidates = found(EXECUTIVE)
    assert {subject.kind for subject in candidates} <= {
        IrritantKind.REPEATS,
        IrritantKind.LOW_RATINGS,
    }
    assert INVOICE in candidates
    with pytest.raises(AccessDenied):
        detection.count_contacts(EXECUTIVE, BILL, MARCH)
    few = [rated(number, 1, None, reason="rare", advisor_id="a1") for number in range(50, 62)]
    land(few, "second")
    assert IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "rare") in found(MANAGER)
    assert IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "rare") not in found(EXECUTIVE), (
        "one advisor stands behind it"
    )


def test_an_executive_reads_on_the_action_list_what_is_published_alone(bills: Path) -> None:
    rare = IrritantSubject(IrritantKind.LOW_RATINGS, "reason", "rare")
    land([rated(n, 1, None, reason="rare", advisor_id="a1") for n in range(50, 62)], "second")
    action_list.open_entry(MANAGER, rare, MARCH)
    action_list.open_entry(MANAGER, INVOICE, MARCH.with_value("queue", None))
    number = action_list.open_entry(MANAGER, INVOICE, MARCH)

    assert [entry.id for entry in action_list.find_entries(EXECUTIVE)] == [number]
    assert "rare" not in texts.build_file(EXECUTIVE).content.decode()
    with store.writing() as session:
        session.execute(sa.delete(Edition))
    assert action_list.find_entries(EXECUTIVE) == ()


def test_an_evaluation_brings_its_comment_and_tags_without_numbers_and_addresses(
    centre: Path,
) -> None:
    allow_evaluations("Ann")
    header = "contact_id,advisor,evaluator,evaluated_at,score,comment,tags\n"
    row = 'C1,Ann,Eve,2026-03-03,80,"Ring 06 12 34 56 78 or a.b@example.com","tone, record,tone"\n'
    bring(centre, "contacts", CALLS)
    bring(
        centre,
        "evaluations",
        header + row,
    )
    with store.reading() as session:
        kept = session.scalars(sa.select(Evaluation)).one()
    assert (kept.comment, kept.tags) == ("Ring ••• or •••", ["tone", "record"])
    report = bring(
        centre,
        "evaluations",
        header + row,
        "again.csv",
    )
    assert report.tally.new == 0


def test_a_customer_who_is_erased_takes_along_what_evaluators_wrote_of_their_contacts(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_evaluations("Ann")
    header = "evaluation_id,contact_id,advisor,evaluator,evaluated_at,score,comment,tags\n"
    bring(
        centre,
        "evaluations",
        header + "E1,C3,Ann,Eve,2026-03-06,70,unmistakable wait,unmistakable\n",
    )
    bring(centre, "contacts", CALLS)
    bring(
        centre,
        "evaluations",
        header + "E2,C1,Ann,Eve,2026-03-03,80,unmistakable "
        "story,unmistakable\nE3,C2,Ann,Eve,2026-03-03,80,fine,\n",
    )
    bring(
        centre,
        "evaluations",
        header + "E2,C1,Ann,Eve,2026-03-03,85,unmistakable still,unmistakable\n",
    )
    for path in centre.glob("*.csv"):
        path.unlink()
    with store.reading() as session:
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .where(BeforeImage.content.is_not(None))
                .select_from(BeforeImage)
            )
            == 1
        )
    forget(Pseudonyms.current().find_key("0612345601"), monkeypatch)
    assert find_traces(centre, "unmistakable") == []
    with store.reading() as session:
        assert dict(
            session.execute(sa.select(Evaluation.external_key, Evaluation.comment)).all()
        ) == {
            "generic:E1": None,
            "generic:E2": None,
            "generic:E3": "fine",
        }
    assert find_contacts() == [("C2",)]
    assert erasure.erase(Viewer.SYSTEM, "customer", "nobody").counts["contacts"] == 0


@pytest.fixture
def people_of_bills(bills: Path, add_person: Callable[..., str]) -> None:
    add_person("mona", "manager", sites=("Lille", "Nice"))
    add_person("leo", "team_lead", teams=("Nord",))
    add_person("sue", "team_lead", teams=("Sud",))
    add_person("eva", "executive")


def acts() -> list[tuple[str, str, str]]:
    with store.reading() as session:
        assert audit_log.verify(session).ok
        rows = session.execute(
            sa.select(JournalRow.actor, JournalRow.action, JournalRow.reason).where(
                JournalRow.action.like("irritant%")
            )
        )
        return [tuple(row) for row in rows]


def test_an_irritant_goes_from_new_to_solved_and_each_step_is_kept_and_journalled(
    people_of_bills: None,
) -> None:
    number = action_list.open_entry(MANAGER, BILL, MARCH)
    action_list.change_entry(
        MANAGER, number, 1, ActionPlan(ActionState.IN_HAND, "leo", date(2026, 4, 1), "rewrite it")
    )
    action_list.change_entry(
        MANAGER, number, 2, ActionPlan(ActionState.SOLVED, "leo", date(2026, 4, 1), "rewrite it")
    )
    (entry,) = action_list.find_entries(MANAGER)
    assert [(step.state, step.by) for step in entry.steps] == [
        ("new", "mona"),
        ("in_hand", "mona"),
        ("solved", "mona"),
    ]
    assert (entry.owner, entry.due_on, entry.note, entry.version, entry.teams) == (
        "leo",
        date(2026, 4, 1),
        "rewrite it",
        3,
        ("Nord", "Sud"),
    )
    assert not entry.is_late, "it is solved"
    assert acts() == [
        ("mona", "irritant_opened", "customer_words"),
        ("mona", "irritant_changed", "state in_hand; owner leo; due 2026-04-01; note"),
        ("mona", "irritant_changed", "state solved"),
    ]


def test_of_two_people_who_change_one_entry_the_second_is_told(people_of_bills: None) -> None:
    number = action_list.open_entry(MANAGER, BILL, MARCH)
    action_list.change_entry(MANAGER, number, 1, ActionPlan(ActionState.LOOKED_AT))
    with pytest.raises(Refusal) as caught:
        action_list.change_entry(MANAGER, number, 1, ActionPlan(ActionState.SET_ASIDE))
    assert caught.value.code == "changed_meanwhile"
    assert action_list.find_entries(MANAGER)[0].state == ActionState.LOOKED_AT


def test_an_older_entry_on_a_wait_keeps_its_title_and_can_be_ended(people_of_bills: None) -> None:
    wait = IrritantSubject(IrritantKind.LOW_RATINGS, "wait", "180")
    with pytest.raises(Misuse):
        action_list.open_entry(MANAGER, wait, MARCH)
    number = action_list.open_entry(MANAGER, BILL, MARCH)
    with store.writing() as session:
        row = session.get(Irritant, number)
        row.kind, row.dimension, row.dimension_value, row.terms = wait.kind, "wait", "180", []

    action_list.change_entry(MANAGER, number, 1, ActionPlan(ActionState.IN_HAND))

    [entry] = action_list.find_entries(MANAGER)
    title = "Low ratings after a wait of 3\u00a0min\u00a000\u00a0s to 5\u00a0min\u00a000\u00a0s"
    assert texts.describe_subject(entry.subject) == title
    assert title in texts.build_file(MANAGER).content.decode()
    assert detection.find_follow_up(MANAGER, wait, MARCH, entry.in_hand_on) == (None, None)
    assert detection.find_examples(MANAGER, wait, MARCH) == ()
    action_list.change_entry(MANAGER, number, 2, ActionPlan(ActionState.SOLVED))


def test_what_is_listed_is_not_listed_twice_while_it_is_open(people_of_bills: None) -> None:
    number = action_list.open_entry(MANAGER, BILL, MARCH)
    for viewer in (MANAGER, LEAD):
        with pytest.raises(Refusal) as caught:
            action_list.open_entry(viewer, BILL, MARCH)
        assert caught.value.code == "already_listed"
    action_list.open_entry(MANAGER, BILL, MARCH.with_value("channel", "phone"))
    action_list.change_entry(MANAGER, number, 1, ActionPlan(ActionState.SOLVED))
    assert action_list.open_entry(MANAGER, BILL, MARCH) > number


def test_an_entry_is_seen_by_who_shares_a_team_and_changed_by_who_answers_for_all_of_it_or_owns_it(
    people_of_bills: None,
) -> None:
    number = action_list.open_entry(MANAGER, BILL, MARCH)
    own = action_list.open_entry(LEAD, INVOICE, MARCH)
    sue = Viewer("sue", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))
    assert [(entry.id, entry.may_change) for entry in action_list.find_entries(LEAD)] == [
        (own, True),
        (number, False),
    ]
    assert [entry.id for entry in action_list.find_entries(sue)] == [number]
    with pytest.raises(AccessDenied):
        action_list.change_entry(LEAD, number, 1, ActionPlan(ActionState.SOLVED))
    with pytest.raises(AccessDenied):
        action_list.change_entry(sue, own, 1, ActionPlan(ActionState.SOLVED))
    action_list.change_entry(MANAGER, number, 1, ActionPlan(owner="leo"))
    action_list.change_entry(LEAD, number, 2, ActionPlan(ActionState.IN_HAND, owner="leo"))
    assert set(action_list.find_owners(MANAGER, action_list.find_entries(sue)[0])) == {
        "mona",
        "leo",
        "sue",
    }
    with pytest.raises(Refusal) as caught:
        action_list.change_entry(LEAD, own, 1, ActionPlan(owner="sue"))
    assert caught.value.code == "bad_owner"
    left = Viewer("leo", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", ends_on=date(2026, 3, 1)),))
    assert action_list.find_entries(left) == ()
    with pytest.raises(AccessDenied):
        action_list.find_owners(left, action_list.find_entries(MANAGER)[0])
    with pytest.raises(AccessDenied):
        action_list.open_entry(left, INVOICE, MARCH)


def test_an_executive_sees_what_is_done_about_figures_and_no_name_note_or_word(
    people_of_bills: None,
) -> None:
    action_list.open_entry(MANAGER, BILL, MARCH)
    action_list.open_entry(LEAD, INVOICE, MARCH.with_value("team", "Nord"))
    number = action_list.open_entry(MANAGER, INVOICE, MARCH, owner="leo")
    action_list.change_entry(MANAGER, number, 1, ActionPlan(owner="leo", note="ask Leo"))
    (entry,) = action_list.find_entries(EXECUTIVE)
    assert (
        entry.id,
        entry.owner,
        entry.owner_name,
        entry.note,
        entry.teams,
        entry.steps[0].by,
        entry.may_change,
    ) == (number, None, None, "", (), None, False)
    with pytest.raises(AccessDenied):
        action_list.open_entry(EXECUTIVE, INVOICE, MARCH)
    file = texts.build_file(EXECUTIVE).content.decode()
    assert not [name for name in ("Owner", "Note", "Teams", "leo", "ask Leo") if name in file]
    assert detection.find_follow_up(EXECUTIVE, INVOICE, MARCH, date(2026, 3, 15)) == (None, None)


def test_a_subject_that_is_none_or_a_note_without_end_is_refused(people_of_bills: None) -> None:
    for subject in (
        IrritantSubject(IrritantKind.REPEATS),
        IrritantSubject(IrritantKind.LOW_RATINGS, "advisor", "a1"),
        IrritantSubject(IrritantKind.TAGS, terms=()),
        IrritantSubject(IrritantKind.CUSTOMER_WORDS, "reason", "x", ("a",)),
    ):
        with pytest.raises(Misuse):
            action_list.open_entry(MANAGER, subject, MARCH)
    with pytest.raises(Misuse):
        action_list.change_entry(MANAGER, 1, 1, ActionPlan(note="x" * 1001))


def test_the_list_shows_eight_weeks_before_and_since_it_was_taken_in_hand(
    centre: Path, add_person: Callable[..., str]
) -> None:
    today = datetime.combine(environment.today(), time(9))
    before = [
        contact(
            today - timedelta(days=10, hours=number),
            f"b{number}",
            csat=1 if number < 6 else 5,
            csat_scale="1-5",
            reason="invoice",
        )
        for number in range(8)
    ]
    since = [
        contact(
            today + timedelta(hours=number),
            f"s{number}",
            csat=1 if number < 1 else 5,
            csat_scale="1-5",
            reason="invoice",
        )
        for number in range(5)
    ]
    old = [contact(today - timedelta(days=80), "old", csat=1, csat_scale="1-5", reason="invoice")]
    land([{**row, "team": "Nord"} for row in before + since + old])
    add_people(teams={"Nord": None})
    viewer = Viewer("mona", Role.MANAGER, managed_teams=("Nord",))
    action_list.change_entry(
        viewer,
        action_list.open_entry(viewer, INVOICE, Filters()),
        1,
        ActionPlan(ActionState.IN_HAND),
    )
    (entry,) = action_list.find_entries(viewer)
    counts = detection.find_follow_up(viewer, entry.subject, entry.filters, entry.in_hand_on)
    assert [(count.hits, count.n) for count in counts] == [(6, 8), (1, 5)]
    lines = texts.build_file(viewer).content.decode("utf-8-sig").splitlines()
    assert "0.75" in lines[-1] and "0.2" in lines[-1] and "Low ratings about invoice" in lines[-1]
    assert lines[-2].startswith("Irritant,") and lines[-3] == ""


def test_entries_of_teams_that_are_gone_go_too(people_of_bills: None) -> None:
    action_list.open_entry(MANAGER, BILL, MARCH)
    both = action_list.open_entry(
        Viewer("mona", Role.MANAGER, managed_teams=("Nord",), sees_unassigned=True), INVOICE, MARCH
    )
    action_list.open_entry(
        Viewer("gone", Role.MANAGER, managed_teams=("Sud",), sees_unassigned=True),
        INVOICE,
        MARCH.with_value("team", "Sud"),
    )
    with store.writing() as session:
        session.execute(sa.delete(TeamLead))
        session.execute(sa.delete(Team))
        action_list.remove_orphans(session)
    assert [entry.id for entry in action_list.find_entries(Viewer.SYSTEM)] == [both]


def test_the_command_line_lists_the_entries_as_that_person_sees_them(
    people_of_bills: None, capsys: pytest.CaptureFixture[str]
) -> None:
    action_list.open_entry(MANAGER, INVOICE, MARCH, owner="leo")
    assert app.run(["irritants", "list"]) == 0
    assert capsys.readouterr().out == "1  Low ratings about invoice: New, leo\n"
    assert app.run(["irritants", "list", "--as", "eva", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["title"], entry["state"], entry["owner"]) == (
        "Low ratings about invoice",
        "new",
        None,
    )


def open_page(open_app: Callable[..., AppTest], username: str) -> AppTest:
    return open_app(username, "irritants", period="2026-03")


def test_a_manager_puts_an_irritant_on_the_list_and_takes_it_in_hand(
    people_of_bills: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_page(open_app, "mona")
    assert not app.exception and not app.error
    app.button(key="open_entry_figures").click().run()
    assert [button.key for button in app.button if button.key == "show_entry_figures"]
    app.selectbox(key="state_1_1").set_value(ActionState.IN_HAND)
    app.button(key="FormSubmitter:action_1_1-Save").click().run()
    assert not app.exception and not app.error
    with store.reading() as session:
        assert session.scalars(sa.select(Irritant.state)).all() == ["in_hand"]


def test_who_saves_an_older_version_on_the_page_is_told(
    people_of_bills: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_page(open_app, "mona")
    app.button(key="open_entry_figures").click().run()
    action_list.change_entry(MANAGER, 1, 1, ActionPlan(ActionState.LOOKED_AT))
    app.selectbox(key="state_1_1").set_value(ActionState.SET_ASIDE)
    app.button(key="FormSubmitter:action_1_1-Save").click().run()
    assert "Somebody else has changed this entry" in app.error[0].value
    assert action_list.find_entries(MANAGER)[0].state == ActionState.LOOKED_AT


def test_reading_examples_is_journalled_once_and_an_executive_is_offered_none(
    people_of_bills: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_page(open_app, "mona")
    assert "fausse" not in str([item.value for item in app.markdown])
    app.button(key="examples_figures").click().run()
    app.run()
    assert "fausse" in str([item.value for item in app.markdown])
    assert [(actor, action) for actor, action, _reason in acts()] == [("mona", "irritant_read")]
    app = open_page(open_app, "eva")
    assert app.title[0].value == "Irritants" and not app.exception
    assert not [
        button.key
        for button in app.button
        if button.key in ("examples_figures", "open_entry_figures", "irritant_contacts_figures")
    ]
    assert "facture" not in str([item.value for item in (*app.markdown, *app.caption)])


def test_remarks_are_read_only_once_their_section_is_open(
    people_of_bills: None, open_app: Callable[..., AppTest], asked: list[str]
) -> None:
    app = open_page(open_app, "mona")
    assert asked and not any("survey_comment" in statement for statement in asked)
    app.query_params["words"] = "yes"
    app.run()
    assert any("survey_comment" in statement for statement in asked)
    assert "“facture” in unhappy comments" in str([item.value for item in app.markdown])
