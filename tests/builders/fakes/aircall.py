"""Aircall's pages of calls, which end at a wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from builders.source_servers import Call, FakePlatform
from qa_core.sources.platforms import aircall


class Fake(FakePlatform):
    @staticmethod
    def name_call(number: int) -> str:
        return f"{number}"

    def find_answer(self, _method: str, _path: str, given: dict[str, str], _body: bytes) -> Any:
        first, last = (datetime.fromtimestamp(int(given[name]), UTC) for name in ("from", "to"))
        found = self.find(first, last + timedelta(seconds=1))
        page, rows = int(given["page"]), int(given["per_page"])
        assert rows <= 50 and given["order"] == "asc"
        total = min(len(found), aircall.WALL) if self.is_capped else len(found)
        shown = found[: aircall.WALL][(page - 1) * rows : page * rows]
        meta = {"count": len(shown), "total": total, "current_page": page, "per_page": rows}
        return 200, {"meta": meta, "calls": list(map(self.as_row, shown))}

    @staticmethod
    def as_row(call: Call) -> dict[str, Any]:
        start = int(call.start.timestamp())
        return {
            "id": int(call.id), "direction": "inbound", "status": "done", "raw_digits": call.number,
            "missed_call_reason": None if call.talk else "agents_did_not_answer",
            "started_at": start, "answered_at": start + 10 if call.talk else None,
            "ended_at": start + 10 + (call.talk or 20), "duration": 10 + (call.talk or 20),
            "voicemail": None, "recording": None, "tags": [],
            "user": {"id": 7, "name": call.advisor} if call.talk else None,
            "number": {"id": 1, "name": "Support", "digits": "+33 1 70 00 00 01"},
        }  # fmt: skip
