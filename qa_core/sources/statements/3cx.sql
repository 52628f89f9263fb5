-- 3CX 20 (PostgreSQL), table cdroutput: calls from outside that began in the span, one row each.
SELECT
  call_history_id AS contact_id,
  min(cdr_started_at) AS started_at,
  'inbound' AS direction,
  'phone' AS channel,
  (array_agg(destination_dn_name ORDER BY cdr_started_at)
    FILTER (WHERE destination_dn_type = 'queue'))[1] AS queue,
  (array_agg(destination_dn_name ORDER BY cdr_answered_at DESC)
    FILTER (WHERE destination_dn_type = 'extension' AND cdr_answered_at IS NOT NULL))[1] AS advisor,
  (array_agg(source_participant_phone_number ORDER BY cdr_started_at)
    FILTER (WHERE source_entity_type = 'external_line'))[1] AS customer,
  CASE
    WHEN bool_or(destination_dn_type = 'extension' AND cdr_answered_at IS NOT NULL) THEN 'answered'
    WHEN bool_or(destination_dn_type = 'queue') THEN 'abandoned'
    ELSE 'unanswered'
  END AS outcome,
  EXTRACT(EPOCH FROM coalesce(
    min(cdr_answered_at) FILTER (WHERE destination_dn_type = 'extension'), max(cdr_ended_at)
  ) - min(cdr_started_at)) AS wait_seconds,
  EXTRACT(EPOCH FROM sum(cdr_ended_at - cdr_answered_at)
    FILTER (WHERE destination_dn_type = 'extension')) AS talk_seconds
FROM cdroutput
WHERE call_history_id IN (
  SELECT call_history_id FROM cdroutput
  WHERE cdr_started_at >= to_timestamp(:since_epoch) AND cdr_started_at < to_timestamp(:until_epoch)
)
GROUP BY call_history_id
HAVING min(cdr_started_at) >= to_timestamp(:since_epoch)
  AND min(cdr_started_at) < to_timestamp(:until_epoch)
  AND bool_or(source_entity_type = 'external_line')
ORDER BY min(cdr_started_at), call_history_id
