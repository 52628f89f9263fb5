"""`editions`: the months that executives see, as they were published."""

from collections.abc import Sequence

import typer

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.base.row_values import read_fields
from qa_core.cli.options import Json, add_family, print_json

FIELDS = ("month", "state", "edition", "published_at", "published_by", "settles_on")


def register(app: typer.Typer) -> None:
    help_text = "Months published to executives."
    add_family(app, "editions", help_text, list=list_states, publish=publish, due=publish_due)


def list_states(as_json: Json = False) -> None:
    """List the months: published, due, waiting, or changed since they were published."""
    from qa_core.metrics.query import editions

    states = editions.list_states()
    if as_json:
        return print_json([read_fields(state, FIELDS) for state in states])
    for state in states:
        by = state.published_at and f"{state.edition}, {state.published_at:%Y-%m-%d}"
        print(f"{state.month}  {state.state:10} {by or state.settles_on}")


def publish(
    months: list[str] = typer.Argument(None, metavar="[MONTH]…", help="As 2026-10; else all."),
    as_json: Json = False,
) -> None:
    """Publish months at once that are over for long enough, however late they were imported."""
    from qa_core.metrics.query import editions

    _print(editions.publish(Viewer.SYSTEM, months or ()), as_json)


def publish_due(as_json: Json = False) -> None:
    """Publish what is due, as the served app does by itself."""
    from qa_core.metrics.query import editions

    _print(editions.publish_due(), as_json)


def _print(published: Sequence[str], as_json: bool) -> None:
    if as_json:
        return print_json({"published": published})
    print(_("Published: {months}.", months=", ".join(published) or "–"))
