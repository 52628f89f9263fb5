"""Examples of questions to the API, for its page and docs/api.md."""

from dataclasses import dataclass

from qa_core.base.i18n import N_

DOCUMENTED_ADDRESS = "https://ecoute.example"
_VARIABLE = N_("The token is in the environment variable ECOUTE_TOKEN.")


@dataclass(frozen=True)
class ApiExample:
    """One way to ask: the tool, the language of its code, what to know, and the code."""

    tool: str
    language: str
    hint: str
    code: str


_POWER_QUERY = """let
    Answer = Json.Document(
        Web.Contents(
            "{address}",
            [
                RelativePath = "api/kpi",
                Query = [
                    kpi = {{"answer_rate", "service_level"}},
                    by = "month",
                    from = "2026-01-01"
                ],
                Headers = [Authorization = "Bearer " & {token}]
            ]
        )
    ),
    Rows = Table.FromRecords(
        Answer[rows],
        {{"by", "kpi", "value", "low", "high", "n", "status"}},
        MissingField.UseNull
    ),
    Figures = Table.ExpandRecordColumn(Rows, "by", {{"month"}})
in
    Figures"""

_CURL = """curl --fail-with-body --get "{address}/api/kpi" \\
  --header "Authorization: Bearer $ECOUTE_TOKEN" \\
  --data-urlencode kpi=answer_rate --data-urlencode kpi=service_level \\
  --data-urlencode by=month --data-urlencode from=2026-01-01 \\
  --data-urlencode where=channel=phone"""

_PYTHON = """import os

import pandas as pd
import requests

response = requests.get(
    "{address}/api/kpi",
    headers={{"Authorization": f"Bearer {{os.environ['ECOUTE_TOKEN']}}"}},
    params={{
        "kpi": ["answer_rate", "service_level"],
        "by": "month",
        "from": "2026-01-01",
        "where": "channel=phone",
    }},
    timeout=60,
)
response.raise_for_status()
figures = pd.json_normalize(response.json()["rows"])
print(figures[["by.month", "kpi", "value", "n", "status"]])"""


def build_examples(address: str) -> tuple[ApiExample, ...]:
    """Build the examples for the server of that address."""
    return (
        ApiExample("curl", "bash", _VARIABLE, _CURL.format(address=address)),
        ApiExample("Python", "python", _VARIABLE, _PYTHON.format(address=address)),
        ApiExample(
            "Excel",
            "powerquery",
            N_(
                "Data, Get Data, From Other Sources, Blank Query, Advanced Editor. Choose "
                "anonymous access. Everybody who has the workbook has the token."
            ),
            _POWER_QUERY.format(address=address, token='"ecoute_…"'),
        ),
        ApiExample(
            "Power BI",
            "powerquery",
            N_(
                "Create a parameter Token of type text. Then Get data, Blank query, Advanced "
                "Editor. Choose anonymous access; scheduled refresh works too."
            ),
            _POWER_QUERY.format(address=address, token="Token"),
        ),
    )
