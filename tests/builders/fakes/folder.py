"""Files of contact records: each has what was new when it was written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from builders.s3_server import make_record, name_contact
from builders.source_servers import Call
from builders.source_servers import Fake as AnyFake


class WritingFake(AnyFake):
    """Source of files; `written`: the calls as they stand in them."""

    @staticmethod
    def name_call(number: int) -> str:
        return name_contact(number)

    def publish(self, at: datetime) -> None:
        new = [call for name, call in self.calls.items() if self.written.get(name) != call]
        stamp = f"{at.astimezone():%Y-%m-%dT%H:%M:%S%z}"
        records = [
            make_record(int(call.id[:8], 16), call.start, call.talk, LastUpdateTimestamp=stamp)
            for call in new
        ]
        if records:
            self.write(f"{len(self.written):04}-{at:%d%H%M}.json", "\n".join(records), at)
        self.written |= {call.id: call for call in new}

    def write(self, name: str, text: str, at: datetime) -> None:
        raise NotImplementedError


class Fake(WritingFake):
    @contextmanager
    def serve(self, folder: Path) -> Iterator[Fake]:
        self.written: dict[str, Call] = {}
        self.address, self.options = str(folder), {"profile": "amazon_connect"}
        yield self

    def write(self, name: str, text: str, at: datetime) -> None:
        path = Path(self.address) / name
        path.write_text(text)
        os.utime(path, (at.timestamp(), at.timestamp()))
