"""`engine check`: whether a second engine counts as DuckDB does."""

import sys
from dataclasses import asdict

import typer

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.cli.options import DONE, REFUSED, Json, add_family, print_json

SHOWN = 10


def register(app: typer.Typer) -> None:
    add_family(app, "engine", "The engine that answers questions.", check=check)


def check(
    url: str | None = typer.Argument(
        None, metavar="URL", help="sc://HOST:PORT; default QA_ENGINE_URL."
    ),
    times: int = typer.Option(3, min=1, help="How often the engine is asked."),
    days: int = typer.Option(183, min=1, help="The last days of the data."),
    as_json: Json = False,
) -> int:
    """Compare every KPI with every cut to DuckDB; an engine is used only after it passed."""
    from qa_core.metrics.query import engine_check

    url = url or environment.current().engine_url
    if url == "duckdb://":
        message = _("DuckDB answers; there is no second engine to compare with it.")
        print_json({"ok": True, "engine": url}) if as_json else print(message)
        return DONE
    result = engine_check.check_engine(Viewer.SYSTEM, url, times, days)
    if as_json:
        print_json({"ok": result.is_equal, **asdict(result)})
        return DONE if result.is_equal else REFUSED
    text = _(
        "{cells} cells of {cuts} breakdowns, compared {times} times: DuckDB {duckdb} s, Spark "
        "{version} {engine} s.",
        cells=result.cells,
        cuts=result.cuts,
        times=result.times,
        duckdb=round(result.duckdb_seconds),
        version=result.version,
        engine=round(result.engine_seconds),
    )
    print(text)
    for one in result.differences[:SHOWN]:
        cut = ", ".join(f"{name} {value}" for name, value in one.by.items()) or "–"
        print(f"  {one.kpi} · {cut} · {one.column}: {one.duckdb} ≠ {one.engine}", file=sys.stderr)
    if result.is_equal:
        print(_("All cells agree. {host} may be used.", host=result.host))
        return DONE
    message = _(
        "{n} cells differ; {host} is not used.", n=len(result.differences), host=result.host
    )
    print(message, file=sys.stderr)
    return REFUSED
