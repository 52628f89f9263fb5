"""The door to the facts: every figure, list and single contact that a person sees comes
through here, for a `Viewer`, within what they may see.
"""

from qa_core.metrics.kpi.data_span import data_span, data_through
from qa_core.metrics.kpi.edition_schedule import describe_next
from qa_core.metrics.kpi.explain import Explanation, explain, find_settings
from qa_core.metrics.kpi.freshness import Freshness, find_freshness
from qa_core.metrics.kpi.measure import measure, measure_cuts, measure_under
from qa_core.metrics.kpi.metric_query import count_machine_contacts
from qa_core.metrics.kpi.populations import (
    BEFORE_INCOMPLETE,
    find_out_of_scope,
    is_incomplete,
    leaves_out_missed,
)
from qa_core.metrics.kpi.publication import is_published, may_cut
from qa_core.metrics.kpi.result_rows import SMALL_SAMPLE, to_json
from qa_core.metrics.law.recording_flags import RecordedContact, find_recorded
from qa_core.metrics.rows.advisors import (
    AdvisorProfile,
    find_advisors,
    find_evaluations_of,
    get_advisor,
    read_advisor,
)
from qa_core.metrics.rows.callbacks import (
    MissedCaller,
    find_missed_callers,
    find_own_queues,
)
from qa_core.metrics.rows.comments import find_remarks, may_read_remarks
from qa_core.metrics.rows.contacts import (
    contact_columns,
    count_contacts,
    find_all_values,
    find_by_id,
    find_contacts,
    find_values,
    get_contact,
    read_by_id,
    read_contact,
    read_contacts,
)
from qa_core.metrics.rows.own_work import (
    find_evaluations_given,
    find_own_evaluations,
    team_medians,
)
from qa_core.metrics.rows.repeat_chains import (
    ChainContact,
    CustomerHistory,
    RepeatChain,
    find_chains,
    find_history,
    read_chains,
)
from qa_core.metrics.rows.rule_changes import Change, find_changes
from qa_core.metrics.rows.satisfaction_drivers import Drivers, find_drivers
from qa_core.metrics.rows.tracking import find_currencies, find_number_uses
