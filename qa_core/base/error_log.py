"""Errors in the logs: places in the code, never what an error quotes."""

import logging
import traceback
from typing import Any


def leave_out_values() -> None:
    """Have the entries of every log name the places of an error and of what led to it, without
    their messages: these quote rows, names and passwords.
    """
    logging.setLogRecordFactory(_make_record)


def _make_record(*args: Any, **values: Any) -> logging.LogRecord:
    record = logging.LogRecord(*args, **values)
    if record.exc_info and record.exc_info[1]:
        record.exc_text = _describe(record.exc_info[1])
    return record


def _describe(error: BaseException) -> str:
    stacks, cause = [], error
    while cause is not None:
        frames = "".join(traceback.format_tb(cause.__traceback__))
        stacks.append(f"Traceback:\n{frames}{type(cause).__name__}")
        cause = cause.__cause__ or cause.__context__
    return "\n".join(reversed(stacks))
