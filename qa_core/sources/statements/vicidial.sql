-- VICIdial (MySQL, MariaDB), table vicidial_closer_log: inbound calls by in-group.
SELECT
  CAST(closecallid AS CHAR) AS contact_id,
  call_date AS started_at,
  'inbound' AS direction,
  'phone' AS channel,
  campaign_id AS queue,
  CASE WHEN user = 'VDCL' THEN NULL ELSE user END AS advisor,
  CONCAT('+', phone_code, phone_number) AS customer,
  CASE
    WHEN user <> 'VDCL' THEN 'answered'
    WHEN term_reason = 'ABANDON' THEN 'abandoned'
    WHEN term_reason = 'QUEUETIMEOUT' THEN 'timeout'
    WHEN term_reason = 'AFTERHOURS' THEN 'closed'
    WHEN term_reason IN ('NOAGENT', 'HOLDRECALLXFER', 'MAXCALLS') THEN 'overflow'
    ELSE 'unanswered'
  END AS outcome,
  queue_seconds AS wait_seconds,
  CASE WHEN user <> 'VDCL' THEN length_in_sec - queue_seconds END AS talk_seconds
FROM vicidial_closer_log
WHERE call_date >= :since AND call_date < :until
ORDER BY closecallid
