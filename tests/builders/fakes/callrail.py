"""CallRail's pages of calls, with links from one to the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from builders.source_servers import Call, FakePlatform


class Fake(FakePlatform):
    @staticmethod
    def name_call(number: int) -> str:
        return f"CAL{number:032x}"

    def is_allowed(self, _path: str, given: str) -> bool:
        return given == 'Token token="tok-f00d"'

    def find_answer(self, _method: str, path: str, given: dict[str, str], _body: bytes) -> Any:
        assert path == "/v3/a/acc/calls.json" and int(given["per_page"]) <= 250
        since, until = (datetime.fromisoformat(given[name]) for name in ("start_date", "end_date"))
        found = self.find(since, until + timedelta(seconds=1))
        after = given.get("offset", "")
        rest = [call for call in found if f"{call.start.timestamp():015}{call.id}" > after]
        shown, rows = rest[: int(given["per_page"])], int(given["per_page"])
        answer = {"per_page": rows, "calls": list(map(self.as_row, shown))}
        answer["has_next_page"] = len(rest) > rows
        if answer["has_next_page"]:
            last = f"{shown[-1].start.timestamp():015}{shown[-1].id}"
            query = "&".join(
                f"{k}={v.replace('+', '%2B')}" for k, v in {**given, "offset": last}.items()
            )
            answer["next_page"] = f"{self.address}{path}?{query}"
        return 200, answer

    @staticmethod
    def as_row(call: Call) -> dict[str, Any]:
        return {
            "id": call.id, "answered": bool(call.talk), "voicemail": False, "direction": "inbound",
            "customer_phone_number": call.number, "tracking_phone_number": "+33170000001",
            "start_time": call.start.isoformat(), "duration": call.talk or 20, "recording": None,
            "source": "Google Ads", "campaign": "Spring",
            "agent_email": f"{call.advisor}@example.org",
        }  # fmt: skip
