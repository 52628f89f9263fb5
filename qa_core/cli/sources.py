"""`sources` and `pull`: tools that are read by themselves, day by day."""

import sys
from pathlib import Path
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.base import arguments
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import _
from qa_core.cli.output import DONE, REFUSED, Lines, Output, describe_done, print_json, write
from qa_core.cli.registry import AS_JSON, NAME, ROOT, argument, flag, option
from qa_core.sources import platforms

SOURCES = ROOT.add_group("sources", "Tools that are read by themselves, and their days.")


@SOURCES.command("add")
def add_source(
    name: str = NAME,
    platform: str = option("|".join(platforms.NAMES), "PLATFORM", default=...),
    kind: str = option("What its rows are, as for import.", "KIND", default="contacts"),
    url: str | None = option("Address of the API, the bucket, the database or the folder."),
    statement: Path | None = option("A SELECT with :since and :until, for sql.", "FILE"),
    since: str | None = option("First day to read; default: today.", "DATE"),
    system: str | None = option("Name of the system, as for import."),
    profile: str | None = option("Read as this profile or saved mapping."),
    timezone: str | None = option("Time zone of local times of the source.", "TZ"),
) -> Lines:
    """Add a source; its secret is read from stdin."""
    from qa_core.sources import register

    if statement is not None and not statement.is_file():
        raise Refusal("no_file", "There is no file or folder {path}.", path=str(statement))
    secret = None if sys.stdin.isatty() else sys.stdin.read().strip()
    options = {"system": system, "profile": profile, "timezone": timezone}
    text = statement.read_text(encoding="utf-8") if statement else None
    first = arguments.parse_day(since)
    register.add(Viewer.SYSTEM, name, platform, kind, url, text, first, secret or None, options)
    yield describe_done(name)


@SOURCES.command("list")
def list_sources() -> Output:
    """List the sources with the days that are not complete."""
    from qa_core.sources import ledger, register

    counts = ledger.count_states()
    rows = [
        (entry, {state: n for (name, state), n in counts.items() if name == entry.name})
        for entry in register.find_sources(Viewer.SYSTEM)
    ]
    yield [entry.as_json() | {"days": states} for entry, states in rows]
    for entry, states in rows:
        days = " · ".join(f"{n} {_(ledger.STATES[state])}" for state, n in states.items())
        yield f"{entry.name:20} {entry.platform:14} {entry.kind:10} {days}"


@SOURCES.command("test")
def test_source(name: str = NAME) -> Output:
    """Ask a source for yesterday; nothing is written."""
    from qa_core.sources import pull, register

    page = pull.test(Viewer.SYSTEM, name)
    basis = register.get(name).declared.basis
    yield {"name": name, "basis": basis, "expected": page.total, "rows": len(page.rows)}
    yield _("{name} answers.", name=name)


SOURCES.act("remove", "sources.register:remove", "Remove a source; what it brought stays.")


@ROOT.command("pull")
def pull_sources(
    names: list[str] | None = argument("NAME…", "Default: all sources.", default=None),
    first: str | None = option("First day to read, whole.", "DATE", name="--from"),
    last: str | None = option("Last day to read, whole.", "DATE", name="--to"),
    dry_run: bool = flag("Read, and say what would happen; write nothing at all."),
    follow: bool = flag("Go on until stopped: today every five minutes, other days when due."),
    as_json: bool = AS_JSON,
) -> int:
    """Read the days of sources that are due, newest first; exit 1 where one is not complete."""
    from qa_core import ingest
    from qa_core.sources import ledger, pull
    from qa_core.upkeep import after_import

    bounds = arguments.parse_day(first), arguments.parse_day(last)
    if None not in bounds and bounds[0] > bounds[1]:
        raise Misuse("from_after_to", "The first day comes after the last one.")
    if not dry_run:
        ingest.resume()
    if follow:
        return _follow()
    results: list[dict[str, Any]] = []
    is_missing = False
    for entry, window in pull.pull(Viewer.SYSTEM, names or (), *bounds, dry_run):
        results.append(window.as_json(entry))
        is_missing |= window.state in ledger.MISSING
        _print(window, sys.stderr if as_json else sys.stdout)
        for system in pull.find_doubled([window]):
            write(pull.describe_doubled(entry.name, system), sys.stderr)
    if as_json:
        print_json(results)
    if not dry_run:
        after_import.do_due()
    return REFUSED if is_missing else DONE


def _follow() -> int:
    import signal

    from qa_core.base.progress import Stop
    from qa_core.sources import pull
    from qa_core.upkeep import after_import

    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    pull.follow(
        Viewer.SYSTEM, stop, lambda _entry, window: _print(window, sys.stdout), after_import.do_due
    )
    return DONE


def _print(window: Any, stream: Any) -> None:
    from qa_core.sources import ledger

    counts = window.counts.items()
    shown = " · ".join(f"{n} {_(name)}" for name, n in counts if isinstance(n, int) and n)
    write(f"{window.label}: {ledger.describe(window)}  {shown}", stream)
