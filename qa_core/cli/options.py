"""Families of commands, their shared options and files, exit codes and JSON."""

import functools
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from qa_core.access.roles import Viewer
from qa_core.base.errors import Misuse, Refusal

DONE, REFUSED, WRONG_USAGE = 0, 1, 2
"""Exit codes."""
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Name = Annotated[str, typer.Argument(metavar="NAME")]
Number = Annotated[int, typer.Argument(metavar="NUMBER")]
As = Annotated[
    str | None, typer.Option("--as", metavar="USERNAME", help="Read exactly as that person.")
]


def option(name: str, metavar: str, help_text: str) -> Any:
    """Declare an option with a value; without it, None."""
    return typer.Option(None, name, metavar=metavar, help=help_text)


def flag(name: str, help_text: str) -> Any:
    """Declare an option without a value."""
    return typer.Option(False, name, help=help_text)


def add_family(
    app: typer.Typer, name: str, help_text: str, **commands: Callable[..., Any]
) -> typer.Typer:
    """Add a group of commands under its name, and return it for further commands."""
    family = typer.Typer(no_args_is_help=True, help=help_text)
    family.callback()(lambda: None)  # with one command alone, typer would leave out its name
    add_commands(family, **commands)
    app.add_typer(family, name=name)
    return family


def add_commands(app: typer.Typer, **commands: Callable[..., Any]) -> None:
    """Add commands by name; each refuses first where the records are not ready."""
    for name, command in commands.items():
        app.command(name)(_with_records(command))


def print_json(document: Any) -> None:
    """Print the one JSON document of a command on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def read_toml(file: Path, code: str) -> dict[str, Any]:
    """Read a TOML file. Raises Misuse `no_file`; Refusal `bad_encoding`, `code` for no TOML."""
    text = _read_text(file)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits is a ValueError of its own.
        raise Refusal(
            code, "{file} is not TOML: {detail}", file=file.name, detail=str(error)
        ) from error


def read_json(file: Path, code: str) -> Any:
    """Read a JSON file in which no key occurs twice. Raises as `read_toml`."""
    text = _read_text(file)
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _expect_distinct(file, code, pairs))
    except (ValueError, RecursionError) as error:
        raise Refusal(
            code, "{file} is not JSON: {detail}", file=file.name, detail=str(error)
        ) from error


def read_as(username: str | None) -> Viewer:
    """Build the viewer of that account (None: the system). Raises AccessDenied."""
    if username is None:
        return Viewer.SYSTEM
    from qa_core.access import accounts
    from qa_core.storage.records import store

    store.require_ready()
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def _with_records(command: Callable[..., Any]) -> Callable[..., Any]:
    from qa_core.storage.records import store

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        store.require_ready()
        return command(*arguments, **options)

    return run


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misuse(
            "no_file",
            "{file} cannot be read: {detail}",
            file=str(file),
            detail=error.strerror or "",
        ) from error
    except UnicodeDecodeError as error:
        raise Refusal("bad_encoding", "{file} is not UTF-8 text.", file=file.name) from error


def _expect_distinct(file: Path, code: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # JSON lets the last one win, and the first would be lost unsaid.
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise Refusal(
                code, "{file} has {key} twice. Keep one of them.", file=file.name, key=key
            )
        seen[key] = value
    return seen
