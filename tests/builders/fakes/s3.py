"""A bucket of contact records, over moto's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from builders import s3_server
from builders.fakes.folder import WritingFake
from builders.source_servers import SECRET, Call


class Fake(WritingFake):
    @contextmanager
    def serve(self, folder: Path) -> Iterator[Fake]:
        self.written: dict[str, Call] = {}
        with s3_server.serve() as self.bucket:
            self.address, self.secret = self.bucket.address, SECRET
            yield self

    def write(self, name: str, text: str, at: datetime) -> None:
        self.bucket.put(name, text, at)
