-- FreePBX and Asterisk (MySQL, MariaDB), table cdr: all legs of the calls that began in the span.
SELECT calldate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, duration,
  billsec, disposition, accountcode, uniqueid, userfield, did, recordingfile, cnum, linkedid
FROM cdr
WHERE linkedid IN (
  SELECT linkedid FROM cdr WHERE uniqueid = linkedid AND calldate >= :since AND calldate < :until
)
ORDER BY calldate, uniqueid
