"""`engine check`: whether a second engine counts as DuckDB does."""

import sys
from dataclasses import asdict

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.cli.output import DONE, REFUSED, CommandResult, Output
from qa_core.cli.registry import ROOT, argument, option

SHOWN = 10


ENGINE = ROOT.add_group("engine", "The engine that answers questions.")


@ENGINE.command("check")
def check(
    url: str | None = argument("URL", "sc://HOST:PORT; default QA_ENGINE_URL.", default=None),
    times: int = option("How often the engine is asked.", default=3, min=1),
    days: int = option("The last days of the data.", default=183, min=1),
) -> Output:
    """Compare every KPI with every cut to DuckDB; an engine is used only after it passed."""
    from qa_core.metrics.kpi import engine_check

    url = url or environment.current().engine_url
    if url == "duckdb://":
        yield {"ok": True, "engine": url}
        yield _("DuckDB answers; there is no second engine to compare with it.")
        return
    result = engine_check.check_engine(Viewer.SYSTEM, url, times, days)
    document = {"ok": result.is_equal, **asdict(result)}
    yield CommandResult(document, DONE if result.is_equal else REFUSED)
    yield _(
        "{cells} cells of {cuts} breakdowns, compared {times} times: DuckDB {duckdb} s, Spark "
        "{version} {engine} s.",
        cells=result.cells,
        cuts=result.cuts,
        times=result.times,
        duckdb=round(result.duckdb_seconds),
        version=result.version,
        engine=round(result.engine_seconds),
    )
    for difference in result.differences[:SHOWN]:
        cut = ", ".join(f"{name} {value}" for name, value in difference.by.items()) or "–"
        values = f"{difference.duckdb} ≠ {difference.engine}"
        print(f"  {difference.kpi} · {cut} · {difference.column}: {values}", file=sys.stderr)
    if result.is_equal:
        yield _("All cells agree. {host} may be used.", host=result.host)
        return
    message = _(
        "{n} cells differ; {host} is not used.", n=len(result.differences), host=result.host
    )
    print(message, file=sys.stderr)
