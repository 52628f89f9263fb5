-- QueueMetrics (MySQL, MariaDB), table queue_log: the events of the calls that entered a queue in
-- the span, to their end, also where that is on the next day.
SELECT time_id, call_id, queue, agent, verb, data1, data2, data3, data4, data5
FROM queue_log
WHERE time_id >= :since_epoch AND time_id < :until_epoch + 86400
  AND call_id IN (
    SELECT call_id FROM queue_log
    WHERE verb = 'ENTERQUEUE' AND time_id >= :since_epoch AND time_id < :until_epoch
  )
ORDER BY time_id, unique_row_count
