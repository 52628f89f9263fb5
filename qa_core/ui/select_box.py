"""A choice from a list whose values are shown by their titles."""

from collections.abc import Mapping
from typing import Any


def select(
    place: Any,
    label: str,
    titles: Mapping[Any, str],
    key: str | None = None,
    chosen: Any = None,
    is_optional: bool = False,
    **options: Any,
) -> Any:
    """Show the list in that place (`st` or a column) and return the chosen key of `titles`.

    `chosen`: key at first, where it is known; else the first one, or none (None) where
    the choice `is_optional`. `options` go to `st.selectbox`.
    """
    keys = list(titles)
    usual = None if is_optional else 0
    index = keys.index(chosen) if chosen in titles else usual
    return place.selectbox(label, keys, index, format_func=titles.get, key=key, **options)
