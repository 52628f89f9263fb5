"""Templates of the law's documents: the same headings, places and tables in both languages,
and nothing that a person typed becomes markup.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import docx
import jinja2
import pytest
from builders.centres import add_people, contact, land
from builders.listening_centre import inform, open_gates
from builders.long_seeds import leave_to_long
from jinja2 import nodes

from qa_core.access.roles import ROLE_TITLES, Viewer
from qa_core.base import i18n
from qa_core.compliance.documents import drafting, facts, printing
from qa_core.compliance.documents.blocks import Bullets, Grid, Heading, Paragraph, list_texts
from qa_core.compliance.documents.facts import Facts
from qa_core.storage.records import store
from qa_core.storage.records.sources import PulledSource

SYSTEM = Viewer.SYSTEM
NAMES = sorted(path.name for path in (drafting.FOLDER / "en").iterdir())
DRAFTS = (*printing.BY_NAME, "advisor_information")
TYPED = "*Rives* & <b>Fils</b> | ## no. {{ 7 * 7 }} {% endif %}\n- `x`_y_ ⟦z⟧ > \\ \ue0000\ue001"


def find_places(language: str, name: str) -> Iterator[str]:
    """What a template takes from its facts and what it asks of them, words left out."""
    source = (drafting.FOLDER / language / name).read_text(encoding="utf-8")
    tree = jinja2.Environment().parse(source)
    for form in tree.find_all(nodes.Filter):
        if form.name == "plural":
            form.args = []
    for node in tree.find_all((nodes.Output, nodes.If, nodes.For, nodes.Include, nodes.With)):
        match node:
            case nodes.Output():
                said = (part for part in node.nodes if not isinstance(part, nodes.TemplateData))
                yield from map(repr, said)
            case nodes.If():
                yield f"if {node.test}"
            case nodes.For():
                yield f"for {node.target} in {node.iter}"
            case nodes.Include():
                yield f"include {node.template}"
            case nodes.With():
                yield f"with {node.targets} as {node.values}"


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_the_same_places_and_conditions_in_both_languages(name: str) -> None:
    english, french = (Counter(find_places(language, name)) for language in ("en", "fr"))
    assert english == french
    assert sorted(path.name for path in (drafting.FOLDER / "fr").iterdir()) == NAMES


@pytest.fixture
def known(centre: Path) -> Facts:
    """Facts of a centre in order, with words that a person typed in every place."""
    open_gates()
    add_people({"a1": "Ann", "a2": "Bob"}, {f"T{TYPED}": f"S{TYPED}"})
    land([contact("2026-10-20 09:00", "c1", advisor_id="a1", queue="Billing", channel="chat")])
    inform("a1")
    printing.enter_details(SYSTEM, dict.fromkeys(facts.DETAILS, "x"))
    return facts.read()


def test_mails_are_in_the_register_once_their_gate_is_open(known: Facts) -> None:
    sending = replace(known, gate_values={**known.gate_values, "delivery_since": "2026-10-01"})
    with_webhook = replace(sending, webhook_host="hooks.example.org")
    texts = [str(drafting.draft("register", one)) for one in (known, sending, with_webhook)]

    assert ["Bring figures" in text for text in texts] == [False, True, True]
    assert ["hooks.example.org" in text for text in texts] == [False, False, True]


def test_tools_that_are_read_are_in_the_register_and_in_a_copy(known: Facts) -> None:
    for name, address in (("aircall", "https://api.aircall.io"), ("folder", "/srv/sent")):
        with store.writing() as session:
            session.add(
                PulledSource(
                    name=name, platform=name, kind="contacts", address=address,
                    since=date(2026, 11, 1), created_by="root",
                )
            )  # fmt: skip
    for language, words in (
        ("en", "minutes from aircall (api.aircall.io)"),
        ("fr", "aircall (api"),
    ):
        for document in ("register", "person_copy"):
            with i18n.in_language(language):
                before = str(drafting.draft(document, known))
                assert words in str(drafting.draft(document, facts.read())), (language, document)
            assert "aircall" not in before


def list_centres(known: Facts) -> Iterator[Facts]:
    """A centre in order, one that sends mails, and one of which nothing was entered yet."""
    yield known
    sending = {**known.gate_values, "delivery_since": "2026-10-01"}
    yield replace(known, gate_values=sending, webhook_host="hooks.example.org")
    blank = known.settings.with_values(**dict.fromkeys(facts.DETAILS), second_factor="nobody")
    yield replace(known, settings=blank, gate_values={}, sites=(), advisors=0, informed_advisors=0)


def outline(name: str, language: str, known: Facts) -> list[tuple]:
    """The blocks of a document without their words; the rows of its tables are as wide as
    their rulers.
    """
    found = []
    with i18n.in_language(language):
        for block in drafting.draft(name, known):
            match block:
                case Grid(header, rows, shares):
                    assert sum(shares) == pytest.approx(1)
                    assert {len(row) for row in (*rows, header or shares)} == {len(shares)}
                    found.append((Grid, bool(header), len(rows), shares))
                case Bullets(items):
                    found.append((Bullets, len(items)))
                case Paragraph():
                    found.append((Paragraph, block.is_quoted))
                case _:
                    found.append((Heading,))
    return found


@pytest.mark.parametrize("name", DRAFTS)
def test_a_document_has_the_same_blocks_in_both_languages(known: Facts, name: str) -> None:
    for centre in list_centres(known):
        english = outline(name, "en", centre)
        assert english == outline(name, "fr", centre)
        assert len(english) > 5


@pytest.mark.parametrize("language", leave_to_long(i18n.LANGUAGES, but=["fr"]))
@pytest.mark.parametrize("name", DRAFTS)
def test_what_a_person_typed_is_text_and_never_markup(
    known: Facts, name: str, language: str
) -> None:
    typed = known.settings.with_values(**dict.fromkeys(facts.DETAILS, TYPED))
    with_typed = replace(known, settings=typed, sites=(TYPED,), listeners=())
    with_typed.__dict__["queues"] = (TYPED,)

    with i18n.in_language(language):
        blocks = drafting.draft(name, with_typed)
        plain = drafting.draft(name, known)

    assert [type(block) for block in blocks] == [type(block) for block in plain]
    said = "\n".join(list_texts(blocks))
    assert TYPED.replace("⟦z⟧", "[z]") in said and "⟦z⟧" not in said
    word = docx.Document(
        io.BytesIO(printing.render("T", [b for b in blocks if not isinstance(b, Grid)], "docx"))
    )
    heads = [part.text for part in word.paragraphs if part.style.name == "Heading 1"]
    assert heads == [block.text for block in plain if isinstance(block, Heading)]
    assert printing.render("T", blocks, "pdf").startswith(b"%PDF-")


def test_every_role_has_its_row_in_the_sheet_of_the_works_council(known: Facts) -> None:
    [scopes] = [
        block
        for block in drafting.draft("works_council", known)
        if isinstance(block, Grid) and block.header == ("Role", "Sees", "Listens to")
    ]
    assert [row[0] for row in scopes.rows] == list(ROLE_TITLES.values())
    assert scopes.rows[0][2] == "never"


def test_a_form_goes_with_its_number_in_the_language_spoken(known: Facts) -> None:
    for language, said in (("en", "0 advisors in 1 team"), ("fr", "0 conseiller dans 1 équipe")):
        with i18n.in_language(language):
            drafted = drafting.draft("register", replace(known, advisors=0, sites=()))
        assert any(said in text for text in list_texts(drafted))


def test_markdown_becomes_blocks() -> None:
    assert drafting.parse(
        "## Head\n\nOne\ntwo.\n\n> Said\n> aloud.\n\n- a\n  b\n- c\n\n"
        "| | |\n|---|-------|\n| x | |\n\n| H | I |\n|-|-|\n| 1 | 2 |\n"
    ) == [
        Heading("Head"),
        Paragraph("One two."),
        Paragraph("Said aloud.", is_quoted=True),
        Bullets(("a b", "c")),
        Grid((), (("x", ""),), (0.3, 0.7)),
        Grid(("H", "I"), (("1", "2"),), (0.5, 0.5)),
    ]
