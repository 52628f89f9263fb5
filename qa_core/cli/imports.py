"""`import`, `watch` and `batches`: files of other tools into the stores, and back out."""

import sys
from pathlib import Path
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import _
from qa_core.cli.output import (
    DONE,
    REFUSED,
    Output,
    describe_done,
    format_table,
    print_json,
    print_output,
    show_progress,
    write,
)
from qa_core.cli.registry import AS_JSON, ROOT, argument, flag, option
from qa_core.files.options import ImportOptions, require_kind

LISTED_BATCHES = 20
"""Batches listed by default: a watched folder brings hundreds."""


BATCHES = ROOT.add_group("batches", "What was imported, and undoing it.")
LAYOUTS = ROOT.add_group("layouts", "Readings of files that somebody confirmed.")
MAPPINGS = ROOT.add_group("mappings", "Another word for layouts, with their mappings.")


@ROOT.command("import", needs_records=False, options_of=ImportOptions)
def import_files(
    kind: str = argument(
        "KIND", "contacts tracking surveys spend intervals advisors evaluations recordings"
    ),
    files: list[Path] | None = argument("FILE…", default=None),
    *,
    only_words: bool = flag("Print every header and word that is known.", name="--words"),
    as_json: bool = AS_JSON,
    **texts: Any,
) -> int:
    """Import files; each is its own transaction, and a refused one does not stop the
    next.
    """
    from qa_core import ingest
    from qa_core.upkeep import after_import

    if only_words:
        return print_output(_list_words(kind), as_json)
    if not files:
        raise Misuse("no_files", "Name the files to import.")
    options = ImportOptions.parse(texts)
    files = [path.resolve() if path.is_symlink() else path for path in files]
    with show_progress(quiet=as_json) as progress:
        reports = ingest.run(Viewer.SYSTEM, kind, files, options, progress=progress)
    # The bar ends with the report; what follows takes its time.
    if as_json:
        print_json([report.as_json() for report in reports])
    for report in reports:
        write(report.as_text(), sys.stderr if as_json or report.is_refused else sys.stdout)
    after_import.do_due()
    # A dry run that only asks has done what it should.
    failed = (report.is_refused and report.verdict != "asks" for report in reports)
    if options.dry_run:
        return REFUSED if any(failed) else DONE
    return REFUSED if any(report.is_refused for report in reports) else DONE


def _list_words(kind: str) -> Output:
    from qa_core.ingest.reading import registry

    require_kind(kind)
    known = {"headers": [*registry.list_headers(kind)], "words": [*registry.list_words()]}
    yield {
        title: [
            {"meaning": name, "language": language, "spellings": spellings.split(" · ")}
            for name, language, spellings in rows
        ]
        for title, rows in known.items()
    }
    for rows in known.values():
        for name, language, spellings in rows:
            yield f"{name} ({language}): {spellings}"


@ROOT.command("watch", needs_records=False)
def watch_folder(
    folder: Path = argument(
        "DIR", "Sub-folders say what files hold: contacts/ tracking/ surveys/ …"
    ),
    follow: list[Path] | None = option(
        "A growing queue_log elsewhere; one in DIR is followed anyway.", "LOG"
    ),
    once: bool = flag("Import the files that are there, then end."),
    every: float = option("Seconds between two looks.", default=5.0, min=0.1),
    settle: float = option(
        "Seconds without change after which a file is complete.", default=5.0, min=0.0
    ),
    keep: int | None = option(
        "Delete delivered files, which have clear numbers, after these days; at most 30.",
        "DAYS",
        min=0,
    ),
    system: str | None = option(
        "Name of the tool that the files come from, where no import.toml gives it."
    ),
    profile: str | None = option(
        "Read as this profile or saved mapping, where no import.toml gives it."
    ),
    timezone: str | None = option("Time zone of local times in the files."),
) -> int:
    """Import files as they appear in DIR, and new calls of a growing queue_log.

    Ends on SIGINT or SIGTERM, after the current file. Files go to DIR/.taken with their
    report, or to DIR/.refused with the reason. Options of a file come from an import.toml
    in its folder, or from NAME.toml beside it. It may hold kind, system, profile,
    timezone, date_order, sheet, encoding, delimiter, decimal, columns, units, scales,
    words, only, yes.
    """
    import signal

    from qa_core import ingest
    from qa_core.base.progress import Stop
    from qa_core.ingest.reading.report import FileReport
    from qa_core.ingest.watch.folder import Watch, lock_folder
    from qa_core.storage.records import store
    from qa_core.upkeep import after_import, purge

    def do_due() -> None:
        after_import.do_due()
        purge.purge_daily()

    def tell(told: FileReport | Refusal) -> None:
        failed = isinstance(told, Refusal) or told.is_refused
        # What was decided stands in the report beside the file.
        line = (
            i18n.format_for_operator(told)
            if isinstance(told, Refusal)
            else told.as_text().splitlines()[0]
        )
        write(line, sys.stderr if failed else sys.stdout)

    if not folder.is_dir():
        raise Refusal("no_folder", "There is no file or folder {path}.", path=str(folder))
    store.require_ready()
    ingest.resume()
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    watch = Watch(
        Viewer.SYSTEM,
        folder,
        ImportOptions(system=system, profile=profile, timezone=timezone),
        tuple(follow or ()),
        settle,
        keep,
        tell,
        do_due,
    )
    with lock_folder(folder):
        if once:
            watch.run_once(stop)
        else:
            write(_("Watching {path}. Stop with Ctrl-C.", path=str(folder)))
            watch.run(stop, every)
    return REFUSED if once and watch.refused else DONE


@BATCHES.command("list")
def list_batches(
    last: int = option(
        "Number of the newest; 0: all. With --json always all.", "N", default=LISTED_BATCHES, min=0
    ),
) -> Output:
    """List the imports, newest first."""
    from qa_core import ingest
    from qa_core.ingest.load.batches import STATES
    from qa_core.metrics.kpis import formatting

    batches = ingest.find_batches(Viewer.SYSTEM)
    yield batches
    if not batches:
        return
    counts = {
        "read": _("Rows read"),
        "new": _("New"),
        "updated": i18n.capitalise(_("updated")),
        "rejected": i18n.capitalise(_("rejected")),
    }
    shown = batches[: last or None]
    # As wide as it takes: an identifier that is cut cannot be undone.
    yield format_table(
        ("ID", _("When"), _("Kind"), _("State"), *counts.values(), _("File")),
        (
            (
                row["id"],
                formatting.local_moment(row["finished_at"] or row["started_at"]),
                row["kind"],
                _(STATES[row["state"]]),
                *(formatting.number(row["counts"].get(name, 0)) for name in counts),
                row["file"],
            )
            for row in shown
        ),
        right=set(counts.values()),
        width=1000,
    )
    if len(batches) > len(shown):
        yield _(
            "{shown} of {total}. For all, run: {command}",
            shown=len(shown),
            total=len(batches),
            command="batches list --last 0",
        )


@MAPPINGS.command("list")
@LAYOUTS.command("list")
def list_layouts() -> Output:
    """List the layouts whose reading was confirmed, and those that wait for it."""
    from qa_core.ingest.load import layouts
    from qa_core.metrics.kpis import formatting

    rows = layouts.find_layouts(Viewer.SYSTEM)
    yield rows
    for row in rows:
        at = formatting.local_moment(row["confirmed_at"]) if row["confirmed_at"] else row["waiting"]
        yield f"{row['layout']}  {row['kind']}  {row['system']}  {row['confirmed_by'] or '–'}  {at}"


@LAYOUTS.command("show")
def show_layout(layout: str = argument("ID")) -> Output:
    """Show what was confirmed of a layout: columns, answers, counts."""
    from qa_core.ingest.load import layouts

    row = layouts.get_layout(Viewer.SYSTEM, layout)
    yield row
    for name in ("columns", "options", "facts"):
        for key, value in row[name].items():
            yield f"{name}: {key} = {value}"


LAYOUTS.act(
    "forget",
    "ingest.load.layouts:forget",
    "Forget a layout: the next file of it asks again.",
    argument("ID"),
)


@BATCHES.command("undo")
def undo_batch(batch: str = argument("ID")) -> Output:
    """Restore what was there before that import."""
    from qa_core import ingest
    from qa_core.upkeep import after_import

    restored = ingest.undo(Viewer.SYSTEM, batch)
    after_import.do_due()
    yield restored
    yield describe_done(batch)
