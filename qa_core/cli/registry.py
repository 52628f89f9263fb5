"""Registry of the commands: their groups, arguments and options."""

import importlib
import inspect
from collections.abc import Callable
from copy import copy
from inspect import Parameter
from typing import Any, TypeVar

import typer
from typer.models import OptionInfo

from qa_core.access.roles import Viewer
from qa_core.base import arguments
from qa_core.cli.output import Lines, Output, describe_done, print_lines, print_output

Command = TypeVar("Command", bound=Callable[..., Any])


def option(
    help_text: str | None,
    metavar: str | None = None,
    name: str | None = None,
    default: Any = None,
    **limits: Any,
) -> Any:
    """Declare an option with a value, named after its parameter unless a name is given. With
    the default `...` it is required.
    """
    names = (name,) if name else ()
    return typer.Option(default, *names, metavar=metavar, help=help_text, **limits)


def flag(help_text: str | None = None, name: str | None = None, is_hidden: bool = False) -> Any:
    """Declare an option without a value, named after its parameter unless a name is given."""
    return option(help_text, name=name, default=False, hidden=is_hidden)


def argument(metavar: str, help_text: str | None = None, default: Any = ...) -> Any:
    """Declare an argument; it is required unless it has a default."""
    return typer.Argument(default, metavar=metavar, help=help_text)


NAME, NUMBER = argument("NAME"), argument("NUMBER")
AS_USERNAME = option("Read exactly as that person.", "USERNAME", name="--as")
AS_JSON = flag("One JSON document on stdout.", name="--json")


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

    def act(
        self, name: str, function: str, help_text: str, parameter: Any = NAME, kind: type = str
    ) -> None:
        """Add a command that calls a function of a room (`module:function`) as the system,
        with one argument of that kind.
        """

        def run(subject: Any) -> Lines:
            module, of_room = function.split(":")
            getattr(importlib.import_module(f"qa_core.{module}"), of_room)(Viewer.SYSTEM, subject)
            yield describe_done(subject)

        either = Parameter.POSITIONAL_OR_KEYWORD
        subject = Parameter("subject", either, default=parameter, annotation=kind)
        run.__doc__ = help_text
        run.__signature__ = inspect.Signature([subject], return_annotation=Lines)
        self.command(name)(run)


ROOT = CommandGroup("Écoute, the quality dashboard of a contact centre.")


def read_as(username: str | None) -> Viewer:
    """Build the viewer of that account (None: the system), and record in the audit log that the
    operator reads or acts as it. Raises Refusal for an unknown or closed one.
    """
    if username is None:
        return Viewer.SYSTEM
    from qa_core.access import accounts
    from qa_core.storage.records import store

    store.require_ready()
    with store.reading() as session:
        viewer = accounts.get_named(session, username)
    record("acted_as", username)
    return viewer


def record(act: str, subject: str, reason: str = "") -> None:
    """Record in the audit log what an operator did."""
    from qa_core.storage import audit_log
    from qa_core.storage.records import store

    with store.writing() as session:
        audit_log.record(session, Viewer.SYSTEM.username, act, subject, reason)


def _prepare(
    command: Callable[..., Any], needs_records: bool, options_of: type | None
) -> Callable[..., Any]:
    """Build what typer calls, with the parameters that it shows."""
    signature = inspect.signature(command, eval_str=True)
    declared = [item for item in signature.parameters.values() if item.kind is not item.VAR_KEYWORD]
    parameters = [item for item in declared if item.kind is not item.KEYWORD_ONLY]
    parameters += _find_options(options_of) if options_of else []
    parameters += [item for item in declared if item.kind is item.KEYWORD_ONLY]
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
    run.__signature__ = signature.replace(parameters=[*map(_with_name, parameters)])
    return run


def _find_options(kind: type) -> list[Parameter]:
    """Turn the fields of a dataclass into the options that they declare."""
    parameters = []
    for item, declared in arguments.find_declared(kind):
        annotation: Any = list[str] | None if declared.is_repeated else str | None
        default = option(
            declared.help_text, "|".join(declared.choices) or declared.metavar, declared.name
        )
        if item.default is False:
            annotation, default = bool, flag(declared.help_text, declared.name)
        parameters.append(
            Parameter(item.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return parameters


def _with_name(parameter: Parameter) -> Parameter:
    """Name an option after its parameter; typer would give a flag a `--no-…` beside it."""
    declared = parameter.default
    if not isinstance(declared, OptionInfo) or declared.param_decls:
        return parameter
    named = copy(declared)
    named.param_decls = ("--" + parameter.name.replace("_", "-"),)
    return parameter.replace(default=named)
