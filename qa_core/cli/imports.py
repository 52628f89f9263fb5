"""`import`, `watch` and `batches`: files of other tools into the stores, and back out."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.base.arguments import parse_day, parse_pairs
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import _
from qa_core.base.progress import ignore_progress
from qa_core.cli.options import DONE, REFUSED, Json, add_family, print_json

LISTED_BATCHES = 20
"""Batches listed by default: a watched folder brings hundreds."""


def register(app: typer.Typer) -> None:
    app.command("import")(import_files)
    app.command("watch")(watch_folder)
    help_text = "What was imported, and undoing it."
    add_family(app, "batches", help_text, list=list_batches, undo=undo_batch)
    help_text = "Mappings kept under a name, for import --profile NAME."
    add_family(app, "mappings", help_text, list=list_mappings)


def import_files(
    kind: str = typer.Argument(
        metavar="KIND",
        help="contacts tracking surveys spend intervals advisors evaluations recordings",
    ),
    files: list[Path] | None = typer.Argument(None, metavar="FILE…"),
    system: str | None = typer.Option(
        None, help="Name of the tool that the file comes from; first part of a contact's key."
    ),
    profile: str | None = typer.Option(
        None, help="Read as this profile, platform or saved mapping, and recognise nothing."
    ),
    save_mapping: str | None = typer.Option(
        None, metavar="NAME", help="Keep the mapping under this name."
    ),
    map_: list[str] | None = typer.Option(
        None,
        "--map",
        metavar="FIELD=COLUMN",
        help="The column of a field; ignore=COLUMN skips a column.",
    ),
    timezone: str | None = typer.Option(None, help="Time zone of local times in the file."),
    date_order: str | None = typer.Option(
        None, metavar="dmy|mdy|ymd", help="Order of day, month and year in dates."
    ),
    start_date: str | None = typer.Option(
        None, metavar="DATE", help="The day, where no column has it."
    ),
    sheet: str | None = typer.Option(None, help="The sheet of a workbook to read."),
    encoding: str | None = typer.Option(None, help="Encoding of a text file."),
    delimiter: str | None = typer.Option(None, help="Separator of its columns."),
    decimal: str | None = typer.Option(None, metavar=",|.", help="Decimal sign."),
    unit: list[str] | None = typer.Option(
        None, "--unit", metavar="FIELD=s|ms|min|day", help="Unit of a duration."
    ),
    scale: list[str] | None = typer.Option(
        None, "--scale", metavar="FIELD=MIN-MAX", help="Scale of a rating, such as 1-5."
    ),
    word: list[str] | None = typer.Option(
        None,
        "--word",
        metavar="COLUMN:VALUE=MEANING",
        help="What a value means: answered, abandoned, voicemail, inbound, yes, no, 4 …",
    ),
    only: list[str] | None = typer.Option(
        None,
        "--only",
        metavar="FIELD=VALUE",
        help="A value that all rows share, such as outcome=abandoned.",
    ),
    yes: bool = typer.Option(
        False, "--yes", help="Accept odd results that the import asked about."
    ),
    purpose: str | None = typer.Option(
        None,
        metavar="training|evaluation|quality|proof",
        help="Purpose of recordings, where no column has it.",
    ),
    pattern: str | None = typer.Option(
        None,
        help="Pattern of file names, for recordings without a manifest, such as "
        "{system}_{date}_{time}_{contact_id}. Default: {contact_id}.",
    ),
    words: bool = typer.Option(False, "--words", help="Print every header and word that is known."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Say what would happen; write nothing at all."
    ),
    as_json: Json = False,
) -> int:
    """Import files; each is its own transaction, and a refused one does not stop the
    next.
    """
    from qa_core import ingest
    from qa_core.files.options import ImportOptions
    from qa_core.storage.records import store

    if words:
        return _print_words(kind, as_json)
    if not files:
        raise Misuse("no_files", "Name the files to import.")
    _require_choice("--date-order", date_order, ("dmy", "mdy", "ymd"))
    _require_choice("--decimal", decimal, (",", "."))
    _require_choice("--purpose", purpose, ("training", "evaluation", "quality", "proof"))
    options = ImportOptions(
        system=system,
        profile=profile,
        save_mapping=save_mapping,
        columns=tuple(parse_pairs(map_)),
        timezone=timezone,
        date_order=date_order,
        start_date=parse_day(start_date),
        sheet=sheet,
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        units=tuple(parse_pairs(unit)),
        scales=tuple(parse_pairs(scale)),
        words=tuple(parse_pairs(word, at_last=True)),
        only=tuple(parse_pairs(only)),
        yes=yes,
        purpose=purpose,
        pattern=pattern,
        dry_run=dry_run,
    )
    if not dry_run:
        store.require_ready()
    with show_progress(quiet=as_json) as progress:
        reports = ingest.run(Viewer.SYSTEM, kind, files, options, progress=progress)
    if as_json:
        print_json([report.as_json() for report in reports])
    for report in reports:
        print(report.as_text(), file=sys.stderr if as_json or report.is_refused else sys.stdout)
    return REFUSED if any(report.is_refused for report in reports) else DONE


def _print_words(kind: str, as_json: bool) -> int:
    from qa_core.files.options import require_kind
    from qa_core.ingest import known_words

    require_kind(kind)
    found = {"headers": known_words.list_headers(kind), "words": known_words.list_words()}
    if as_json:
        print_json(
            {
                title: [
                    {"meaning": name, "language": language, "spellings": spellings.split(" · ")}
                    for name, language, spellings in rows
                ]
                for title, rows in found.items()
            }
        )
        return DONE
    for rows in found.values():
        for name, language, spellings in rows:
            print(f"{name} ({language}): {spellings}")
    return DONE


def watch_folder(
    folder: Path = typer.Argument(
        metavar="DIR", help="Sub-folders say what files hold: contacts/ tracking/ surveys/ …"
    ),
    follow: list[Path] | None = typer.Option(
        None,
        "--follow",
        metavar="LOG",
        help="A growing queue_log elsewhere; one in DIR is followed anyway.",
    ),
    once: bool = typer.Option(False, "--once", help="Import the files that are there, then end."),
    every: float = typer.Option(5.0, min=0.1, help="Seconds between two looks."),
    settle: float = typer.Option(
        5.0, min=0.0, help="Seconds without change after which a file is complete."
    ),
    keep: int | None = typer.Option(
        None,
        min=0,
        metavar="DAYS",
        help="Delete delivered files, which have clear numbers, after these days; at most 30.",
    ),
    system: str | None = typer.Option(
        None, help="Name of the tool that the files come from, where no import.toml says so."
    ),
    profile: str | None = typer.Option(
        None, help="Read as this profile or saved mapping, where no import.toml says so."
    ),
    timezone: str | None = typer.Option(None, help="Time zone of local times in the files."),
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
    from qa_core.base.stop_signal import Stop
    from qa_core.files.options import ImportOptions
    from qa_core.ingest.report import FileReport
    from qa_core.ingest.watch.folder import Watch, lock_folder
    from qa_core.storage.records import store

    def tell(told: FileReport | Refusal) -> None:
        failed = isinstance(told, Refusal) or told.is_refused
        # What was decided stands in the report beside the file.
        line = (
            i18n.format_for_operator(told)
            if isinstance(told, Refusal)
            else told.as_text().splitlines()[0]
        )
        print(line, file=sys.stderr if failed else sys.stdout, flush=True)

    if not folder.is_dir():
        raise Misuse("no_folder", "There is no folder {path}.", path=str(folder))
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
    )
    with lock_folder(folder):
        if once:
            watch.run_once(stop)
        else:
            print(_("Watching {path}. Stop with Ctrl-C.", path=str(folder)), flush=True)
            watch.run(stop, every)
    return REFUSED if once and watch.refused else DONE


def list_batches(
    last: int = typer.Option(
        LISTED_BATCHES,
        min=0,
        metavar="N",
        help="Number of the newest; 0: all. With --json always all.",
    ),
    as_json: Json = False,
) -> None:
    """List the imports, newest first."""
    from qa_core import ingest
    from qa_core.ingest.load import batches

    if as_json:
        return print_json(ingest.find_batches(Viewer.SYSTEM))
    rows = ingest.find_batches(Viewer.SYSTEM, limit=last or None)
    total = batches.count_batches(Viewer.SYSTEM)
    if not rows:
        print(_("Nothing has been imported yet."))
        return
    _print_batches(rows)
    if total > len(rows):
        text = _(
            "{shown} of {total}. For all, run: {command}",
            shown=len(rows),
            total=total,
            command="batches list --last 0",
        )
        print(text)


def _print_batches(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from qa_core.ingest.load.batches import STATES
    from qa_core.metrics import formatting

    counts = {
        "read": _("Rows read"),
        "new": _("New"),
        "updated": _("Updated"),
        "rejected": _("Rejected"),
    }
    table = Table(box=None, pad_edge=False)
    for title in ("ID", _("When"), _("Kind"), _("State")):
        table.add_column(title)
    for title in counts.values():
        table.add_column(title, justify="right")
    table.add_column(_("File"))
    states = {key: _(title) for key, title in STATES.items()}
    for row in rows:
        told = (
            row["id"],
            formatting.local_moment(row["finished_at"] or row["started_at"]),
            row["kind"],
            states[row["state"]],
        )
        table.add_row(
            *told,
            *(formatting.number(row["counts"].get(name, 0)) for name in counts),
            Text(row["file"]),
        )
    # As wide as it takes: an identifier that is cut cannot be undone.
    Console(width=1000, highlight=False).print(table)


def list_mappings(as_json: Json = False) -> None:
    """List every mapping that was saved with import --save-mapping NAME, or on the page."""
    from qa_core.ingest.load import batches

    rows = batches.list_mappings(Viewer.SYSTEM)
    if as_json:
        return print_json(rows)
    for row in rows:
        print(
            f"{row['name']}  {row['kind']}  "
            + " · ".join(f"{field} ← {column}" for field, column in row.get("columns", {}).items())
        )


def undo_batch(batch: str = typer.Argument(metavar="ID"), as_json: Json = False) -> None:
    """Restore what was there before that import."""
    from qa_core import ingest

    restored = ingest.undo(Viewer.SYSTEM, batch)
    if as_json:
        print_json(restored)
    else:
        print(_("Import {batch} is undone.", batch=batch))


def _require_choice(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise Misuse(
            "bad_choice",
            "{option} must be one of: {choices}.",
            option=option,
            choices=" ".join(choices),
        )


@contextmanager
def show_progress(quiet: bool = False):
    """Yield `report(step, fraction)`; a bar appears on a terminal after a second."""
    if quiet or not sys.stderr.isatty():
        yield ignore_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, fraction: bar.update(task, description=_(step), completed=fraction)
