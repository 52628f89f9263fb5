"""Bare Streamlit page to compare with: a filter, four tiles, four charts and a table, from
numbers that are already there. Served by `bench_people.py` and `bench_browser.py`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st


@st.cache_data
def build_numbers(number: int) -> pd.DataFrame:
    """Build 53 weeks of four series, from the seed given."""
    chance = np.random.default_rng(number)
    weeks = pd.date_range("2025-01-06", periods=53, freq="W-MON")
    return pd.DataFrame(
        {f"series {name}": chance.normal(100, 10, 53).cumsum() for name in "abcd"}, index=weeks
    )


st.set_page_config(page_title="Bare", layout="wide")
choices = [f"queue {number}" for number in range(12)]
asked = st.query_params.get("queue", choices[0])
st.title("Bare page")
queue = st.segmented_control("Queue", choices, default=asked if asked in choices else choices[0])
numbers = build_numbers(choices.index(queue or choices[0]))
for column, name in zip(st.columns(4), numbers, strict=True):
    column.metric(name, f"{numbers[name].iloc[-1]:,.0f}", f"{numbers[name].diff().iloc[-1]:.1f}")
for row in range(2):
    for column, name in zip(st.columns(2), list(numbers)[2 * row : 2 * row + 2], strict=True):
        figure = go.Figure(go.Scatter(x=numbers.index, y=numbers[name], mode="lines"))
        figure.update_layout(height=280, title=f"{queue}: {name}")
        column.plotly_chart(figure, key=name)
st.dataframe(numbers.tail(20))
