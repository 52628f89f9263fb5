"""The documents are true: what they refer to is there, in the repository, in the code and
on the command line; and the code refers to documents that are there.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders.centres import contact, land
from tools import catalogues, documents, rooms

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.cli.app import run
from qa_core.metrics import kpis
from qa_core.metrics.kpi.measure import find_rows
from qa_core.metrics.kpis import call_statistics
from qa_core.metrics.kpis.dimensions import Filters

PROJECT = environment.PROJECT
DOCUMENTS = sorted(
    [
        *PROJECT.glob("*.md"),
        *(PROJECT / "docs").rglob("*.md"),
        PROJECT / "data" / "README.md",
    ]
)
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
SOURCES = sorted(
    [
        *(
            path
            for root in ("qa_core", "pages", "tests")
            for path in (PROJECT / root).rglob("*.py")
        ),
        *(PROJECT / name for name in ("app.py", "Makefile", "pyproject.toml", "requirements.txt")),
        PROJECT / ".streamlit" / "config.toml",
    ]
)
PENDING_ROOMS = ("ingest", "files", "base", "centre", "ui")
"""Rooms whose comments still name documents that are not in the repository."""

REFERENCE = re.compile(
    r"(?<!\]\()(?<![\w/.-])((?:docs|data)/(?:[\w-]+/)*[\w-]+\.md|README\.md|CONTRIBUTING\.md)"
    r"(?:,? section (\d+)|, (R\d+b?(?:(?:, |–)R\d+b?)*))?"
)
ELSEWHERE = re.compile(
    r"\b(?:CONTRACT|COMPLIANCE|ACCESS|DESIGN|KPIS|HOUSE|STYLE|WORDS)(?:\.md|,? section \d|,? R\d)"
)
RULE = re.compile(r"\bR\d{1,2}b?\b")
PLACEHOLDER = re.compile(r"<[\w ]+>")


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def unwrap(text: str) -> str:
    """The text with each line break, and the comment sign after it, as one blank."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", text)


def rules() -> set[str]:
    """The rules of docs/compliance.md."""
    return set(re.findall(r"^\| (R\d+b?) \|", TEXTS[PROJECT / "docs/compliance.md"], flags=re.M))


def is_pending(path: Path) -> bool:
    return path.is_relative_to(PROJECT / "qa_core") and (
        path.relative_to(PROJECT / "qa_core").parts[0] in PENDING_ROOMS
    )


def without_code(text: str) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def quotes(path: Path) -> Iterator[str]:
    """What stands between backticks in the prose of a document."""
    yield from re.findall(r"`([^`\n]+)`", without_code(TEXTS[path]))


def is_there(document: str, section: str, named: str) -> bool:
    """Whether that document is there, with that section and those rules."""
    content = TEXTS.get(PROJECT / document)
    if content is None:
        return False
    has_section = not section or re.search(rf"^## {section}\. ", content, flags=re.MULTILINE)
    return bool(has_section) and set(RULE.findall(named)) <= rules()


def test_every_document_and_section_that_is_referred_to_is_there() -> None:
    missing = [
        f"{name_of(path)}: {', '.join(filter(None, reference))}"
        for path in (*SOURCES, *DOCUMENTS)
        for reference in REFERENCE.findall(unwrap(path.read_text(encoding="utf-8")))
        if not is_there(*reference)
    ]
    assert missing == []


def test_no_comment_names_a_document_that_is_not_in_the_repository() -> None:
    named = [
        f"{name_of(path)}: {reference}"
        for path in SOURCES
        if not is_pending(path)
        for reference in ELSEWHERE.findall(unwrap(path.read_text(encoding="utf-8")))
    ]
    assert named == []


def test_every_rule_that_is_named_is_one_of_the_rules() -> None:
    assert {"R1", "R5b", "R20"} <= rules()
    unknown = {
        f"{name_of(path)}: {rule}"
        for path in SOURCES
        if path.suffix == ".py"
        for rule in RULE.findall(path.read_text(encoding="utf-8"))
        if rule not in rules()
    }
    assert unknown == set()


def headings(text: str) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_between_documents_leads_somewhere(path: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(TEXTS[path])):
        if "://" in target:
            continue
        file, _sharp, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        # A link to a folder ends `make docs` with an error.
        if not there.is_file() or (anchor and anchor not in headings(TEXTS[there])):
            broken.append(target)
    assert broken == []


def find_files(quoted: str) -> list[Path]:
    """The files that a path in a document means; `<tool>` stands for any name."""
    return list(PROJECT.glob(PLACEHOLDER.sub("*", quoted).rstrip("/")))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_that_a_document_names_is_there(path: Path) -> None:
    named = [
        quoted
        for quoted in quotes(path)
        if re.fullmatch(r"(?:qa_core|pages|tests|docs|deploy)/[\w<>.@/ -]*", quoted)
    ]
    assert [quoted for quoted in named if not find_files(quoted)] == []


def resolve(dotted: str) -> Any:
    """The module, or what it holds, by a name that begins with a room. Raises."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["qa_core", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(dotted)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_function_that_a_document_names_is_there(path: Path) -> None:
    missing = []
    for quoted in quotes(path):
        name = quoted.partition("(")[0]
        if re.fullmatch(rf"(?:{'|'.join(rooms.ROOMS)})(?:\.\w+)+", name):
            try:
                resolve(name)
            except (ImportError, AttributeError):
                missing.append(name)
    assert missing == []


COMMAND_LINE = re.compile(
    r"^(?:[\d*]+ +[\d*]+ +\* +\* +\* .*?|docker compose .*?|sudo .*?)?"
    r"(?:(?:\S*/)?python -m qa_core|(?:\S*/)?\becoute) (\w[^|>;&]*)"
)


def find_command_lines(path: Path) -> Iterator[str]:
    """The command lines of a document, in blocks and in prose; on a server they begin with
    `ecoute`, in a cron table or a container with other words.
    """
    text = TEXTS[path]
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    for line in [*lines, *quotes(path)]:
        if found := COMMAND_LINE.match(re.sub(r"\$\([^)]*\)", "now", line.strip())):
            yield found[1]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_line_in_a_document_can_be_parsed(path: Path) -> None:
    known = dict(documents.find_commands())
    for line in find_command_lines(path):
        words = shlex.split(line, comments=True)
        if "COMMAND" in words:
            continue
        length = next((length for length in (2, 1) if " ".join(words[:length]) in known), None)
        assert length, f"unknown command: {line}"
        command = known[" ".join(words[:length])]
        command.make_context(line, words[length:])


WITH_NAMES = [
    PROJECT / "README.md",
    *(PROJECT / "docs/guides").glob("*.md"),
    *(PROJECT / f"docs/{name}.md" for name in ("commands", "demo-story", "install", "upgrade")),
]
"""Documents in which italics are names of pages, parts and buttons."""


def test_every_name_in_italics_is_a_text_of_the_screen() -> None:
    files = [path for path in SOURCES if not path.is_relative_to(PROJECT / "tests")]
    files += (PROJECT / "data/scorecards").glob("*.toml")
    files.append(PROJECT / "qa_core/cli/demo/story.toml")
    shown = "\n".join(path.read_text(encoding="utf-8") for path in files)
    shown = re.sub(r'"\s*\n\s*"', "", shown)
    shown += (PROJECT / "qa_core/metrics/kpis/glossary/en.toml").read_text(encoding="utf-8")
    unknown = {}
    for path in WITH_NAMES:
        prose = unwrap(re.sub(r"\*\*.+?\*\*", "", without_code(TEXTS[path]), flags=re.DOTALL))
        named = re.findall(r"(?<!\w)\*(\w[^*`|]*)\*", prose)
        unknown[name_of(path)] = [name for name in named if f'"{name}' not in shown]
    assert not any(unknown.values()), unknown


def test_every_name_in_italics_of_a_french_guide_is_a_french_text_of_the_screen() -> None:
    texts = (entry.string for entry in catalogues.read("fr"))
    shown = {form for text in texts for form in ((text,) if isinstance(text, str) else text)}
    terms = tomllib.loads(
        (PROJECT / "qa_core/metrics/kpis/glossary/fr.toml").read_text(encoding="utf-8")
    )
    shown |= {term for group in terms.values() for term in group}
    for path in (PROJECT / "docs/fr/guides").glob("*.md"):
        prose = unwrap(re.sub(r"\*\*.+?\*\*", "", without_code(TEXTS[path]), flags=re.DOTALL))
        for name in re.findall(r"(?<!\w)\*(\w[^*`|]*)\*", prose):
            assert any(name.casefold() in text.casefold() for text in shown), (path.name, name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_make_target_in_a_document_is_in_the_makefile(path: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text("utf-8"), flags=re.M)
    named = re.findall(r"(?:^|`)make ([\w-]+)", TEXTS[path], flags=re.MULTILINE)
    assert set(named) <= set(targets)


def test_every_room_has_its_line_on_the_page_on_architecture() -> None:
    text = TEXTS[PROJECT / "docs/architecture.md"]
    lines = re.findall(r"^\| (\d+) \| `qa_core/(\w+)` \| \S", text, flags=re.MULTILINE)
    assert [room for _floor, room in lines] == list(rooms.ROOMS)
    assert all(int(floor) == rooms.floor_of(room) for floor, room in lines)


CONTRACT = TEXTS[PROJECT / "docs/contract.md"]


def test_the_environment_is_in_the_contract_with_its_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = CONTRACT.split("## 2. ")[1].split("\n## ")[0]
    named = {
        name
        for path in SOURCES
        if path.suffix == ".py"
        for name in re.findall(r"\bQA_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert named <= set(re.findall(r"QA_[A-Z_]+[A-Z]", section))
    for name in named:
        monkeypatch.delenv(name, raising=False)
    here = environment.current()
    for default in (here.engine_url, here.timezone, here.country, here.language):
        assert f"| `{default}` |" in section


@pytest.fixture
def ask(centre: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command line on a small centre and read its JSON."""
    land(
        [
            contact("2026-06-01 09:00", "c1", queue="Sales", wait_seconds=5.0),
            contact("2026-06-01 10:00", "c2", queue="Sales", outcome="abandoned"),
        ]
    )

    def command(line: str) -> Any:
        capsys.readouterr()
        run([*shlex.split(line), "--json"])
        return json.loads(capsys.readouterr().out)

    return command


def described(command: str) -> str:
    """The JSON of a command in the table of docs/contract.md, section 5."""
    [line] = re.findall(rf"^\| `{command}` \| (.+) \|$", CONTRACT, flags=re.MULTILINE)
    return line


def keys_of(document: Any) -> set[str]:
    """The keys of an object, or of the first object of a list."""
    if isinstance(document, list):
        document = document[0]
    return set(document)


@pytest.mark.parametrize(
    ("command", "before"),
    [
        ("settings list", ()),
        ("targets list", ("targets set answer_rate=85%",)),
        ("alerts list", ()),
        ("alerts evaluate", ()),
        ("people list", ("people add lea --role manager --site Lyon",)),
        ("journal verify", ()),
        ("secrets list", ("init",)),
        ("gate list", ()),
        ("grid list", ("grid import data/scorecards/customer_service.toml --publish",)),
        ("doctor", ()),
    ],
)
def test_json_has_the_keys_that_the_contract_lists(
    command: str, before: tuple[str, ...], ask: Callable[..., Any]
) -> None:
    for line in before:
        assert run(shlex.split(line)) == 0
    keys = keys_of(ask(command))
    assert keys and keys <= set(re.findall(r"\w+", described(command)))


def test_the_rows_of_a_kpi_have_the_keys_that_the_contract_lists(ask: Callable[..., Any]) -> None:
    section = CONTRACT.split("## 5. ")[1].split("\n## ")[0]
    found = ask("kpi average_speed_of_answer first_contact_resolution --by queue")
    assert set(found) == {"rows", "data_through"}
    for row in found["rows"]:
        assert all(f"`{key}`" in section for key in row)
    explained = ask("kpi answer_rate --explain")["explanation"][0]
    assert all(key in section for key in explained)


def test_the_report_of_an_import_has_the_keys_that_the_contract_lists(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    section = CONTRACT.split("## 4. ")[1].split("\n## ")[0]
    file = tmp_path / "calls.csv"
    file.write_text("started_at,queue\n2026-06-02 09:00,Sales\nyesterday,Sales\n", encoding="utf-8")
    [report] = ask(f"import contacts {file}")
    assert report["read"] == 2 and report["new"] == 1 and report["rejected"] == 1
    assert all(f"`{key}`" in section for key in report)
    batch = ask("batches list")[0]
    assert all(key in section for key in batch)


def test_the_scorecard_and_the_plan_of_the_contract_can_be_read(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    blocks = {
        title: re.search(rf"## {number}\. .*?```toml\n(.*?)```", CONTRACT, re.DOTALL)[1]
        for title, number in (("grid", 6), ("plan", 7))
    }
    grid, answers = tmp_path / "grid.toml", tmp_path / "answers.json"
    grid.write_text(blocks["grid"], encoding="utf-8")
    answers.write_text('{"greeting": 1, "identity": 1}', encoding="utf-8")
    # Two of the three points of the only section: 100 × 2/3, below the pass mark of 80.
    result = ask(f"score {grid} {answers}")
    assert result["score"] == pytest.approx(200 / 3) and result["outcome"] == "fail"

    plan = tmp_path / "plan.toml"
    plan.write_text(blocks["plan"], encoding="utf-8")
    assert run(shlex.split("people add eve --role evaluator")) == 0
    assert ask(f"plan add {plan}")["name"] == "november"


RECIPE = TEXTS[PROJECT / "docs/adding-a-kpi.md"]


def test_the_kpi_of_the_recipe_counts_as_the_recipe_says(centre: Path) -> None:
    declaration, reason = re.findall(r"```python\n(.*?)```", RECIPE, re.DOTALL)[:2]
    names = {**vars(call_statistics)}
    exec(reason, names)
    hold_rate = eval(declaration, names)
    land(
        [
            contact("2026-06-01 09:00", f"c{place}", hold_seconds=seconds)
            for place, seconds in enumerate((0.0, 20.0, None, 40.0))
        ]
    )

    [row] = find_rows(Viewer.SYSTEM, [hold_rate], Filters())

    assert (row.kpi, row.n, row.value) == ("hold_rate", 3, pytest.approx(2 / 3))


@pytest.mark.parametrize("declared", [kpis.Kpi, kpis.Contribution], ids=lambda item: item.__name__)
def test_the_recipe_explains_each_field_of_a_declaration(declared: type) -> None:
    for name in declared.__dataclass_fields__:
        assert re.search(rf"^\| [^|]*`{name}`", RECIPE, flags=re.MULTILINE), name
