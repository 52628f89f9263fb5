"""Mutants of access: each scope, permission check and suppression call is removed once,
and the tests that run the line must notice: `python tests/tools/mutate_access.py`.

The tests are run once with `coverage`, which says which of them run which line; then each
mutant is tried in a copy of the project by some of those tests: those that run few other
lines, those whose names speak of access, and the shortest. A mutant that lives is listed; those
of which `EQUIVALENT` says why they change nothing are not tried.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("qa_core", "pages", "tests", "data", ".streamlit", "app.py", "pyproject.toml")
TESTS = (
    "access", "analysis", "centre", "cli", "compliance", "delivery", "metrics", "quality",
    "storage", "ui",
)  # fmt: skip
MAX_SECONDS = 100
"""How long the tests of one mutant take together, as they were measured with `coverage`."""
MAX_WAIT = 900
"""Seconds after which the tests of a mutant are given up."""
PROCESSES = multiprocessing.get_context("forkserver")
LIBRARIES = ("pandas", "plotly.graph_objects", "sqlalchemy.orm", "duckdb", "deltalake",
             "streamlit.testing.v1", "hypothesis", "openpyxl", "xdist.plugin")  # fmt: skip
"""What most tests import, imported once."""
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
    key: why
    for why, keys in {
        _ASKED_AGAIN: (
            "qa_core/sources/pull.py: pull: viewer.require(Permission.MANAGE_IMPORTS)",
            "qa_core/sources/pull.py: undo: viewer.require(Permission.MANAGE_IMPORTS)",
            "qa_core/ui/frame/cached.py: judge_rules: viewer.require(Permission.SEE_RULES)",
            "qa_core/ui/frame/gate.py: current_viewer: viewer.require(permission)",
            "qa_core/upkeep/request_acts.py: answer: viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/upkeep/request_acts.py: perform: viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/upkeep/subjects.py: lift: viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/upkeep/subjects.py: lift_objection: "
            "viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/upkeep/subjects.py: object_to: viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/upkeep/subjects.py: restrict: viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/analysis/call_backs.py: find_all: viewer.require(Permission.HANDLE_CALLBACKS)",
            "qa_core/analysis/call_backs.py: settle: viewer.require(Permission.HANDLE_CALLBACKS)",
            "qa_core/analysis/alerts/alerts.py: _may_ask: "
            "viewer.can(get_kpi(event.rule.kpi).needs)",
            "qa_core/analysis/alerts/rules.py: end: viewer.require(Permission.MANAGE_ALERTS)",
            "qa_core/analysis/annotations.py: remove: viewer.require(Permission.EDIT_NOTES)",
            "qa_core/analysis/annotations.py: find_scopes: viewer.can(Permission.EDIT_NOTES)",
            "qa_core/analysis/irritants/detection.py: find_examples: not "
            "query.may_read_remarks(viewer)",
            "qa_core/analysis/targets.py: find_scopes: viewer.can(Permission.EDIT_TARGETS)",
            "qa_core/analysis/targets.py: remove: viewer.require(Permission.EDIT_TARGETS)",
            "qa_core/compliance/proportionality.py: find: "
            "viewer.require(Permission.SEE_COMPLIANCE)",
            "qa_core/ingest/watch/folder.py: __init__: viewer.require(Permission.MANAGE_IMPORTS)",
            "qa_core/compliance/recordings/sealed.py: agree: viewer.require(Permission.SEE_RULES)",
            "qa_core/compliance/requests.py: ask_exclusion: "
            "viewer.require(Permission.SEE_OWN_QUALITY)",
            "qa_core/upkeep/subjects.py: export_for: viewer.require(Permission.MANAGE_COMPLIANCE)",
            "qa_core/quality/calibration/results.py: get_results: "
            "viewer.require(Permission.SEE_CALIBRATIONS)",
            "qa_core/quality/calibration/worklist.py: find_worklist: "
            "viewer.require(Permission.SEE_CALIBRATIONS)",
            "qa_core/quality/calibration/worklist.py: start: "
            "viewer.require(Permission.SEE_CALIBRATIONS)",
            "qa_core/quality/coaching/training_file.py: build_file: "
            "viewer.require(Permission.SEE_COACHING)",
            "qa_core/quality/evaluations/evaluation_view.py: get_evaluation: "
            "viewer.require(Permission.SEE_EVALUATIONS)",
            "qa_core/quality/evaluations/timed_comments.py: _find_draft: "
            "viewer.require(Permission.SEE_EVALUATIONS)",
            "qa_core/quality/evaluations/timed_comments.py: find_comments: "
            "viewer.require(Permission.SEE_EVALUATIONS)",
            "qa_core/quality/sampling/manual_pick.py: find_evaluators: "
            "viewer.require(Permission.MANAGE_LISTENING)",
            "qa_core/quality/sampling/worklist.py: find_worklist: "
            "viewer.require(Permission.FILL_SCORECARDS)",
            "qa_core/ui/page_frame.py: show: viewer.require(entry.permission)",
        ),
        ("A manager has every permission that a KPI needs."): (
            "qa_core/analysis/alerts/rules.py: _may_manage: viewer.can(get_kpi(rule.kpi).needs)",
        ),
        ("Who sees entries without it sees them without names and without a way to change them."): (
            "qa_core/analysis/irritants/action_list.py: _may_change: "
            "viewer.can(Permission.MANAGE_IRRITANTS)",
        ),
        _SAME_ROLE: (
            "qa_core/analysis/board.py: find_figures: viewer.can(get_kpi(key).needs)",
            "qa_core/analysis/board.py: find_figures: viewer.can(Permission.SEE_SATISFACTION)",
            "qa_core/compliance/documents/printing.py: find_all: "
            "viewer.can(Permission.SEE_JOURNAL)",
            "qa_core/compliance/documents/printing.py: _find_all: "
            "viewer.can(Permission.SEE_JOURNAL)",
            "qa_core/cli/demo/__init__.py: build: viewer.require(Permission.MANAGE_IMPORTS)",
            "qa_core/cli/demo/__init__.py: remove: viewer.require(Permission.MANAGE_IMPORTS)",
            "qa_core/cli/demo/__init__.py: build: viewer.require(Permission.MANAGE_ACCOUNTS)",
            "qa_core/cli/demo/__init__.py: remove: viewer.require(Permission.MANAGE_ACCOUNTS)",
            "qa_core/metrics/rows/advisors.py: find_evaluations_of: "
            "viewer.require(Permission.SEE_SCORES)",
            "qa_core/metrics/rows/contacts.py: get_contact: viewer.can(Permission.SEE_SCORES)",
            "qa_core/metrics/rows/satisfaction_drivers.py: find_drivers: "
            "viewer.can(Permission.SEE_SCORES)",
            "qa_core/metrics/rows/severity.py: find_adjusted_scores: "
            "viewer.require(Permission.SEE_SCORES)",
            "qa_core/metrics/rows/severity.py: find_evaluators: "
            "viewer.require(Permission.SEE_SCORES)",
        ),
        _ADVISORS_ALONE: (
            "qa_core/compliance/requests.py: enter_objection: "
            "viewer.require(Permission.SEE_OWN_QUALITY)",
            "qa_core/compliance/recordings/playback_list.py: count_own: "
            "viewer.require(Permission.SEE_OWN_QUALITY)",
            "qa_core/compliance/recordings/playback_list.py: find_own: "
            "viewer.require(Permission.SEE_OWN_QUALITY)",
            "qa_core/metrics/rows/own_work.py: find_own_evaluations: "
            "viewer.require(Permission.SEE_OWN_QUALITY)",
            "qa_core/metrics/rows/own_work.py: team_medians: "
            "viewer.require(Permission.SEE_OWN_QUALITY)",
            "qa_core/quality/evaluations/advisor_response.py: acknowledge: "
            "viewer.require(Permission.ANSWER_EVALUATIONS)",
            "qa_core/quality/evaluations/advisor_response.py: find_news: "
            "viewer.require(Permission.ANSWER_EVALUATIONS)",
            "qa_core/quality/evaluations/advisor_response.py: start_self_evaluation: "
            "viewer.require(Permission.ANSWER_EVALUATIONS)",
            "qa_core/quality/evaluations/advisor_response.py: start_self_evaluation: "
            "viewer.require(Permission.FILL_SCORECARDS)",
        ),
        ("Whoever lacks it has no ground to listen, which is asked next."): (
            "qa_core/compliance/recordings/playback.py: _require: "
            "viewer.require(Permission.LISTEN)",
        ),
        ("It asks for the viewer's own name, and tells only how far they are."): (
            "qa_core/quality/calibration/worklist.py: find_worklist: Scoped(evaluations, viewer)",
        ),
        _PART_OF_IT: (
            "qa_core/quality/evaluations/advisor_response.py: start_self_evaluation: "
            "Scoped(self_evaluations.limit(1), viewer)",
            "qa_core/quality/evaluations/corrections.py: _find_disputed: Scoped(statement, viewer)",
            "qa_core/quality/evaluations/disputes.py: raise_dispute: Scoped(before, viewer)",
            "qa_core/quality/evaluations/evaluation_view.py: _read_disputes: Scoped(statement, "
            "viewer)",
            "qa_core/quality/evaluations/evaluation_view.py: _read_revisions: Scoped(statement, "
            "viewer)",
            "qa_core/quality/evaluations/evaluation_view.py: _read_self_evaluation: "
            "Scoped(statement, viewer)",
        ),
        (
            "Evaluators and the advisor, who alone are let in next, have it; of `find_submitt"
            "ed`, which lets in others, `test_doors` asks it."
        ): (
            "qa_core/quality/evaluations/drafts.py: _require_evaluator: "
            "viewer.require(Permission.FILL_SCORECARDS)",
            "qa_core/quality/evaluations/drafts.py: get_own: "
            "viewer.require(Permission.FILL_SCORECARDS)",
        ),
        ("It asks for the viewer's own name and a contact that they were just let evaluate."): (
            "qa_core/quality/evaluations/drafts.py: open_draft: "
            "Scoped(existing.order_by(Evaluation.id).limit(1), viewer)",
        ),
        _READERS: (
            "qa_core/metrics/rows/comments.py: may_read_remarks: "
            "viewer.can(Permission.SEE_CONTACTS)",
            "qa_core/metrics/rows/comments.py: may_read_remarks: "
            "viewer.can(Permission.SEE_SATISFACTION)",
            "qa_core/metrics/rows/comments.py: _find_notes: viewer.can(Permission.SEE_SCORES)",
        ),
        ("It asks for no row."): (
            "qa_core/metrics/rows/contacts.py: _read_page: Scoped(statement.where(sa.false()), "
            "viewer)",
        ),
        ("Rows of contacts that were not found within the scope just before are dropped."): (
            "qa_core/metrics/rows/contacts.py: _read_page: Scoped(statement.where(*keys), viewer)",
        ),
        _SPEND: (
            "qa_core/metrics/rows/tracking.py: find_currencies: Scoped(statement, viewer)",
            "qa_core/metrics/kpi/statements.py: on_spend: "
            "Scoped(statement.where(*conditions_on(question, SPEND.c)), question.viewer)",
        ),
        ("Without it no KPI that comes from a grid is seen, so that no change of one is left."): (
            "qa_core/metrics/rows/rule_changes.py: find_changes: viewer.can(Permission.SEE_SCORES)",
        ),
        ("The evaluation that a remark belongs to is asked just before or just after."): (
            "qa_core/quality/evaluations/evaluation_view.py: read_timed_comments: "
            "Scoped(statement, viewer)",
        ),
        ("Its evaluator alone, who was just asked, writes remarks on a draft."): (
            "qa_core/quality/evaluations/timed_comments.py: remove_comment: comment.author != "
            "viewer.username",
        ),
        ("Evaluators and the advisor, who alone are let read a draft of theirs, have it."): (
            "qa_core/quality/evaluations/timed_comments.py: _is_open_to: "
            "viewer.can(Permission.FILL_SCORECARDS)",
        ),
        (
            "Only a control or a sentence is shown or hidden: the room behind it refuses the "
            "same people, or gives them nothing."
        ): (
            "qa_core/ui/widgets/alert_banner.py: show_open: viewer.can(Permission.EDIT_ALERTS)",
            "qa_core/ui/widgets/alert_banner.py: describe: viewer.can(Permission.SEE_TRACKING)",
            "qa_core/ui/widgets/download_links.py: show_download: "
            "signed_in.viewer.can(downloads.KINDS[kind].permission)",
            "qa_core/ui/frame/filter_bar.py: _ask_values: viewer.needs_suppression",
            "qa_core/ui/widgets/player/__init__.py: show: viewer.can(Permission.LISTEN)",
            "qa_core/ui/views/account/find.py: show: viewer.can(permission)",
            "qa_core/ui/views/admin/scorecards.py: show: viewer.can(Permission.EDIT_SCORECARDS)",
            "qa_core/ui/views/admin/targets.py: show_alerts: viewer.can(Permission.MANAGE_ALERTS)",
            "qa_core/ui/views/admin/targets.py: show_alerts: viewer.can(Permission.SEE_ALERTS)",
            "qa_core/ui/views/compliance/accredited_people.py: show_accreditations: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/accredited_people.py: show_notices: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/listening_rules.py: show_state: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/listening_rules.py: show_gates: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/person_requests.py: show: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/rights.py: show_acts: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/rights.py: show_exclusions: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/compliance/sections.py: _show_urgent: "
            "viewer.can(Permission.SEE_COMPLIANCE)",
            "qa_core/ui/views/compliance/sections.py: show: viewer.can(Permission.SEE_COMPLIANCE)",
            "qa_core/ui/views/compliance/rights.py: show_restrictions: "
            "viewer.can(Permission.MANAGE_COMPLIANCE)",
            "qa_core/ui/views/conversations/contact.py: show_player: viewer.can(Permission.LISTEN)",
            "qa_core/ui/views/conversations/contacts.py: show_list: "
            "viewer.can(Permission.EXPORT_CONTACTS)",
            "qa_core/ui/views/conversations/contacts.py: read_address: viewer.can(kpi.needs)",
            "qa_core/ui/views/performance/action_list.py: _show_entry: viewer.needs_suppression",
            "qa_core/ui/views/performance/action_list.py: _show_table: viewer.needs_suppression",
            "qa_core/ui/views/performance/overview.py: read: viewer.can(get_kpi(key).needs)",
            "qa_core/ui/views/quality/calibration.py: _show_open: "
            "viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "qa_core/ui/views/quality/calibration.py: show: "
            "viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "qa_core/ui/views/quality/calibration_results.py: _show_consensus: "
            "viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "qa_core/ui/views/quality/calibration_results.py: _show_evaluators: "
            "viewer.can(Permission.MANAGE_CALIBRATIONS)",
            "qa_core/ui/views/quality/calibration_results.py: _show_contact: "
            "viewer.can(Permission.SEE_CONTACTS)",
            "qa_core/ui/views/quality/coaching.py: show_line: viewer.can(Permission.SEE_COACHING)",
            "qa_core/ui/views/quality/evaluation.py: show_recording: viewer.can(Permission.LISTEN)",
            "qa_core/ui/views/quality/evaluation.py: show_head: "
            "viewer.can(Permission.SEE_CONTACTS)",
            "qa_core/ui/views/quality/evaluation_answers.py: show_reply: "
            "viewer.can(Permission.ANSWER_EVALUATIONS)",
        ),
    }.items()
    for key in keys
}
"""Mutants that change nothing, as `file: function: what`, with the reason."""


@dataclass(frozen=True)
class Mutant:
    """A change of one place: characters `start` to `end` of a file become `text`."""

    file: str
    function: str
    line: int
    kind: str
    what: str
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        return f"{self.file}:{self.line}: {self.function}: {self.kind}: {self.what}"

    @property
    def name(self) -> str:
        return f"{self.file}: {self.function}: {self.what}"


def find_mutants() -> list[Mutant]:
    """Find every place that a mutant can be made of, in the order of the files."""
    found = []
    for path in sorted((PROJECT / "qa_core").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        file = path.relative_to(PROJECT).as_posix()
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line.encode()))
        tree = ast.parse(source)
        for kind, node, text in _find_places(tree, file):
            found.append(
                Mutant(
                    file,
                    _find_function(tree, node.lineno),
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
                guard = "__import__('qa_core.storage.facts.guard', fromlist=['Unscoped'])"
                yield "scope", node, f"{guard}.Unscoped({kept}, 'Mutant.')"
        elif isinstance(node, ast.If) and any(
            isinstance(statement, ast.Raise) and "AccessDenied" in ast.unparse(statement)
            for statement in node.body
        ):
            yield "refusal", node.test, "False"
        if isinstance(node, ast.Call) and _name_of(node) == "can" and len(node.args) == 1:
            yield "permission", node, "True"
        if isinstance(node, ast.If | ast.IfExp) and "span." in ast.unparse(node.test):
            yield "scope", node.test, "False"
        if isinstance(node, ast.Call) and "find_own" in map(_name_of_part, node.args):
            yield "scope", node, "lambda _teams, days: __import__('pyarrow').compute.is_valid(days)"
        if isinstance(node, ast.Call) and _name_of(node) in ("find_own", "find_cuts"):
            yield "scope", node, "frozenset()"
        if isinstance(node, ast.Attribute) and node.attr == "needs_suppression":
            yield "suppression", node, "False"


def _find_function(tree: ast.AST, line: int) -> str:
    """Find the innermost function around a line; the module where there is none."""
    around = [
        (node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= node.end_lineno
    ]
    return max(around)[1] if around else "module"


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def _name_of_part(part: ast.expr) -> str:
    return part.attr if isinstance(part, ast.Attribute) else ""


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


def measure_coverage(folder: Path, data: Path, chosen: list[str], processes: str) -> None:
    """Run these tests once, and keep which test runs which line."""
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
        processes,
        *(f"tests/{name}" for name in chosen),
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
        if one not in chosen and seconds + durations[one][1] <= MAX_SECONDS:
            chosen.append(one)
            seconds += durations[one][1]
    return [f"{durations[one][0]}::{one}" for one in chosen]


def try_mutant(folder: Path, mutant: Mutant, tests: list[str]) -> str:
    """Run the tests on a mutant, and say `killed`, `alive` or `timeout`."""
    path = folder / mutant.file
    original = path.read_bytes()
    path.write_bytes(original[: mutant.start] + mutant.text.encode() + original[mutant.end :])
    process = PROCESSES.Process(target=run_tests, args=(folder, tests))
    try:
        process.start()
        process.join(MAX_WAIT)
        if process.is_alive():
            process.kill()
            process.join()
            return "timeout"
    finally:
        path.write_bytes(original)
    return "alive" if process.exitcode == 0 else "killed"


def run_tests(folder: Path, tests: list[str]) -> None:
    """Run tests in a copy of the project, in a process that has its libraries already."""
    os.chdir(folder)
    sys.path[:0] = [str(folder)]
    sys.dont_write_bytecode = True
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        raise SystemExit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests]))


def main() -> int:
    """Try the mutants and print the figures; 1 where one lives without a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="keep the coverage here, and use it again")
    parser.add_argument("--results", type=Path, help="keep results here, and go on from them")
    parser.add_argument("--only", nargs="*", help="only files whose names hold one of these")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="tests to try them with")
    parser.add_argument("--processes", default="auto", help="how many run at once")
    parser.add_argument("--part", default="1/1", help="every second one from the first on: 1/2")
    asked = parser.parse_args()
    results = asked.results or Path(tempfile.mkdtemp()) / "results.json"
    known = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = (asked.data or folder / "coverage.sqlite").absolute()
        copy_project(folder)
        if not data.exists():
            measure_coverage(folder, data, asked.tests, asked.processes)
        (tests, lines), durations = find_tests(data), read_durations(data)
        part, parts = map(int, asked.part.split("/"))
        mutants = [
            mutant
            for mutant in find_mutants()[part - 1 :: parts]
            if not asked.only or any(name in mutant.file for name in asked.only)
        ]
        copies: Queue[Path] = Queue()
        count = (os.cpu_count() or 1) if asked.processes == "auto" else int(asked.processes)
        for number in range(count):
            copy_project(folder / str(number))
            copies.put(folder / str(number))

        PROCESSES.set_forkserver_preload(list(LIBRARIES))

        def judge(mutant: Mutant) -> tuple[Mutant, str]:
            functions = tests.get((mutant.file, mutant.line), set())
            chosen = choose_tests(functions, lines, durations)
            copy = copies.get()
            try:
                return mutant, try_mutant(copy, mutant, chosen) if chosen else "not run"
            finally:
                copies.put(copy)

        waiting = [
            mutant
            for mutant in mutants
            if mutant.key not in known and mutant.name not in EQUIVALENT
        ]
        with ThreadPoolExecutor(count) as pool:
            for mutant, judged in pool.map(judge, waiting):
                known[mutant.key] = judged
                results.write_text(json.dumps(known, indent=1), encoding="utf-8")
                print(judged, mutant.key, flush=True)
    counts = Counter(known.values())
    print(dict(counts))
    stale = set(EQUIVALENT) - {mutant.name for mutant in find_mutants()}
    if stale:
        print("no longer there:", *sorted(stale), sep="\n")
    has_survivors = any(known.get(mutant.key, "killed") != "killed" for mutant in mutants)
    return 1 if has_survivors or stale else 0


if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
    raise SystemExit(main())
