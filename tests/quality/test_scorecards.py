"""Grids: drafts in any state, versions that never change, and files that bring back the
very grid they were made of.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import contact, evaluation
from builders.scorecards import SMALL, SYSTEM, changed, publish
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core import scoring
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import i18n
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.cli.app import run
from qa_core.metrics.downloads import FORMULA_STARTS
from qa_core.metrics.rows.scorecard_texts import find_scorecard_texts
from qa_core.quality import scorecards
from qa_core.quality.scorecards import files, publication, table, worked_score
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import ScorecardVersion

ADMIN, MANAGER, EVALUATOR = (
    Viewer(name, role)
    for name, role in (("ada", Role.ADMIN), ("max", Role.MANAGER), ("eve", Role.EVALUATOR))
)


def rows_of(table_: type) -> list[tuple[Any, ...]]:
    """Every row as it stands in the store itself."""
    with store.reading() as session:
        return [
            tuple(row)
            for row in session.execute(sa.text(f"SELECT * FROM {table_.__tablename__} ORDER BY 1"))
        ]


def test_a_draft_is_kept_as_it_is_and_says_all_that_is_missing(centre: Path) -> None:
    broken = changed(pass_mark="eighty")
    broken["section"][0]["criterion"][0]["points"] = "two"
    broken["section"][1]["criterion"][0]["critical"] = "everybody"
    broken["section"][1]["criterion"].append({"key": "", "points": 1})

    draft = scorecards.create_draft(ADMIN, "service", broken)

    assert scorecards.get(ADMIN, draft).content == broken
    faults = scorecards.find_faults(broken)
    assert [(fault.section, fault.criterion, fault.field) for fault in faults] == [
        (None, None, "pass_mark"),
        (1, 1, "points"),
        (2, 1, "critical"),
        (2, 3, "key"),
    ]
    assert str(faults[1].refusal) == "In the scorecard, greets.points must be a number."
    assert "Answer.criterion 3.key" in str(faults[3].refusal)
    with pytest.raises(Refusal) as refused:
        scorecards.publish(MANAGER, draft, 1)
    assert refused.value.code == "bad_grid"
    assert (
        find_scorecard_texts(SYSTEM).by_dimension["grid"] == {}
    )  # a draft names nothing on the pages


def test_who_saves_an_older_draft_is_told(centre: Path) -> None:
    draft = scorecards.create_draft(ADMIN, "service", SMALL)

    assert scorecards.save_draft(ADMIN, draft, 1, changed(pass_mark=70)) == 2
    with pytest.raises(Refusal) as refused:
        scorecards.save_draft(ADMIN, draft, 1, changed(pass_mark=60))

    assert refused.value.code == "changed_meanwhile"
    assert scorecards.get(ADMIN, draft).content["pass_mark"] == 70
    with pytest.raises(Refusal):
        scorecards.publish(MANAGER, draft, 1)


def test_versions_count_up_while_several_drafts_are_written(centre: Path) -> None:
    first, second, third = (
        scorecards.create_draft(ADMIN, "service", changed(pass_mark=mark)) for mark in (70, 75, 85)
    )

    assert [scorecards.publish(MANAGER, draft, 1) for draft in (second, first)] == [1, 2]

    found = scorecards.find_all(ADMIN)
    assert [(held.id, held.version) for held in found] == [(third, None), (first, 2), (second, 1)]
    [newest] = scorecards.find_published(EVALUATOR)
    assert (newest.version, newest.scorecard.pass_mark) == (2, 70)
    assert found[1].published_by == "max"


def test_a_published_version_is_never_changed_by_anything_that_writes(centre: Path) -> None:
    version = publish()
    before = rows_of(ScorecardVersion)

    for attempt in (
        lambda: scorecards.save_draft(SYSTEM, version, 1, changed(pass_mark=10)),
        lambda: scorecards.delete_draft(SYSTEM, version),
        lambda: scorecards.publish(SYSTEM, version, 1),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    draft = scorecards.create_draft(SYSTEM, "service", from_version=version)
    scorecards.save_draft(SYSTEM, draft, 1, changed(pass_mark=50))
    scorecards.publish(SYSTEM, draft, 2)
    scorecards.publish_starter(SYSTEM, "complaints")
    files.import_file(SYSTEM, "x.toml", files.build(SMALL, "x", "toml").content, "service")

    assert rows_of(ScorecardVersion)[: len(before)] == before


def test_the_store_sees_no_write_to_a_published_row(centre: Path) -> None:
    """Whatever the writers do, no UPDATE or DELETE on the table of grids concerns a row
    with a day of publication.
    """
    version = publish()
    touched: list[int] = []

    def watch(_mapper: Any, _connection: Any, row: ScorecardVersion) -> None:
        # What it was before this transaction, not what it becomes by being published.
        was = sa.inspect(row).attrs.published_at.history
        if (was.deleted or was.unchanged or [None])[0] is not None:
            touched.append(row.id)

    sa.event.listen(ScorecardVersion, "before_update", watch)
    sa.event.listen(ScorecardVersion, "before_delete", watch)
    try:
        draft = scorecards.create_draft(SYSTEM, "service", from_version=version)
        scorecards.save_draft(SYSTEM, draft, 1, changed(pass_mark=50))
        scorecards.publish(SYSTEM, draft, 2)
        scorecards.delete_draft(SYSTEM, scorecards.create_draft(SYSTEM, "service", SMALL))
        scorecards.publish_starter(SYSTEM, "sales")
        scorecards.publish_starter(SYSTEM, "sales")
    finally:
        sa.event.remove(ScorecardVersion, "before_update", watch)
        sa.event.remove(ScorecardVersion, "before_delete", watch)

    assert touched == []


def test_evaluations_stay_with_the_version_they_were_made_on(centre: Path) -> None:
    first = publish()
    with store.writing() as session:
        session.add(evaluation(contact("2026-03-02 10:00", "c1"), 80.0, grid_id=first))
    publish(changed(pass_mark=90))

    assert [(held.version, held.evaluations) for held in scorecards.find_all(ADMIN)] == [
        (2, 0),
        (1, 1),
    ]
    with store.reading() as session:
        before = scorecards.find_parsed(scorecards.find_version(session, first))
        assert before is not None and before.pass_mark == 80
        assert scorecards.find_newest_published(session, "service").version == 2
        assert scorecards.find_newest_published(session, "SERVICE").version == 2


def test_the_same_grid_again_is_no_new_version(centre: Path) -> None:
    publish()
    draft = scorecards.create_draft(ADMIN, "service", changed())

    with pytest.raises(Refusal) as refused:
        scorecards.publish(MANAGER, draft, 1)

    assert refused.value.code == "nothing_changed"


def test_an_unknown_grid_is_refused_like_one_that_is_not_to_be_seen(centre: Path) -> None:
    with pytest.raises(AccessDenied):
        scorecards.get(ADMIN, 999)
    with pytest.raises(AccessDenied):
        scorecards.create_draft(ADMIN, "service", from_version=999)


@pytest.mark.parametrize("role", Role)
def test_admins_write_managers_publish_and_nobody_else_does(centre: Path, role: Role) -> None:
    draft, other = (scorecards.create_draft(SYSTEM, "service", SMALL) for _number in range(2))
    viewer = Viewer("somebody", role)
    allowed = {
        "write": role == Role.ADMIN,
        "publish": role == Role.MANAGER,
        "see drafts": role in (Role.ADMIN, Role.MANAGER),
        "see versions": role
        in (Role.ADMIN, Role.MANAGER, Role.TEAM_LEAD, Role.EVALUATOR, Role.ADVISOR),
    }

    for what, act in (
        ("see drafts", lambda: scorecards.find_all(viewer)),
        ("see drafts", lambda: scorecards.get(viewer, draft)),
        ("see drafts", lambda: files.build_file(viewer, draft)),
        ("see versions", lambda: scorecards.find_published(viewer)),
        ("publish", lambda: scorecards.publish(viewer, draft, 1)),
        ("write", lambda: scorecards.save_draft(viewer, other, 1, SMALL)),
        ("write", lambda: scorecards.create_draft(viewer, "service", SMALL)),
        ("write", lambda: scorecards.delete_draft(viewer, other)),
    ):
        if allowed[what]:
            act()
        else:
            with pytest.raises(AccessDenied):
                act()


def test_a_starter_is_published_once_and_on_demand(centre: Path) -> None:
    made = scorecards.publish_starter(MANAGER, "customer-service")

    assert scorecards.publish_starter(SYSTEM, "customer-service") == made
    assert scorecards.publish_starter(SYSTEM, "no-such-grid") is None
    with pytest.raises(AccessDenied):
        scorecards.publish_starter(ADMIN, "sales")
    with store.reading() as session:
        for key in ("customer-service", "customer_service"):
            found = scorecards.find_newest_published(session, key)
            assert found is not None and found.id == made
        assert scorecards.find_newest_published(session, "sales") is None


def test_the_journal_names_the_grid_and_nothing_of_what_it_asks(centre: Path) -> None:
    draft = scorecards.create_draft(SYSTEM, "service", SMALL)
    scorecards.publish(SYSTEM, draft, 1)
    scorecards.delete_draft(SYSTEM, scorecards.create_draft(SYSTEM, "service", SMALL))

    with store.reading() as session:
        rows = [
            (row.action, row.object, row.reason)
            for row in session.scalars(sa.select(JournalRow).order_by(JournalRow.seq))
        ]
    assert [row for row in rows if row[0].startswith("grid")] == [
        ("grid_draft_saved", "service", ""),
        ("grid_publish", "service", "version 1"),
        ("grid_draft_saved", "service", ""),
        ("grid_draft_deleted", "service", ""),
    ]


@pytest.mark.parametrize("key", ["", "Service", "a b", "a--b", "../a", "é", "x" * 61])
def test_a_grid_is_named_by_a_plain_key(centre: Path, key: str) -> None:
    with pytest.raises(Misuse):
        scorecards.create_draft(SYSTEM, key, SMALL)


def test_the_formula_stands_with_its_numbers() -> None:
    plan = scoring.parse_scorecard(
        {
            "title": "T",
            "pass_mark": 90,
            "section": [
                {"name": "One", "weight": 40, "criterion": [{"key": "a", "points": 4}]},
                {
                    "name": "Two",
                    "weight": 20,
                    "criterion": [
                        {"key": "b", "points": 1, "critical": "business", "fails": "section"},
                        {"key": "c", "points": 1},
                    ],
                },
            ],
        }
    )

    # (40 × 3/4 + 20 × 1) / 60 = 50 / 60
    assert (
        worked_score.write_formula(plan, scoring.score(plan, {"a": 3, "b": 1, "c": 1}))
        == "100 × (40 × 3/4 + 20 × 2/2) / 60 = 83.3"
    )
    # (40 × 1 + 20 × 1/2) / 60 = 50 / 60 before the critical error; the section of b
    # counts 0 after it: 40 / 60
    result = scoring.score(plan, {"a": 4, "b": 0, "c": 1})
    assert worked_score.write_formula(plan, result) == "100 × (40 × 4/4 + 20 × 1/2) / 60 = 83.3"
    assert worked_score.describe_steps(plan, result) == [
        "“b” is 0, a critical error: its section counts 0.",
        "100 × (40 × 4/4 + 20 × 0/2) / 60 = 66.7",
        "66.7 is below the pass mark of 90.",
    ]


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf")),
    min_size=1,
    max_size=12,
).filter(lambda text: not text.startswith(("'", *FORMULA_STARTS)))
POINTS = st.one_of(st.integers(1, 20), st.decimals("0.5", "20", places=2).map(float))


@st.composite
def contents(draw: Any) -> dict[str, Any]:
    """Any grid with texts that a spreadsheet cell keeps: no line breaks, no blanks at
    the ends.
    """
    keys = iter(
        draw(
            st.lists(
                st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=9, max_size=9, unique=True
            )
        )
    )
    texts = st.one_of(
        CELLS, st.fixed_dictionaries({}, optional={"fr": CELLS, "en": CELLS}).filter(bool)
    )

    def criterion(bonus: bool) -> dict[str, Any]:
        points = draw(POINTS)
        made = {"key": next(keys), "text": draw(texts), "points": points}
        if draw(st.booleans()):
            made["levels"] = [0, points]
        if draw(st.booleans()):
            made["help"] = draw(texts)
        if draw(st.booleans()):
            made |= {
                "critical": draw(st.sampled_from([*scoring.CriticalClass])).value,
                "fails": draw(st.sampled_from([*scoring.Fails])).value,
            }
        return {**made, "not_applicable": draw(st.booleans()), "bonus": bonus}

    names = draw(
        st.lists(
            CELLS.filter(lambda name: table.normalise_name(name) not in table.TOTALS),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    content = {
        "title": draw(CELLS),
        "method": draw(st.sampled_from([*scoring.Method])).value,
        "bonus_cap": draw(st.integers(100, 130)),
        "section": [
            {
                "name": name,
                "text": draw(texts),
                "weight": draw(POINTS),
                "criterion": [
                    criterion(False),
                    *([criterion(True)] if draw(st.booleans()) else []),
                ],
            }
            for name in names
        ],
    }
    if draw(st.booleans()):
        content["pass_mark"] = draw(st.integers(0, 100))
    return content


@given(
    content=contents(),
    form=st.sampled_from(["toml", "csv"]),
    language=st.sampled_from(["en", "fr"]),
)
@settings(max_examples=60)
def test_a_grid_comes_back_from_its_file_as_it_was(
    content: dict[str, Any], form: str, language: str
) -> None:
    i18n.use(language)
    try:
        made = files.build(content, "grid", form)
        assert scoring.parse_scorecard(
            files.read_file(made.file_name, made.content)
        ) == scoring.parse_scorecard(content)
    finally:
        i18n.use("en")


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("key", publication.find_starters())
def test_every_starter_comes_back_from_a_workbook(centre: Path, key: str, language: str) -> None:
    i18n.use(language)
    content = publication.read_starter(key)

    made = files.build(content, "grid", "xlsx")

    assert scoring.parse_scorecard(
        files.read_file("grid.xlsx", made.content)
    ) == scoring.parse_scorecard(content)
    i18n.use("en")


def test_every_starter_is_sound_and_guides_in_both_languages() -> None:
    for key in publication.find_starters():
        plan = scoring.parse_scorecard(publication.read_starter(key))
        assert any(criterion.bonus for criterion in plan.criteria) and any(
            criterion.critical for criterion in plan.criteria
        )
        assert all(
            criterion.help
            and criterion.help.fr
            and criterion.help.en
            and criterion.text.fr != criterion.text.en
            for criterion in plan.criteria
        ), key


def test_a_sheet_with_section_criterion_and_points_is_enough() -> None:
    sheet = (
        "Rubrique;Critère;Barème;N/A\nAccueil;Salue le client;2;\n;Vérifie "
        "l'identité;2,5;oui\n\nRéponse;;;\n;Réponse exacte;4;\nTotal;;8,5;\n"
    )

    read = files.read_file("ma_grille.csv", sheet.encode("cp1252"))

    assert read == {
        "title": "Ma grille",
        "section": [
            {
                "name": "Accueil",
                "criterion": [
                    {"key": "salue_le_client", "text": "Salue le client", "points": 2},
                    {
                        "key": "verifie_l_identite",
                        "text": "Vérifie l'identité",
                        "points": 2.5,
                        "not_applicable": True,
                    },
                ],
            },
            {
                "name": "Réponse",
                "criterion": [{"key": "reponse_exacte", "text": "Réponse exacte", "points": 4}],
            },
        ],
    }


def test_each_fault_of_a_sheet_names_its_row_its_cell_and_what_is_expected() -> None:
    sheet = (
        "Section,Criterion,Points,Levels,Critical\nWelcome,Greets,two,,\nWelcome,Smiles,2,"
        "0; 5,\n\nAnswer,Is right,4,,everybody\n"
    )

    with pytest.raises(files.FaultyFile) as refused:
        files.read_file("sheet.csv", sheet.encode())

    assert [str(fault) for fault in refused.value.faults] == [
        "Row 2, column “Points”, “two”: In the scorecard, greets.points must be a number.",
        "Row 3, column “Levels”, “0; 5”: In the scorecard, smiles.levels must be numbers between 0 "
        "and 2, the points of the criterion.",
        "Row 5, column “Critical”, “everybody”: In the scorecard, is_right.critical must be one "
        "of: customer, business, compliance.",
    ]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"Name,City\nAnn,Lyon\n", "no_grid_table"),
        ("a.csv", b"Section,Criterion\nWelcome,Greets\n", "no_grid_table"),
        ("a.csv", b"", "no_grid_table"),
        ("a.toml", b"title = ", "bad_toml"),
        ("a.toml", b"\xff\xfe", "bad_toml"),
        ("a.toml", b'title = "x"', "bad_grid_file"),
        ("a.png", b"\x89PNG", "wrong_file_type"),
        ("a.csv", b"x" * (files.MAX_BYTES + 1), "grid_file_too_large"),
        ("a.csv", b"Criterion,Points\n" + b"c,1\n" * 1001, "grid_too_large"),
        ("a.xlsx", b"no workbook", "damaged_file"),
    ],
)
def test_what_is_no_grid_is_refused_in_words(
    centre: Path, name: str, content: bytes, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        files.read_file(name, content)

    assert refused.value.code == code
    assert i18n.format_refusal(refused.value)


def test_the_command_line_brings_in_publishes_and_lists(
    centre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "service.toml"
    file.write_bytes(files.build(SMALL, "x", "toml").content)

    assert run(["grid", "import", str(file), "--key", "service", "--publish"]) == 0
    assert (
        run(["grid", "import", str(file), "--key", "service", "--publish"]) == 1
    )  # nothing changed, and no draft is left behind
    workbook = tmp_path / "out.xlsx"
    workbook.write_bytes(files.build(SMALL, "out", "xlsx").content)
    assert run(["grid", "import", str(workbook), "--key", "again"]) == 0
    assert run(["grid", "import", str(tmp_path / "none.toml")]) == 1
    capsys.readouterr()
    assert run(["grid", "list", "--json"]) == 0

    listed = json.loads(capsys.readouterr().out)
    assert [(row["key"], row["version"]) for row in listed] == [("again", None), ("service", 1)]


def test_grids_are_handed_out_only_to_whoever_sees_them() -> None:
    assert files.downloads.KINDS["grid"].permission == Permission.SEE_SCORECARDS
