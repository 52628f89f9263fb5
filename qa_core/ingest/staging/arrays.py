"""Conversion between arrays of Arrow and of numpy."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def to_numpy(values: pa.Array) -> np.ndarray:
    """Convert to numpy, by a copy where Arrow has bits or nulls."""
    return values.to_numpy(zero_copy_only=False)


def find_matches(cells: pa.Array, pattern: str) -> np.ndarray:
    """Find the cells in which a pattern is found (a mask); none of the missing ones."""
    return to_numpy(pc.match_substring_regex(cells, pattern)).astype(bool)


def is_among(cells: pa.Array, words: Iterable[str]) -> np.ndarray:
    """Find the cells that are one of these words (a mask)."""
    return to_numpy(pc.is_in(cells, value_set=pa.array(list(words), pa.string()))).astype(bool)


def map_texts(convert: Callable[[str], str | None], cells: pa.Array) -> pa.Array:
    """Convert each different text once; null stays."""
    encoded = cells.dictionary_encode()
    converted = [convert(text) for text in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(converted, pa.string()), encoded.indices)


def as_moments(values: np.ndarray) -> pa.Array:
    """Convert datetime64[us] to Arrow, NaT to null."""
    return pa.array(values.astype("M8[us]"), pa.timestamp("us"))


def as_numbers(values: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    """Convert float64 to Arrow, NaN to null."""
    array = pa.array(values, pa.float64(), from_pandas=True)
    return array.cast(kind) if kind else array


def as_words(values: Iterable[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Convert texts or truth values (objects) to Arrow, None to null."""
    return pa.array(values if isinstance(values, np.ndarray) else list(values), kind or pa.string())
