"""Errors in the logs: places in the code, never what an error quotes."""

import logging
import traceback
from typing import Any

from qa_core.base.errors import hide_controls


def leave_out_values() -> None:
    """Keep messages of errors out of every log, as they quote rows, names and passwords. The
    places in the code of an error and its causes stay.
    """
    logging.setLogRecordFactory(_Entry)


class _Entry(logging.LogRecord):
    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        if self.exc_info and self.exc_info[1]:
            self.exc_text = _describe(self.exc_info[1])

    def getMessage(self) -> str:
        return hide_controls(super().getMessage())


def _describe(error: BaseException) -> str:
    stacks, cause = [], error
    while cause is not None:
        frames = "".join(traceback.format_tb(cause.__traceback__))
        stacks.append(f"Traceback:\n{frames}{type(cause).__name__}")
        cause = cause.__cause__ or cause.__context__
    return "\n".join(reversed(stacks))
