"""Permissions in words, and the rows that each opens to each role."""

from qa_core.access.roles import Permission, Reach, Role, find_reach
from qa_core.base import declared
from qa_core.base.i18n import _

DECLARED = declared.read(__file__)
PERMISSION_TITLES = {
    Permission[name.upper()]: text for name, text in DECLARED["permissions"].items()
}
REACH_TITLES = {Reach[name.upper()]: text for name, text in DECLARED["reaches"].items()}


def list_matrix() -> list[tuple[str, tuple[str, ...]]]:
    """List each permission with the rows that it opens to each role, in the order of the
    roles (`access.roles.find_reach`); empty where it is refused.
    """
    return [
        (_(title), tuple(_name_reach(role, permission) for role in Role))
        for permission, title in PERMISSION_TITLES.items()
    ]


def _name_reach(role: Role, permission: Permission) -> str:
    reach = find_reach(role, permission)
    return _(REACH_TITLES[reach]) if reach else ""
