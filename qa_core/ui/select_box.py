"""A choice from a list whose values are shown by their titles."""

from collections.abc import Mapping
from typing import Any


def select(
    place: Any,
    label: str,
    titles: Mapping[Any, str],
    key: str | None = None,
    chosen: Any = None,
    **options: Any,
) -> Any:
    """Show the list in that place (`st` or a column) and return the chosen key of `titles`.

    `chosen`: key at first, where it is known; else the first one. `options` go to
    `st.selectbox`.
    """
    keys = list(titles)
    index = keys.index(chosen) if chosen in titles else 0
    return place.selectbox(label, keys, index, format_func=titles.get, key=key, **options)
