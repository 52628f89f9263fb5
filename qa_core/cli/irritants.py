"""`irritants`: the action list of what annoys customers."""

import typer

from qa_core.base.i18n import _
from qa_core.cli.options import As, Json, add_family, read_as
from qa_core.cli.output import print_json


def register(app: typer.Typer) -> None:
    help_text = "What annoys customers, and what is done about it."
    add_family(app, "irritants", help_text, list=list_irritants)


def list_irritants(username: As = None, as_json: Json = False) -> None:
    """List the irritants, open ones first."""
    from qa_core.analysis.irritants import action_list, texts

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
