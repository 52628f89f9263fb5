"""`irritants`: the action list of what annoys customers."""

from __future__ import annotations

from typing import Annotated

import typer

from qa_core.base.i18n import _
from qa_core.cli.options import read_as
from qa_core.cli.output import print_json

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
As = Annotated[
    str | None, typer.Option("--as", metavar="USERNAME", help="Read exactly as that person.")
]


def register(app: typer.Typer) -> None:
    irritants = typer.Typer(
        no_args_is_help=True, help="What annoys customers, and what is done about it."
    )
    irritants.callback()(lambda: None)  # with one command alone, typer would leave out its name
    irritants.command("list")(list_irritants)
    app.add_typer(irritants, name="irritants")


def list_irritants(username: As = None, as_json: Json = False) -> None:
    """List the irritants, open ones first."""
    from qa_core.analysis.irritants import action_list, texts
    from qa_core.storage.records import store

    store.require_ready()
    entries = action_list.find_entries(read_as(username))
    if as_json:
        print_json(
            [
                {
                    "id": entry.id,
                    "title": texts.describe_subject(entry.subject),
                    "kind": entry.subject.kind,
                    "dimension": entry.subject.dimension,
                    "value": entry.subject.value,
                    "terms": entry.subject.terms,
                    "filters": dict(entry.filters.values),
                    "teams": entry.teams,
                    "state": entry.state,
                    "owner": entry.owner,
                    "due_on": entry.due_on,
                    "note": entry.note,
                    "steps": [
                        {"state": step.state, "at": step.at.isoformat(), "by": step.by}
                        for step in entry.steps
                    ],
                }
                for entry in entries
            ]
        )
        return
    for entry in entries:
        said = [
            _(texts.STATES[entry.state]),
            entry.owner_name,
            entry.due_on and entry.due_on.isoformat(),
        ]
        print(
            f"{entry.id}  {texts.describe_subject(entry.subject)}: " + ", ".join(filter(None, said))
        )
