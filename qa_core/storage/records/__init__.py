"""Records: everything small that changes by row. All tables are loaded together."""

from qa_core.storage.records import (
    alerts,
    audit_log,
    base,
    call_backs,
    centre_rules,
    changes,
    deliveries,
    editions,
    evaluations,
    imports,
    irritants,
    listening,
    people,
    retention,
    settings,
    targets,
)
