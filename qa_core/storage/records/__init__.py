"""Records: everything small that changes row by row. All files of tables are loaded
together because they refer to each other.
"""

from qa_core.storage.records import (
    alerts,
    audit_log,
    base,
    centre_rules,
    changes,
    evaluations,
    imports,
    irritants,
    listening,
    people,
    retention,
    settings,
    targets,
)
