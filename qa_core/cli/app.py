"""Command line application: runs a command, turns refusals into one line and an exit code."""

import functools
import importlib
import logging
import logging.handlers
import sys
from collections.abc import Sequence

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException

from qa_core.base import environment, error_log, i18n
from qa_core.base.errors import Misuse
from qa_core.base.i18n import _
from qa_core.cli.output import DONE, REFUSED, WRONG_USAGE, print_json, write
from qa_core.cli.registry import ROOT

LOG_BYTES = 1_000_000
FAILED = "command failed"
"""Entry of the log about a failure; on stderr the command says it in a sentence."""
FAMILIES = (
    "stores", "imports", "kpis", "settings", "alerts", "people", "compliance", "scorecards",
    "sampling", "subjects", "deliveries", "sources",
)  # fmt: skip
"""Modules of this room with commands, in the order of `--help`."""


@functools.cache
def build_app() -> TyperGroup:
    """Build the command line; commands import their rooms, so `--help` is quick."""
    for family in FAMILIES:
        importlib.import_module(f"qa_core.cli.{family}")
    return typer.main.get_command(ROOT.app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments
    environment.keep_to_owner()
    try:
        _log_failures()
        i18n.use(environment.current().language)
        if not {"init", "restore"} & set(arguments[:1]):
            environment.now()  # a moved clock is refused before anything is touched
        return (
            build_app()(list(arguments), prog_name="python -m qa_core", standalone_mode=False)
            or DONE
        )
    except Exit as end:
        return end.exit_code
    except TyperException as error:
        return _refuse("usage", error.format_message(), (), as_json, WRONG_USAGE)
    except (KeyboardInterrupt, Abort):
        return _refuse(
            "interrupted", _("Interrupted. Unfinished work is undone."), (), as_json, REFUSED
        )
    except BrokenPipeError:
        return REFUSED
    except Exception as error:
        from qa_core.storage.system_errors import find_closed_file, find_refusal

        if refusal := find_refusal(error) or find_closed_file(error):
            exit_code = WRONG_USAGE if isinstance(refusal, Misuse) else REFUSED
            text = i18n.format_refusal(refusal)
            return _refuse(refusal.code, text, refusal.options, as_json, exit_code)
        # The detail goes to the operator's log; the person gets a sentence, no traceback.
        logging.getLogger("qa_core").error(FAILED, exc_info=True)
        message = _(
            "This failed unexpectedly ({kind}: {detail}). No partial work was kept.",
            kind=type(error).__name__,
            detail=" ".join(str(error).split())[:300],
        )
        return _refuse("failed", message, ("python -m qa_core doctor",), as_json, REFUSED)


class _OneLine(logging.Formatter):
    """Message of an entry, without the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage()


def _log_failures() -> None:
    """Log in one line on stderr; tracebacks go to `errors.log` beside the records."""
    on_stderr = logging.StreamHandler()
    on_stderr.setFormatter(_OneLine())
    on_stderr.addFilter(lambda entry: entry.msg != FAILED)
    kept = logging.handlers.RotatingFileHandler(
        environment.current().folder / "errors.log", "a", LOG_BYTES, 1, "utf-8", delay=True
    )
    kept.setLevel(logging.ERROR)
    kept.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.raiseExceptions = False  # a log that cannot be written stops nothing
    error_log.leave_out_values()
    logging.basicConfig(level=logging.WARNING, handlers=[on_stderr, kept])


def _refuse(
    code: str, message: str, options: tuple[str, ...], as_json: bool, exit_code: int
) -> int:
    if as_json:
        print_json({"error": {"code": code, "message": message, "options": list(options)}})
    write(message + i18n.format_options(options), sys.stderr)
    return exit_code
