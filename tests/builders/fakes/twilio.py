"""Twilio's pages of calls, the newest first."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from builders.source_servers import Call, FakePlatform


class Fake(FakePlatform):
    @staticmethod
    def name_call(number: int) -> str:
        return f"CA{number:032x}"

    def find_answer(self, _method: str, path: str, given: dict[str, str], _body: bytes) -> Any:
        assert path == "/2010-04-01/Accounts/acc/Calls.json"
        since, until = (
            datetime.fromisoformat(given[f"StartTime{sign}"] + "T00:00Z") for sign in "><"
        )
        found = self.find(since, until)[::-1]  # the newest first
        before = given.get("PageToken", "~")
        rest = [call for call in found if f"{call.start.timestamp():015}{call.id}" < before]
        rows = int(given["PageSize"])
        shown, link = rest[:rows], None
        if len(rest) > rows:
            last = f"{shown[-1].start.timestamp():015}{shown[-1].id}"
            link = (
                path
                + "?"
                + "&".join(
                    f"{k.replace('>', '%3E').replace('<', '%3C')}={v}"
                    for k, v in {**given, "PageToken": last}.items()
                )
            )
        return 200, {
            "calls": list(map(self.as_row, shown)),
            "next_page_uri": link,
            "page_size": rows,
        }

    @staticmethod
    def as_row(call: Call) -> dict[str, Any]:
        at = format_datetime(call.start)
        return {
            "sid": call.id, "parent_call_sid": None, "date_created": at, "start_time": at,
            "end_time": format_datetime(call.start + timedelta(seconds=call.talk or 20)),
            "duration": str(call.talk or 0), "from": call.number, "to": "+33170000001",
            "direction": "inbound", "status": "completed" if call.talk else "no-answer",
        }  # fmt: skip
