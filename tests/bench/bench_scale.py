"""How the Overview's cost grows with the contacts: the lake of a centre is written ten
times over, each copy with customers of its own, and the page is
opened as a manager. Prints; fails nothing.

QA_HOME names a centre with data that stays as it is. Arguments: the folder of the copy,
which is kept for the next run, and how many times (10). Processor and wall-clock seconds,
statements on the lake and the largest memory, each period in a process of its own: with no
sums kept, with sums, and again.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bench_pages
import streamlit as st
from streamlit.testing.v1 import AppTest

from qa_core.access import sessions
from qa_core.cli import demo
from qa_core.storage import engine, lake
from qa_core.storage.lake import month_sums, tables
from qa_core.storage.records import store
from qa_core.ui.frame import menu
from qa_core.ui.server import browser

SPAWN = multiprocessing.get_context("spawn")
KEPT = ("records.sqlite", "secrets", "recordings", "published", "quarantine")


def multiply(home: Path, target: Path, factor: int) -> None:
    """Write every month of the centre `factor` times into the lake of the target."""
    for name in KEPT:
        if (home / name).is_dir():
            shutil.copytree(home / name, target / name, copy_function=os.link)
        elif (home / name).exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(home / name, target / name)
    os.environ["QA_HOME"] = str(home)
    source, files = tables.snapshot("contacts"), {}
    for month in sorted(source.months):
        files[month] = tables.select_from_files("contacts", source.files(months=[month]))
    os.environ["QA_HOME"] = str(target)
    base, change = tables.snapshot("contacts"), tables.Commit()
    for month, select in files.items():
        began = time.perf_counter()
        copies = (
            "SELECT * EXCLUDE (k) REPLACE (CASE WHEN k = 0 THEN contact_id ELSE contact_id || "
            "'-' || k END AS contact_id, CASE WHEN k = 0 THEN customer_key ELSE "
            f"left(customer_key, 60) || printf('%04x', k) END AS customer_key) FROM ({select}), "
            f"range({factor}) copies(k)"
        )
        with tables.scratch(source.rows) as connection:
            change.adds += [tables.write_part(connection, base, month, copies)]
        print(f"{month} written in {time.perf_counter() - began:.0f} s", flush=True)
    tables.commit(base, change)


def open_overview(period: str) -> None:
    """Open the Overview three times and print what each took."""
    asked: list[float] = []
    run = engine.DuckDbEngine.run

    def count(self, *arguments, **options):
        asked.append(0.0)
        return run(self, *arguments, **options)

    manager = next(entry for entry in demo.sign_ins() if entry["role"] == "manager")
    cookies = {"_streamlit_xsrf": bench_pages.generate_xsrf_token_string(b"0123456789abcdef")}
    cookies[browser.COOKIE] = sessions.sign_in(
        manager["username"],
        manager["password"],
        browser.build(cookies, {"host": "localhost"}, "127.0.0.1"),
        one_time_days=7,
    )
    visitor = bench_pages.Visitor(cookies=cookies)
    with (
        mock.patch.object(engine.DuckDbEngine, "run", count),
        mock.patch("streamlit.runtime.context._get_client_context", lambda: visitor),
    ):
        door = str(bench_pages.environment.PROJECT / "qa_core/ui/front_door.py")
        app = AppTest.from_file(door, default_timeout=1200).run()
        app.switch_page(menu.find_page("overview").path).run()
        app.query_params["period"] = period
        for title in ("no sums kept", "sums kept", "remembered"):
            if title == "no sums kept":
                month_sums.forget()
            if title != "remembered":
                st.cache_data.clear()
            asked.clear()
            wall, spent = time.perf_counter(), time.process_time()
            app.run()
            wall, spent = time.perf_counter() - wall, time.process_time() - spent
            assert not app.exception and app.metric
            largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"Overview, {period}, {title}: {spent:.1f} s CPU, {wall:.1f} s, {len(asked)} "
                f"statements on the lake, at most {largest:.0f} MB, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


def main() -> None:
    if len(sys.argv) < 2 or "QA_HOME" not in os.environ:
        print("left out: it needs QA_HOME and the folder of the copy")
        return
    home, target = Path(os.environ["QA_HOME"]), Path(sys.argv[1])
    factor = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    if not (target / "lake" / "contacts").exists():
        multiply(home, target, factor)
    os.environ["QA_HOME"] = str(target)
    store.migrate()
    size = sum(file.stat().st_size for file in (target / "lake" / "contacts").rglob("*.parquet"))
    print(f"{lake.snapshot('contacts').rows:,} contacts, {size / 1e9:.1f} GB", flush=True)
    for period in ("28d", "3m", "all"):
        process = SPAWN.Process(target=open_overview, args=(period,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
