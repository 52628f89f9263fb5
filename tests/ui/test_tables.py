"""Tables on a small screen: every column is in sight, long texts wrap."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def show_two_tables() -> None:
    from qa_core.ui.widgets import tables

    columns = [
        tables.name_column("Advisor", lambda line: line["name"]),
        *(
            tables.text_column(heading, lambda line, heading=heading: line[heading])
            for heading in ("Goal", "Criteria", "Change")
        ),
        tables.count_column("n", lambda line: 7),
    ]
    long = "Restate the request before answering, and agree on what happens next with the caller"
    lines = {
        "short": {"name": "Ada", "Goal": "Greet", "Criteria": "Welcome", "Change": "+2.0"},
        "long": {"name": "Ada", "Goal": long, "Criteria": long, "Change": "+2.0 (−1.0 to +5.0)"},
    }
    for key, line in lines.items():
        tables.show([line], columns, key)
    tables.show([], columns, "empty")


def test_a_table_wider_than_a_small_screen_wraps_and_others_are_as_wide_as_their_texts() -> None:
    app = AppTest.from_function(show_two_tables).run()

    assert not app.exception
    short, long = (element.proto for element in app.dataframe)
    assert [caption.value for caption in app.caption] == ["None yet."]
    narrow = json.loads(short.columns)
    # "Advisor" and "Goal" are longer than the texts below them; up to 150 pixels were declared.
    assert short.row_height == 36 and narrow["Goal"]["width"] < narrow["Advisor"]["width"] < 80
    given = json.loads(long.columns)
    widths = {name: given[name]["width"] for name in ("Advisor", "Goal", "Criteria", "Change")}
    assert long.row_height == 66
    assert sum(widths.values()) + 75 <= 930  # the number beside them is of the small width
    assert widths["Change"] > 120 and abs(widths["Goal"] - widths["Criteria"]) <= 1
    assert widths["Goal"] >= 200  # its 84 letters fit three lines, which the row has room for
