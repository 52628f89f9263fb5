"""Mutants of access: each scope, permission check and suppression call is removed once,
and the tests that run the line must notice: `python tests/tools/mutate_access.py`.

The tests are run once with `coverage`, which says which of them run which line; then each
mutant is tried in a copy of the project by some of those tests: those that run few other
lines, those whose names speak of access, and the shortest. A mutant that lives is listed,
unless `EQUIVALENT` says why it changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("qa_core", "pages", "tests", "data", ".streamlit", "app.py", "pyproject.toml")
TESTS = ("access", "analysis", "centre", "cli", "compliance", "metrics", "quality", "storage", "ui")
MOST_SECONDS = 100
"""How long the tests of one mutant take together, as they were measured with `coverage`."""
DOORS = "test_every_door_refuses_each_role_without_its_permission"
"""Tried before all others: it asks at most doors."""
ABOUT_ACCESS = re.compile(
    "role|viewer|scope|sees|see_|own|may_|might|executive|lead|advisor|manager|nobody|no_one|"
    "stranger|hidden|hide|other|refus|permission|denied|team|whoever|who_"
)
"""Words in the names of tests that speak of access."""
SUPPRESSION = ("require_one_table", "close_period", "hide", "require_shown")
_SAME_ROLE = "Whoever has the other permission that is asked beside it has this one too."
_READERS = "Every role that reads remarks has this permission."
_SPEND = "Spend belongs to no team: nobody's scope narrows it."
_ASKED_AGAIN = "What it calls next refuses the same people."
_ADVISORS_ALONE = "Advisors alone have an id of an advisor, which is asked next."
_PART_OF_IT = "It reads parts of an evaluation that the viewer was just let read."
EQUIVALENT: dict[str, str] = {
    "qa_core/analysis/alerts/alerts.py: viewer.can(get_kpi(event.rule.kpi).needs)": _ASKED_AGAIN,
    "qa_core/analysis/alerts/rules.py: viewer.require(Permission.MANAGE_ALERTS)": _ASKED_AGAIN,
    "qa_core/analysis/alerts/rules.py: viewer.can(get_kpi(rule.kpi).needs)": (
        "A manager has every permission that a KPI needs."
    ),
    "qa_core/analysis/annotations.py: viewer.require(Permission.EDIT_NOTES)": _ASKED_AGAIN,
    "qa_core/analysis/annotations.py: viewer.can(Permission.EDIT_NOTES)": _ASKED_AGAIN,
    "qa_core/analysis/irritants/action_list.py: viewer.can(Permission.MANAGE_IRRITANTS)": (
        "Who sees entries without it sees them without names and without a way to change them."
    ),
    "qa_core/analysis/irritants/detection.py: not query.may_read_remarks(viewer)": _ASKED_AGAIN,
    "qa_core/analysis/targets.py: viewer.can(Permission.EDIT_TARGETS)": _ASKED_AGAIN,
    "qa_core/analysis/targets.py: viewer.require(Permission.EDIT_TARGETS)": _ASKED_AGAIN,
    "qa_core/cli/demo/__init__.py: viewer.require(Permission.MANAGE_IMPORTS)": _SAME_ROLE,
    "qa_core/cli/demo/__init__.py: viewer.require(Permission.MANAGE_ACCOUNTS)": _SAME_ROLE,
    "qa_core/compliance/proportionality.py: viewer.require(Permission.SEE_COMPLIANCE)": (
        _ASKED_AGAIN
    ),
    "qa_core/compliance/recordings/playback_list.py: viewer.require(Permission.SEE_OWN_QUALITY)": (
        _ADVISORS_ALONE
    ),
    "qa_core/metrics/query/advisor_self_view.py: viewer.require(Permission.SEE_OWN_QUALITY)": (
        _ADVISORS_ALONE
    ),
    "qa_core/compliance/recordings/playback.py: viewer.require(Permission.LISTEN)": (
        "Whoever lacks it has no ground to listen, which is asked next."
    ),
    "qa_core/quality/calibration/results.py: viewer.require(Permission.SEE_CALIBRATIONS)": (
        _ASKED_AGAIN
    ),
    "qa_core/quality/calibration/worklist.py: viewer.require(Permission.SEE_CALIBRATIONS)": (
        _ASKED_AGAIN
    ),
    "qa_core/quality/calibration/worklist.py: Scoped(own, viewer)": (
        "It asks for the viewer's own name, and tells only how far they are."
    ),
    "qa_core/quality/coaching/training_file.py: viewer.require(Permission.SEE_COACHING)": (
        _ASKED_AGAIN
    ),
    "qa_core/quality/evaluations/advisor_response.py: "
    "viewer.require(Permission.ANSWER_EVALUATIONS)": _ADVISORS_ALONE,
    "qa_core/quality/evaluations/advisor_response.py: viewer.require(Permission.FILL_GRIDS)": (
        _ADVISORS_ALONE
    ),
    "qa_core/quality/evaluations/advisor_response.py: Scoped(self_evaluations.limit(1), viewer)": (
        _PART_OF_IT
    ),
    "qa_core/quality/evaluations/corrections.py: Scoped(statement, viewer)": _PART_OF_IT,
    "qa_core/quality/evaluations/disputes.py: Scoped(before, viewer)": _PART_OF_IT,
    "qa_core/quality/evaluations/disputes.py: Scoped(raised, viewer)": _ASKED_AGAIN,
    "qa_core/quality/evaluations/drafts.py: viewer.require(Permission.FILL_GRIDS)": (
        "Evaluators and the advisor, who alone are let in next, have it; of `find_submitted`, "
        "which lets in others, `test_doors` asks it."
    ),
    "qa_core/quality/evaluations/drafts.py: "
    "Scoped(existing.order_by(Evaluation.id).limit(1), viewer)": (
        "It asks for the viewer's own name and a contact that they were just let evaluate."
    ),
    "qa_core/quality/evaluations/drafts.py: Scoped(assigned, viewer)": (
        "The viewer's own name is asked next, and `find_assigned` refuses what is restricted."
    ),
    "qa_core/metrics/query/advisors.py: viewer.require(Permission.SEE_SCORES)": _SAME_ROLE,
    "qa_core/metrics/query/comments.py: viewer.can(Permission.SEE_CONTACTS)": _READERS,
    "qa_core/metrics/query/comments.py: viewer.can(Permission.SEE_SATISFACTION)": _READERS,
    "qa_core/metrics/query/comments.py: viewer.can(Permission.SEE_SCORES)": _READERS,
    "qa_core/metrics/query/contacts.py: viewer.can(Permission.SEE_SCORES)": _SAME_ROLE,
    "qa_core/metrics/query/contacts.py: Scoped(statement.where(sa.false()), viewer)": (
        "It asks for no row."
    ),
    "qa_core/metrics/query/contacts.py: Scoped(statement.where(*found), viewer)": (
        "Rows of contacts that were not found within the scope just before are dropped."
    ),
    "qa_core/metrics/query/currencies.py: Scoped(statement, viewer)": _SPEND,
    "qa_core/metrics/query/measure.py: question.viewer.needs_suppression": (
        "Percentiles are hidden from executives afterwards too."
    ),
    "qa_core/metrics/query/rule_changes.py: viewer.can(Permission.SEE_SCORES)": (
        "Without it no KPI that comes from a grid is seen, so that no change of one is left."
    ),
    "qa_core/metrics/query/satisfaction_drivers.py: viewer.can(Permission.SEE_SCORES)": _SAME_ROLE,
    "qa_core/metrics/query/severity.py: viewer.require(Permission.SEE_SCORES)": _SAME_ROLE,
    "qa_core/metrics/query/statements.py: Scoped(select_groups([*groups, SPEND.c.currency], "
    "sums).where(*conditions), question.viewer)": _SPEND,
    "qa_core/metrics/query/waits.py: viewer.require(Permission.SEE_SATISFACTION)": _SAME_ROLE,
    "qa_core/quality/evaluations/evaluation_view.py: viewer.require(Permission.SEE_EVALUATIONS)": (
        _ASKED_AGAIN
    ),
    "qa_core/quality/evaluations/evaluation_view.py: Scoped(statement, viewer)": _PART_OF_IT,
    "qa_core/quality/evaluations/timed_comments.py: viewer.require(Permission.SEE_EVALUATIONS)": (
        _ASKED_AGAIN
    ),
    "qa_core/quality/evaluations/timed_comments.py: Scoped(statement, viewer)": (
        "The evaluation that a remark belongs to is asked just before or just after."
    ),
    "qa_core/quality/evaluations/timed_comments.py: remark.author != viewer.username": (
        "Its evaluator alone, who was just asked, writes remarks on a draft."
    ),
    "qa_core/quality/evaluations/timed_comments.py: viewer.can(Permission.FILL_GRIDS)": (
        "Evaluators and the advisor, who alone are let read a draft of theirs, have it."
    ),
    "qa_core/quality/sampling/manual_pick.py: viewer.require(Permission.MANAGE_LISTENING)": (
        _ASKED_AGAIN
    ),
    "qa_core/quality/sampling/worklist.py: viewer.require(Permission.FILL_GRIDS)": _ASKED_AGAIN,
    "qa_core/ui/frame.py: viewer.require(entry.permission)": _ASKED_AGAIN,
}
"""Mutants that change nothing, as `file: what`, with the reason."""
EQUIVALENT |= dict.fromkeys(
    (
        f"qa_core/ui/{name}"
        for name in (
            "alert_banner.py: viewer.can(Permission.EDIT_ALERTS)",
            "alert_banner.py: viewer.can(Permission.SEE_TRACKING)",
            "download_links.py: signed_in.viewer.can(downloads.KINDS[kind].permission)",
            "filter_bar.py: viewer.needs_suppression",
            "player/__init__.py: viewer.can(Permission.LISTEN)",
            "views/admin/scorecards.py: viewer.can(Permission.EDIT_GRIDS)",
            "views/admin/targets.py: viewer.can(Permission.MANAGE_ALERTS)",
            "views/admin/targets.py: viewer.can(Permission.SEE_ALERTS)",
            "views/compliance/accredited_people.py: viewer.can(Permission.MANAGE_COMPLIANCE)",
            "views/compliance/deletion.py: viewer.can(Permission.MANAGE_COMPLIANCE)",
            "views/compliance/listening_rules.py: viewer.can(Permission.MANAGE_COMPLIANCE)",
            "views/compliance/person_requests.py: viewer.can(Permission.MANAGE_COMPLIANCE)",
            "views/conversations/contact.py: viewer.can(Permission.LISTEN)",
            "views/conversations/contacts.py: viewer.can(Permission.EXPORT_CONTACTS)",
            "views/conversations/contacts.py: viewer.can(kpi.needs)",
            "views/performance/action_list.py: viewer.needs_suppression",
            "views/performance/explain.py: viewer.can(Permission.MANAGE_SETTINGS)",
            "views/performance/overview.py: viewer.can(get_kpi(key).needs)",
            "views/performance/survey_answers.py: viewer.needs_suppression",
            "views/quality/calibration.py: viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "views/quality/calibration_consensus.py: viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "views/quality/calibration_results.py: viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "views/quality/calibration_results.py: viewer.can(Permission.SEE_CONTACTS)",
            "views/quality/coaching.py: viewer.can(Permission.SEE_ADVISORS)",
            "views/quality/coaching.py: viewer.can(Permission.SEE_COACHING)",
            "views/quality/evaluation.py: viewer.can(Permission.LISTEN)",
            "views/quality/evaluation.py: viewer.can(Permission.SEE_CONTACTS)",
            "views/quality/evaluation_reply.py: viewer.can(Permission.ANSWER_EVALUATIONS)",
        )
    ),
    "Only a control or a sentence is shown or hidden: the room behind it refuses the same people, "
    "or gives them nothing.",
)


@dataclass(frozen=True)
class Mutant:
    """A change of one place: characters `start` to `end` of a file become `text`."""

    file: str
    line: int
    kind: str
    what: str
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.what}"

    @property
    def name(self) -> str:
        return f"{self.file}: {self.what}"


def find_mutants() -> list[Mutant]:
    """Find every place that a mutant can be made of, in the order of the files."""
    found = []
    for path in sorted((PROJECT / "qa_core").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        file = path.relative_to(PROJECT).as_posix()
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line.encode()))
        for kind, node, text in _find_places(ast.parse(source), file):
            found.append(
                Mutant(
                    file,
                    node.lineno,
                    kind,
                    ast.unparse(node),
                    starts[node.lineno - 1] + node.col_offset,
                    starts[node.end_lineno - 1] + node.end_col_offset,
                    text,
                )
            )
    return found


def _find_places(tree: ast.AST, file: str) -> Iterator[tuple[str, ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = _name_of(node.value)
            if name == "require":
                yield "check", node.value, "None"
            elif name in SUPPRESSION:
                yield "suppression", node.value, "None"
        elif isinstance(node, ast.Call):
            name = _name_of(node)
            # The operator sees every row: without the scope nothing would change.
            if name == "Scoped" and len(node.args) == 2 and "SYSTEM" not in ast.unparse(node):
                kept = ast.unparse(node.args[0])
                guard = "__import__('qa_core.storage.guard', fromlist=['Unscoped'])"
                yield "scope", node, f"{guard}.Unscoped({kept}, 'Mutant.')"
        elif isinstance(node, ast.If) and any(
            isinstance(statement, ast.Raise) and "AccessDenied" in ast.unparse(statement)
            for statement in node.body
        ):
            yield "refusal", node.test, "False"
        if isinstance(node, ast.Call) and _name_of(node) == "can" and len(node.args) == 1:
            yield "permission", node, "True"
        if isinstance(node, ast.Attribute) and node.attr == "needs_suppression":
            yield "suppression", node, "False"


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def copy_project(folder: Path) -> None:
    """Copy what the tests need into a folder."""
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "e2e")
            )
        elif source.exists():
            shutil.copy(source, folder / name)


def measure_coverage(folder: Path, data: Path) -> None:
    """Run the tests once, and keep which test runs which line."""
    (folder / "coverage.ini").write_text(
        "[run]\nsource = qa_core\ndynamic_context = test_function\n"
        f"data_file = {data}\nconcurrency = thread\nparallel = true\npatch = subprocess\n",
        encoding="utf-8",
    )
    coverage = [sys.executable, "-m", "coverage"]
    tests = ["-m", "pytest", "-q", "-m", "not long and not browser", "-p", "no:cacheprovider"]
    tests += [
        "--durations=0",
        "--durations-min=0",
        "-n",
        "auto",
        *(f"tests/{name}" for name in TESTS),
    ]
    with (data.parent / "coverage.log").open("w") as log:
        subprocess.run(
            [*coverage, "run", "--rcfile=coverage.ini", *tests],
            cwd=folder,
            stdout=log,
            stderr=log,
            check=False,
        )
    subprocess.run([*coverage, "combine", "--rcfile=coverage.ini"], cwd=folder, check=True)


def find_tests(data: Path) -> tuple[dict[tuple[str, int], set[str]], Counter[str]]:
    """Find the tests that run each line, (file, line) → functions, and how many lines each
    test function runs.
    """
    from coverage.numbits import numbits_to_nums

    found: dict[tuple[str, int], set[str]] = {}
    lines: Counter[str] = Counter()
    with sqlite3.connect(data) as connection:
        rows = connection.execute(
            "SELECT f.path, c.context, b.numbits FROM line_bits b JOIN file f ON f.id = b.file_id "
            "JOIN context c ON c.id = b.context_id WHERE c.context LIKE '%test_%'"
        )
        for path, context, bits in rows:
            file = path[path.index("qa_core/") :]
            function = context.rpartition(".")[2]
            for line in numbits_to_nums(bits):
                found.setdefault((file, line), set()).add(function)
                lines[function] += 1
    return found, lines


def read_durations(data: Path) -> dict[str, tuple[str, float]]:
    """Read where each test function is and how long it took: function → (file, seconds)."""
    found: dict[str, tuple[str, float]] = {}
    for line in (data.parent / "coverage.log").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in ("call", "setup") and "::" in words[2]:
            file, _, name = words[2].partition("::")
            function = name.partition("[")[0]
            known = found.get(function, (file, 0.0))[1]
            found[function] = (file, known + float(words[0].rstrip("s")))
    return found


def choose_tests(
    functions: set[str], lines: Counter[str], durations: dict[str, tuple[str, float]]
) -> list[str]:
    """Choose tests of a mutant, the most promising first: the doors, then in turn those
    that run few lines, those whose names speak of access, and the shortest.
    """
    known = [one for one in functions if one in durations]
    orders = (
        sorted(known, key=lambda one: lines[one]),
        sorted(known, key=lambda one: (not ABOUT_ACCESS.search(one), durations[one][1])),
        sorted(known, key=lambda one: durations[one][1]),
    )
    chosen = [DOORS] if DOORS in known else []
    seconds = 0.0
    for one in itertools.chain.from_iterable(zip(*orders, strict=True)):
        if one not in chosen and seconds + durations[one][1] <= MOST_SECONDS:
            chosen.append(one)
            seconds += durations[one][1]
    return [f"{durations[one][0]}::{one}" for one in chosen]


def try_mutant(folder: Path, mutant: Mutant, tests: list[str]) -> str:
    """Run the tests on a mutant, and say `killed`, `alive` or `timeout`."""
    path = folder / mutant.file
    original = path.read_bytes()
    path.write_bytes(original[: mutant.start] + mutant.text.encode() + original[mutant.end :])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            timeout=900,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    finally:
        path.write_bytes(original)
    return "alive" if done.returncode == 0 else "killed"


def main() -> int:
    """Try the mutants and print the figures; 1 where one lives without a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="keep the coverage here, and use it again")
    parser.add_argument("--results", type=Path, help="keep results here, and go on from them")
    parser.add_argument("--only", default="", help="only files whose name holds this")
    parser.add_argument("--part", default="1/1", help="every second one from the first on: 1/2")
    asked = parser.parse_args()
    results = asked.results or Path(tempfile.mkdtemp()) / "results.json"
    known = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = (asked.data or folder / "coverage.sqlite").absolute()
        copy_project(folder)
        if not data.exists():
            measure_coverage(folder, data)
        (tests, lines), durations = find_tests(data), read_durations(data)
        part, parts = map(int, asked.part.split("/"))
        mutants = find_mutants()[part - 1 :: parts]
        for mutant in mutants:
            if asked.only not in mutant.file or mutant.key in known:
                continue
            functions = tests.get((mutant.file, mutant.line), set())
            chosen = choose_tests(functions, lines, durations)
            known[mutant.key] = try_mutant(folder, mutant, chosen) if chosen else "not run"
            results.write_text(json.dumps(known, indent=1), encoding="utf-8")
            print(known[mutant.key], mutant.key, flush=True)
    counts = Counter(known.values())
    print(dict(counts))
    has_survivors = any(
        known.get(mutant.key, "killed") != "killed" and mutant.name not in EQUIVALENT
        for mutant in mutants
    )
    return 1 if has_survivors else 0


if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
    raise SystemExit(main())
