"""`editions`: the months that executives see, as they were published."""

from collections.abc import Sequence

from qa_core.access.roles import Viewer
from qa_core.base.row_values import read_fields
from qa_core.cli.output import Output
from qa_core.cli.registry import ROOT, argument

FIELDS = ("month", "state", "edition", "published_at", "published_by", "settles_on")
EDITIONS = ROOT.add_group("editions", "Months published to executives.")


@EDITIONS.command("list")
def list_states() -> Output:
    """List the months: published, due, waiting, or changed since they were published."""
    from qa_core.metrics.kpi import editions

    states = editions.list_states()
    yield [read_fields(state, FIELDS) for state in states]
    for state in states:
        by = state.published_at and f"{state.edition}, {state.published_at:%Y-%m-%d}"
        yield f"{state.month}  {state.state:10} {by or state.settles_on}"


@EDITIONS.command("publish")
def publish(
    months: list[str] = argument("[MONTH]…", "As 2026-10; else all.", default=None),
) -> Output:
    """Publish months at once that are over for long enough, however late they were imported."""
    from qa_core.metrics.kpi import editions

    yield from _describe(editions.publish(Viewer.SYSTEM, months or ()))


@EDITIONS.command("due")
def publish_due() -> Output:
    """Publish what is due, as the served app does by itself."""
    from qa_core.metrics.kpi import editions

    yield from _describe(editions.publish_due())


def _describe(published: Sequence[str]) -> Output:
    yield {"published": published}
    yield from published
