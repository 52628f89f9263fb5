"""Examples of questions to the API, for its page and docs/api.md."""

from qa_core.base import declared

DOCUMENTED_ADDRESS = "https://ecoute.example"
_DECLARED = declared.read(__file__)


def build_examples(address: str = DOCUMENTED_ADDRESS) -> list[dict[str, str]]:
    """Build the examples for the server of that address, each with `tool`, `language`, `hint`
    and `code`.
    """
    return [example | {"code": _fill_code(example, address)} for example in _DECLARED["examples"]]


def _fill_code(example: dict[str, str], address: str) -> str:
    code = _DECLARED["code"][example["language"]].replace(DOCUMENTED_ADDRESS, address)
    return code.replace("<token>", example.get("token", ""))
