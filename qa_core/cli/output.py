"""Output of the commands: exit codes, JSON documents, lines, tables, progress."""

import io
import json
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from qa_core.base.errors import hide_controls
from qa_core.base.i18n import _
from qa_core.base.progress import ignore_progress

DONE, REFUSED, WRONG_USAGE = 0, 1, 2
"""Exit codes."""
Output = Iterator[Any]
"""Output of a command with `--json`: its document, or a `CommandResult`, and then its
lines of text. It is not resumed where JSON was asked for.
"""
Lines = Iterator[str]
"""Lines of a command without `--json`."""


@dataclass(frozen=True)
class CommandResult:
    """JSON document of a command whose exit code may not be 0."""

    document: Any
    exit_code: int


def print_output(output: Output, as_json: bool) -> int:
    """Print the document or the lines of a command, and return its exit code."""
    first = next(output)
    result = first if isinstance(first, CommandResult) else CommandResult(first, DONE)
    if as_json:
        print_json(result.document)
    else:
        print_lines(output)
    return result.exit_code


def print_lines(lines: Iterator[str]) -> None:
    """Print lines as they come, or that there are none."""
    is_empty = True
    for line in lines:
        write(line)
        is_empty = False
    if is_empty:
        write(_("None."))


def write(text: str, stream: TextIO | None = None) -> None:
    """Print text without control characters, on stdout unless another stream is given. All lines
    of commands are printed here, as names and cells of files may hold such characters.
    """
    print(hide_controls(text), file=stream or sys.stdout, flush=True)


def describe_done(what: object) -> str:
    """Write that a command is done, for the commands that have no more to say."""
    return _("Done: {what}.", what=what)


def format_table(
    headings: Sequence[str], rows: Iterable[Iterable[str]], right: Container[str], width: int
) -> str:
    """Lay out a table, the columns of `right` flush right, at most `width` characters wide."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=width, highlight=False, color_system=None, file=io.StringIO())
    console.print(table)
    return console.file.getvalue().rstrip("\n")


def print_json(document: Any) -> None:
    """Print the one JSON document of a command on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


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
