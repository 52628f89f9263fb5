"""Registry of the commands: their groups, arguments and options."""

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any, TypeVar

import typer

from qa_core.access.roles import Viewer
from qa_core.base import arguments
from qa_core.cli.output import Lines, Output, print_lines, print_output

Command = TypeVar("Command", bound=Callable[..., Any])


def option(
    name: str, help_text: str, metavar: str | None = None, default: Any = None, **limits: Any
) -> Any:
    """Declare an option with a value; with the default `...` it is required."""
    return typer.Option(default, name, metavar=metavar, help=help_text, **limits)


def flag(name: str, help_text: str | None = None, is_hidden: bool = False) -> Any:
    """Declare an option without a value."""
    return typer.Option(False, name, help=help_text, hidden=is_hidden)


def argument(metavar: str, help_text: str | None = None, default: Any = ...) -> Any:
    """Declare an argument; it is required unless it has a default."""
    return typer.Argument(default, metavar=metavar, help=help_text)


NAME, NUMBER = argument("NAME"), argument("NUMBER")
AS_USERNAME = option("--as", "Read exactly as that person.", "USERNAME")
AS_JSON = flag("--json", "One JSON document on stdout.")


class CommandGroup:
    """Group of commands, or the whole command line."""

    def __init__(self, help_text: str) -> None:
        self.app = typer.Typer(
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
            help=help_text,
        )
        self.app.callback()(lambda: None)  # with one command alone, typer would leave out its name

    def add_group(self, name: str, help_text: str) -> "CommandGroup":
        """Add a group under its name, and return it."""
        group = CommandGroup(help_text)
        self.app.add_typer(group.app, name=name)
        return group

    def command(
        self, name: str, needs_records: bool = True, options_of: type | None = None
    ) -> Callable[[Command], Command]:
        """Add the decorated function as a command. Its parameters are arguments and options;
        it returns `Output`, `Lines`, or its exit code.

        `needs_records`: it is refused where the records are not ready. `options_of`: a
        dataclass whose fields declare options (`base.arguments.declare_option`), which the
        function takes as `**texts`.
        """

        def add(command: Command) -> Command:
            self.app.command(name)(_prepare(command, needs_records, options_of))
            return command

        return add


ROOT = CommandGroup("Écoute, the quality dashboard of a contact centre.")


def read_as(username: str | None) -> Viewer:
    """Build the viewer of that account (None: the system). Raises AccessDenied."""
    if username is None:
        return Viewer.SYSTEM
    from qa_core.access import accounts
    from qa_core.storage.records import store

    store.require_ready()
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def _prepare(
    command: Callable[..., Any], needs_records: bool, options_of: type | None
) -> Callable[..., Any]:
    """Build what typer calls, with the parameters that it shows."""
    signature = inspect.signature(command, eval_str=True)
    own = [item for item in signature.parameters.values() if item.kind is not item.VAR_KEYWORD]
    parameters = [item for item in own if item.kind is not item.KEYWORD_ONLY]
    parameters += _find_options(options_of) if options_of else []
    parameters += [item for item in own if item.kind is item.KEYWORD_ONLY]
    output = signature.return_annotation
    if output == Output:
        last = Parameter("as_json", Parameter.KEYWORD_ONLY, default=AS_JSON, annotation=bool)
        parameters.append(last)

    def run(**given: Any) -> int | None:
        if needs_records:
            from qa_core.storage.records import store

            store.require_ready()
        if output == Output:
            as_json = given.pop("as_json")
            return print_output(command(**given), as_json)
        if output == Lines:
            return print_lines(command(**given))
        return command(**given)

    run.__doc__, run.__annotations__ = command.__doc__, {}
    run.__signature__ = signature.replace(parameters=parameters)
    return run


def _find_options(kind: type) -> list[Parameter]:
    """Turn the fields of a dataclass into the options that they declare."""
    parameters = []
    for field, declared in arguments.find_declared(kind):
        if declared.is_flag:
            default = flag(declared.name, declared.help_text)
            annotation: Any = bool
        else:
            default = option(declared.name, declared.help_text, declared.metavar)
            annotation = list[str] | None if declared.is_repeated else str | None
        parameters.append(
            Parameter(field, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return parameters
