"""Every bound in one place (promise I13), each with what happens when it is too small or too large."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# -- what a caller may send ---------------------------------------------------------------------------------------

KEY_BYTES_MAX: Final = 1 * KIB
"""UTF-8 bytes of a key. Larger: a primary-key entry no longer fits a B-tree page (2,704 bytes) with its position."""

RECORD_BYTES_MAX: Final = 1 * MIB
"""Encoded state of one record. Larger: one record fills a replication frame window and stalls its neighbours."""

VALUE_DEPTH_MAX: Final = 32
"""Nesting of lists and maps in a value. Larger: a hostile value can exhaust the interpreter's stack."""

FIELDS_MAX: Final = 1_024
"""Fields of one record. Larger: one row's merge blocks the event loop for milliseconds."""

FIELD_OPERATIONS_MAX: Final = 4_096
"""Operations on fields in one write. Larger: one small message blocks the event loop for seconds; smaller than
``FIELDS_MAX``: a record of many fields cannot be changed as one."""

FIELD_NAME_BYTES_MAX: Final = 128
"""UTF-8 bytes of a field name. Larger: names outweigh values in every stored row."""

INTEGER_MIN: Final = -(1 << 63)
INTEGER_MAX: Final = (1 << 63) - 1
"""Integers are signed 64-bit, so that msgpack, Postgres and every other language hold them alike."""

COUNTER_DIGITS_MAX: Final = 38
"""Significant digits of a Decimal. Larger: sums grow without bound; smaller: money in small units does not fit."""

DECIMAL_EXPONENT_MAX: Final = 128
"""Exponent of a Decimal, either sign. Larger: an exact sum of a huge and a tiny amount has that many digits."""

MESSAGE_BYTES_MAX: Final = 8 * MIB
"""One gRPC message, both directions. Smaller: a legal batch of large records is refused by the transport."""

BATCH_OPERATIONS_MAX: Final = 1_000
"""Operations in one client batch. Larger: one caller's batch delays everybody else's by its whole length."""

TOKEN_BYTES_MAX: Final = 64 * KIB
"""A session token. Larger than any honest ring needs; smaller: rings with many shards cannot carry sessions."""

SESSION_TOKENS_MAX: Final = 32
"""Tokens one request may present (a client keeps one per batch in flight until the next reply folds them)."""

DEADLINE_SECONDS_DEFAULT: Final = 5.0
DEADLINE_SECONDS_MAX: Final = 60.0
"""How long a request may wait. Too small: a failover looks like an outage; too large: callers pile up."""

# -- the write path -----------------------------------------------------------------------------------------------

WRITE_LANES_PER_SHARD: Final = 2
"""Groups of one shard and process in flight. One: merging never overlaps the flush; many: groups shrink and flushes
compete."""

GROUP_BESIDE_MIN: Final = 24
"""Writes that must wait before a group starts beside one in flight. Smaller: many small transactions, each as dear
as a large one; larger: merging waits for the flush."""

GROUP_RECORDS_MAX: Final = 256
"""Records in one group commit. Smaller: more flushes; larger: the first waiter pays for the last one's merge."""

WRITE_QUEUE_MAX: Final = 16_384
"""Writes waiting for one shard before callers get ``Overloaded``. Larger: latency hides behind the queue."""

WRITE_ATTEMPTS_MAX: Final = 16
"""Optimistic retries of one record against concurrent writers before the caller gets ``Overloaded``."""

COUNTER_BLOCK: Final = 1 << 16
"""Dot counters leased at a time. Smaller: more leases, each one flush; larger: a restart skips more numbers."""

RECORD_CACHE_MAX: Final = 32_768
"""Decoded records a writer keeps. Only a hint: a stale entry costs one retry. Larger: memory; smaller: more reads."""

READ_BATCH_MAX: Final = 1_024
"""Records in one read statement. Larger: one slow batch delays many readers."""

READ_BESIDE_MIN: Final = 16
"""Reads that must wait before a statement starts beside one in flight. Small: many small statements, each as dear as
a large one; larger: decoding waits for the answer."""

READS_IN_FLIGHT_PER_SHARD: Final = 2
"""Concurrent read statements a shard and node. One: no overlap with decoding; more: smaller, dearer statements."""

READ_QUEUE_MAX: Final = 32_768
"""Reads waiting for one shard before callers get ``Overloaded``. Larger: latency hides behind the queue."""

DEADLINE_SWEEP_SECONDS: Final = 0.02
"""How often requests in flight are compared with the clock. Smaller: wasted work; larger: late deadlines."""

SESSION_POLL_SECONDS_MIN: Final = 0.002
SESSION_POLL_SECONDS_MAX: Final = 0.02
"""How often a read asks again whether its session is covered. Small: needless statements; large: slow reads."""

CAPTURE_RETRY_SECONDS: Final = 0.002
"""Pause of a write that waits for a batch while another process captures. Smaller: competing captures."""

MAP_REFRESH_SECONDS_MIN: Final = 0.05
"""Least time between two reads of the shard map. Smaller: a fenced range asks the catalog once per operation."""

FORWARD_AVOID_SECONDS: Final = 2.0
"""How long a region whose last answer failed is tried after the others. Smaller: every request pays for it."""

# -- the client ---------------------------------------------------------------------------------------------------

CLIENT_OPERATIONS_WAITING_MAX: Final = 65_536
"""Calls that wait in one client before further calls get ``Overloaded``. Larger: memory, and answers come late."""

CLIENT_BATCHES_EAGER: Final = 4
"""Batches in flight up to which a remote client sends at once; beyond, what waits gathers into larger batches unless
those in flight are slow. Smaller: the node idles between batches; larger: many small messages, each dear."""

CLIENT_BATCH_SLOW_SECONDS: Final = 0.02
"""A batch in flight for longer holds up nobody else: it no longer counts among the eager ones."""

CLIENT_BATCHES_IN_FLIGHT_MAX: Final = 32
"""Batches that a remote client has sent and not seen answered. Smaller: an idle link; larger: a longer queue."""

# -- replication --------------------------------------------------------------------------------------------------

FRAME_BYTES: Final = 192 * KIB
"""Payload of one replication frame. Smaller: per-message cost dominates; larger: one frame blocks the stream."""

LINK_WINDOW_BYTES: Final = 16 * MIB
"""Bytes in flight or blocked per origin shard before the sender pauses. Smaller: idle links; larger: memory."""

BATCHES_PER_APPLY_MAX: Final = 256
"""Batches, of any origins, joined into a shard in one transaction. Larger: a read that waits for one of them waits
for all; smaller: a backlog takes more flushes."""

APPLY_CHUNK_BYTES: Final = 4 * MIB
"""Row bytes staged per apply transaction and shard; a larger batch is applied in several, its cut with the last."""

CAPTURE_INTERVAL_SECONDS: Final = 0.005
"""Pause between captures of a busy shard. Smaller: more flushes for cursors; larger: replication lag."""

CAPTURE_IDLE_SECONDS: Final = 0.025
"""Longest pause between captures of an idle shard (writers in other processes give no hint)."""

RETENTION_INTERVAL_SECONDS: Final = 1.0
"""How often acknowledged log rows are deleted. Larger: a longer log; smaller: pointless work."""

BACKOFF_SECONDS_MIN: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 5.0
"""Reconnect delays to a silent peer, with full jitter. Too small: a storm at heal; too large: slow to return."""

HEARTBEAT_SECONDS: Final = 0.5
"""How often an idle link says that it lives. A link silent for ``LINK_SILENCE_SECONDS`` is dropped and redialled."""

LINK_STANDSTILL_SECONDS: Final = 15.0
"""A link over which the peer tells of batches and sends none for so long, although all that came is applied, is
dropped and dialled again: something on the way has swallowed one. Smaller: links of a peer whose shard is down are
dialled in vain; larger: what was swallowed comes later."""

LINK_SILENCE_SECONDS: Final = 5.0

LINK_BATCH_OVERHEAD_BYTES: Final = 4 * KIB
"""What a batch weighs in a link's window beside its rows. Smaller: unbounded numbers of empty batches in flight."""

STREAM_QUEUE_MAX: Final = 8
"""Frames waiting between the shards' readers and one stream. Larger: memory; smaller: readers idle meanwhile."""

BATCHES_PER_READ: Final = 64
"""Headers of batches read from a shard at a time. Smaller: more statements while catching up."""

ACKNOWLEDGE_INTERVAL_SECONDS: Final = 0.004
"""Least time between two acknowledgements on a stream. Smaller: more messages; larger: windows open later."""

ACKNOWLEDGE_PERSIST_SECONDS: Final = 0.2
"""Least time between two durable notes of a peer's acknowledgements. Smaller: more flushes; larger: a longer log."""

STREAMS_PER_PEER_MAX: Final = 16
"""Replication streams one region may have open to a node. Smaller: a region of many nodes is refused."""

FOREIGN_CAPTURE_POLL_SECONDS: Final = 0.1
"""How often a node looks for batches that another node of its region captured. Larger: those travel later."""

KEEPALIVE_SECONDS: Final = 10.0
KEEPALIVE_TIMEOUT_SECONDS: Final = 5.0
"""How often an idle gRPC connection is probed, and how long an answer may take. Smaller: pings cost; larger: a dead
machine is noticed late."""

DIAL_SECONDS_MAX: Final = 3.0
"""How long opening a stream to a peer may take. Smaller: far regions are never reached; larger: a hang hides."""

REPLY_GRACE_SECONDS: Final = 1.0
"""How much longer than the deadline a caller waits for the answer. Smaller: answers in time are lost on the way."""

STOP_GRACE_SECONDS: Final = 2.0
"""How long calls in flight may go on when a node stops. Larger: slow restarts; smaller: more unknown outcomes."""

REQUESTS_PER_STREAM_MAX: Final = 64
"""Requests of one client stream in progress at a time; more wait in the transport. Larger: memory under a burst."""

REFUSAL_TOLD_SECONDS: Final = 30.0
"""How long status tells the last thing refused from a peer. Smaller: it flickers between attempts; larger: stale."""

LAG_SAMPLES: Final = 512
"""Recent batches over which a peer's lag quantiles are computed. Smaller: p99 is noise; larger: slow to forget."""

# -- a shard's store ----------------------------------------------------------------------------------------------

REPLICATED_ROW_BYTES_MAX: Final = 16 * MIB
"""One row as it travels: contexts, state and document. Smaller: a record whose concurrent writes add up cannot leave
its shard; larger: a hostile peer makes the receiver hold as much."""

SHARD_WRITE_CONNECTIONS: Final = 4
"""Connections that run group commits, a store. Fewer than lanes: lanes wait for each other; more: idle backends."""

SHARD_READ_CONNECTIONS: Final = 4
"""Connections that run reads, a store. Fewer than reads in flight: reads queue before they reach Postgres."""

SHARD_APPLY_CONNECTIONS: Final = 2
"""Connections that join remote rows, a store; each has a staging table of its own. One joins at a time. Smaller: the
next attempt waits for one that hangs to be given up; larger: idle backends."""

SHARD_STREAM_CONNECTIONS: Final = 8
"""Connections that stream batches and scans, a store. Each may be held as long as its slowest reader takes; fewer:
one slow peer delays the others."""

SHARD_CONTROL_CONNECTIONS: Final = 3
"""Connections for captures, leases, ownership and figures, a store."""

SHARD_CONNECT_SECONDS_MAX: Final = 5.0
"""How long connecting to a shard may take. Smaller: a busy server looks dead; larger: a dead one is noticed late."""

SHARD_STATEMENT_SECONDS_MAX: Final = 30.0
"""How long a shard may take for one answer. Smaller: a stalled disk looks like an outage; larger: a connection that
died without a word blocks its lane for as long."""

SHARD_FAREWELL_SECONDS_MAX: Final = 1.0
"""How long a connection may take to end in good order. Smaller: statements that nobody waits for run on; larger:
closing a store waits for a dead server."""

SHARD_CONNECTION_AGE_SECONDS: Final = 1_800.0
"""After this long a connection is replaced when it is next idle. Larger: a session's staging table holds back the
server's transaction-id horizon, and statement caches only grow; smaller: needless connecting."""

SHARD_STREAM_PIECES: Final = 4
"""Pieces a stream reads ahead of its consumer. Larger: memory; smaller: Postgres waits for each piece."""

SHARD_STREAM_SECONDS_MAX: Final = 300.0
"""How long streaming one batch may take, slow reader included. Larger: its snapshot holds back vacuum for as long;
smaller: a large batch never gets through a thin link."""

SHARD_SCAN_ROWS: Final = 1_000
"""Rows in one chunk of a scan. Larger: memory and slower first chunk; smaller: more round trips."""

SHARD_CONFLICT_ATTEMPTS: Final = 5
"""Repeats of a transaction that Postgres ended for a deadlock or a serialization failure, before ``Unavailable``."""

MERGES_PER_TURN: Final = 64
"""Records merged in Python before other tasks get their turn. Larger: a heal that finds both sides changed stalls the
node; smaller: the turns cost more than the merges."""

COLLECT_ROWS: Final = 10_000
"""Log rows deleted in one transaction. Larger: longer locks and WAL bursts; smaller: more flushes."""

MIGRATION_LOCK_SECONDS: Final = 10
"""How long a migration waits for a table lock before it gives up, so that writers do not queue behind it."""

# -- clocks -------------------------------------------------------------------------------------------------------

CLOCK_AHEAD_MAX_MS: Final = 60_000
"""A remote timestamp further ahead of the local wall clock is refused: it would win every ``lww`` for that long."""

CLOCK_BOUND_AHEAD_MS: Final = 2_000
"""How far ahead the persisted upper bound of a region's clock is kept. Larger: the clock may jump so far at a
restart; smaller: the bound is written more often."""

CLOCK_STEP_AHEAD_MS: Final = 2
"""How far the bound is raised above a hybrid clock that is itself ahead of the wall clock: each step has room for
65,536 timestamps. Larger: many starts in a row, each above the bound of the one before, drive the clock ahead."""

# -- the keyspace -------------------------------------------------------------------------------------------------

INITIAL_RANGES_PER_SHARD: Final = 4
"""Ranges of each zone that a shard gets in the first map. One: nothing to move without a split; many: a long map."""

# -- the catalog --------------------------------------------------------------------------------------------------

CATALOG_CONNECTIONS_MAX: Final = 2
"""Connections of a node to its region's catalog. Larger: every node holds more of them idle for a rare use."""

CATALOG_SECONDS_MAX: Final = 5.0
"""One statement of the catalog, or one connection to it. Smaller: a failover of it looks like an outage."""

SHARD_MAP_VERSIONS_KEPT: Final = 64
"""Past versions of the shard map in the catalog, for people. Larger: every one holds the whole map."""

# -- starting up --------------------------------------------------------------------------------------------------

PREFLIGHT_SECONDS_MAX: Final = 5.0
"""How long a configured database may take to answer before `atoll up`. Smaller: a waking one looks dead."""

# -- Postgres servers that the launcher starts --------------------------------------------------------------------

SERVER_CREATE_SECONDS_MAX: Final = 120.0
"""How long ``initdb`` may take. Smaller: a busy machine cannot create many servers at once; larger: a hang hides."""

SERVER_START_SECONDS_MAX: Final = 60.0
"""From spawn to a connection that answers, crash recovery included. Smaller: a long recovery is cut off."""

SERVER_STOP_SECONDS_MAX: Final = 15.0
"""How long a fast shutdown may take before it becomes an immediate one. Smaller: needless recoveries."""

SERVER_ABORT_SECONDS_MAX: Final = 8.0
"""How long an immediate shutdown or a kill may take. Below five: Postgres has not yet killed its own children."""

SERVER_LAUNCHES_AT_ONCE: Final = 8
"""Servers created or started at the same time. Larger: each one is slow enough to run into its deadline."""

SERVER_PORT_ATTEMPTS_MAX: Final = 8
"""Ports tried before the start fails. Smaller: unlucky on a crowded machine; larger: a wrong setting hides."""

SERVER_LOG_BYTES_MAX: Final = 8 * MIB
"""A log file above this is put aside (one is kept) at the next start. Smaller: the history of a crash is lost."""

SERVER_LOG_LINES_QUOTED: Final = 12
"""Last lines of the log in the error of a failed start. Smaller: the cause scrolls out; larger: nobody reads it."""

DOCKER_ANSWER_SECONDS_MAX: Final = 2.0
"""How long a Docker engine may take to answer a ping. Larger: a machine without one waits for nothing."""

# -- the supervisor and its node processes ------------------------------------------------------------------------

RESTART_SECONDS_MIN: Final = 0.25
RESTART_SECONDS_MAX: Final = 10.0
RESTART_FORGIVEN_SECONDS: Final = 30.0
"""Pause before a process that died is started again: doubles between the bounds, and begins anew for one that ran
for ``FORGIVEN``. Too small: a broken process burns the machine; too large: an outage lasts longer than its cause."""

START_ATTEMPTS_MAX: Final = 3
"""Deaths of one node while the ring starts before the start is given up. Larger: a mistake is told late."""

RING_READY_SECONDS_MAX: Final = 60.0
"""From the last Postgres that answers to the last node that is ready. Smaller: a busy machine cannot start."""

NODE_STOP_SECONDS_MAX: Final = 10.0
"""How long a node may finish what it has begun before it is killed, which loses nothing acknowledged."""

RING_STOP_SECONDS_MAX: Final = 45.0
"""How long ``atoll down`` waits for the supervisor before it ends every process itself. Below the sum of the node's
and the servers' own bounds: a slow but orderly stop is cut off."""

PROCESS_LOG_BYTES_MAX: Final = 16 * MIB
"""A log of a node or the supervisor above this is put aside (one is kept) when the process starts. Smaller: the
history of a crash is lost."""

HTTP_DRAIN_SECONDS_MAX: Final = 1.0
"""How long open HTTP requests may go on when a node stops. Larger: a hanging scraper delays the stop."""

READY_ANSWER_SECONDS_MAX: Final = 2.0
"""How long a shard may take to answer the readiness question. Larger: a load balancer notices an outage late."""

STATUS_SECONDS_MAX: Final = 3.0
"""How long one shard may take to tell its figures. Larger: `atoll status` waits for the dead."""

CONTROL_SECONDS_MAX: Final = 5.0
"""How long a node may take to answer an operator. Above ``STATUS_SECONDS_MAX``, or a dead shard hides its node."""
