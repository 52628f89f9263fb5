"""Seconds and processor seconds of each test, in build/durations.json and, of the longest,
at the end of the run. Those of processes that a test starts count when these have ended.
"""

from __future__ import annotations

import json
import resource
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from builders import forked_python

FILE = Path(__file__).resolve().parents[2] / "build" / "durations.json"
SHOWN = 25
MIN_TESTS = 200
"""Tests of a run from which on the longest are shown."""


def count_processor_seconds() -> float:
    """Return the processor seconds of this process and of what it started."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used) + forked_python.count_seconds()


class Durations:
    """Plugin of a process of pytest; of several, the first one gathers what the others say."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seconds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.of_others = 0.0
        self.before = 0.0

    def pytest_runtest_logstart(self) -> None:
        self.before = count_processor_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Any:
        report = yield
        now = count_processor_seconds()
        report.processor, self.before = now - self.before, now
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        spent = self.seconds[report.nodeid]
        spent[0] += getattr(report, "processor", 0.0)  # absent when its process died
        spent[1] += report.duration

    def pytest_sessionfinish(self) -> None:
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["processor"] = count_processor_seconds()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.of_others += getattr(node, "workeroutput", {}).get("processor", 0.0)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        longest = sorted(self.seconds.items(), key=lambda one: -one[1][0])
        own = resource.getrusage(resource.RUSAGE_SELF)
        own_seconds = own.ru_utime + own.ru_stime
        total = self.of_others + own_seconds if self.of_others else count_processor_seconds()
        FILE.parent.mkdir(exist_ok=True)
        rounded = {name: [round(one, 3) for one in spent] for name, spent in longest}
        FILE.write_text(
            json.dumps({"processor_seconds": round(total, 1), "tests": rounded}, indent=0)
        )
        if len(longest) >= MIN_TESTS:
            terminalreporter.section(f"processor seconds, then seconds, of the {SHOWN} longest")
            for name, (processor, seconds) in longest[:SHOWN]:
                terminalreporter.write_line(f"{processor:7.1f} {seconds:7.1f}  {name}")
            files: dict[str, float] = defaultdict(float)
            for name, (processor, _seconds) in longest:
                files[name.partition("::")[0]] += processor
            named = sorted(files.items(), key=lambda one: -one[1])[:10]
            said = ", ".join(f"{name} {processor:.0f}" for name, processor in named)
            terminalreporter.write_line(f"files: {said}")
        terminalreporter.write_line(f"processor seconds in all: {total:.0f}")
