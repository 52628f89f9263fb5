"""Genesys Cloud's tokens, queries and jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from builders.source_servers import Call, FakePlatform
from qa_core.sources.platforms import genesys


@dataclass
class Fake(FakePlatform):
    jobs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: int = 0
    uses: int = 0

    @staticmethod
    def name_call(number: int) -> str:
        return f"{number:08x}-0000-4000-8000-{number:012x}"

    def is_allowed(self, path: str, given: str) -> bool:
        if path == "/oauth/token":
            return super().is_allowed(path, given)
        self.uses += 1
        return given == f"Bearer t{self.tokens}" and self.uses <= self.token_uses

    def find_answer(self, method: str, path: str, given: dict[str, str], body: bytes) -> Any:
        if path == "/oauth/token":
            assert body == b"grant_type=client_credentials"
            self.tokens, self.uses = self.tokens + 1, 0
            return 200, {"access_token": f"t{self.tokens}", "token_type": "bearer"}
        rest = path.removeprefix("/api/v2/analytics/conversations/details/")
        if rest == "jobs/availability":
            latest = datetime(2030 if self.is_available else 2000, 1, 1, tzinfo=UTC)
            return 200, {"dataAvailabilityDate": f"{latest:%Y-%m-%dT%H:%M:%S.000Z}"}
        if method == "POST":
            content = json.loads(body)
            since, until = map(datetime.fromisoformat, content["interval"].split("/"))
            found = self.find(since, until)
            if rest == "jobs":
                self.jobs[job := f"job-{len(self.jobs)}"] = list(map(self.as_row, found))
                return 200, {"jobId": job}
            rows, page = content["paging"]["pageSize"], content["paging"]["pageNumber"]
            assert rest == "query" and rows <= 100
            shown = found[: genesys.WALL][(page - 1) * rows : page * rows]
            answer: dict[str, Any] = {"totalHits": len(found)}
            return 200, answer | ({"conversations": list(map(self.as_row, shown))} if shown else {})
        job, _slash, results = rest.removeprefix("jobs/").partition("/")
        if not results:
            looks = sum(f"{job}" in one and "results" not in one for one in self.requests)
            return 200, {"state": "FULFILLED" if looks > 1 else "QUEUED"}
        at, rows = int(given.get("cursor", 0)), min(int(given["pageSize"]), genesys.JOB_ROWS)
        answer = {"conversations": self.jobs[job][at : at + rows]}
        return 200, answer | ({"cursor": str(at + rows)} if at + rows < len(self.jobs[job]) else {})

    @staticmethod
    def as_row(call: Call) -> dict[str, Any]:
        def metrics(**values: int) -> list[dict[str, Any]]:
            return [{"name": name, "value": value} for name, value in values.items()]

        customer = {
            "mediaType": "voice",
            "direction": "inbound",
            "ani": f"tel:{call.number}",
            "dnis": "tel:+33170000001",
            "metrics": metrics(**({} if call.talk else {"tAbandon": 20000})),
        }
        agent = {
            "mediaType": "voice",
            "metrics": metrics(tAnswered=10000, tTalkComplete=(call.talk or 0) * 1000),
        }
        people = [{"purpose": "customer", "sessions": [customer]}]
        if call.talk:
            people.append(
                {
                    "purpose": "agent",
                    "userId": f"u-{call.advisor}",
                    "participantName": call.advisor,
                    "sessions": [agent],
                }
            )
        end = call.start + timedelta(seconds=10 + (call.talk or 20))
        return {
            "conversationId": call.id, "originatingDirection": "inbound", "participants": people,
            "conversationStart": f"{call.start:%Y-%m-%dT%H:%M:%S.000Z}",
            "conversationEnd": f"{end:%Y-%m-%dT%H:%M:%S.000Z}",
        }  # fmt: skip
