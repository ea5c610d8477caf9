"""The simulator's own bounds, each with what happens when it is too small or too large."""

from __future__ import annotations

from typing import Final

ANSWER_GRACE_SECONDS: Final = 5.0
"""After an operation's timeout, how long a client waits for the error that has to come. Smaller: an answer on its way
is taken for one that never comes. Larger: a client that hangs does less of its plan."""

MEETING_SECONDS_MAX: Final = 30.0
"""How long the nodes may take until all of them serve. Smaller: slow disks make a false alarm."""

SAMPLE_SECONDS: Final = 0.25
"""Simulated time between two looks at the whole ring. Smaller: slower runs. Larger: short peaks are missed."""

SENTENCES_MAX: Final = 10
"""Findings of one kind that are told one by one. Larger: reports nobody reads."""

# -- the loop -----------------------------------------------------------------------------------------------------

STEPS_PER_ROUND: Final = 4_096
"""Steps between two looks at the bounds of a run; also a block of the trace. Smaller: slower runs. Larger: a bound is
noticed later."""

STEPS_PER_INSTANT_MAX: Final = 2_000_000
"""Steps during which simulated time may stand still. Smaller: a burst after a long pause counts as a livelock.
Larger: a real livelock takes longer to be told."""

SIMULATED_SECONDS_MAX: Final = 7 * 86_400.0
"""The longest run. Larger: a run that waits for something that never comes ends late."""

REAL_SECONDS_MAX: Final = 600.0
"""The longest run on the watch of the person who waits for it. Smaller: slow machines fail good runs."""

CANCELLED_TIMERS_MAX: Final = 256
"""Cancelled timers that may stay in the heap, if they are also more than half of it. Smaller: the heap is rebuilt all
the time. Larger: timeouts that were met fill the memory."""

PENDING_TASKS_SHOWN_MAX: Final = 40
"""Waiting tasks that a deadlock names. Larger: a message nobody reads."""

PCT_STEPS: Final = 20_000
"""Choices among which PCT draws its change points. Larger: priorities hardly ever change in a short run."""

PCT_SPIN_MAX: Final = 1_000
"""Times that PCT chooses one lane on end before it must step back. Larger: code that yields until somebody else is
done wastes more of a run. Smaller: less than strict priorities."""

LOG_LINES_MAX: Final = 10_000
"""Log lines that a run keeps, the last ones. Larger: a node that logs in a loop fills the memory."""

FAULTS_OF_A_STORY_MAX: Final = 10_000
"""Faults that one story of a scenario may come to (a link that flaps). Larger: plans that nobody can shrink."""

SCENARIO_SECONDS_MAX: Final = 86_400.0
"""Simulated time that a scenario may ask for. Larger: a slip of the pen runs for days."""

OPERATIONS_PER_PLAN_MAX: Final = 1_000_000
"""Operations of one plan. Larger: histories no longer fit into memory."""

# -- the network --------------------------------------------------------------------------------------------------

STREAM_WINDOW_BYTES_MIN: Final = 64 * 1024
STREAM_WINDOW_BYTES_MAX: Final = 4 * 1024 * 1024
"""What may be on its way in one direction of one stream, unread: it begins at the least and doubles while the reader
waits for the network, as gRPC's estimate of the bandwidth-delay product does. Smaller: far links idle. Larger: a slow
reader lets more pile up."""

MESSAGE_OVERHEAD_BYTES: Final = 64
"""What a message weighs on the wire and in a window beside its payload. Zero: empty messages pile up for nothing."""

PACKET_BYTES: Final = 1_448
"""Payload of one packet; the share of lost packets counts these. Smaller: large messages are hit more often."""

RETRANSMIT_SECONDS_MIN: Final = 0.2
"""How long TCP waits beyond a round trip before it sends again, doubled each time. Smaller than Linux has it: cuts
heal faster than in the world."""

CONNECT_RETRANSMIT_SECONDS: Final = 1.0
"""The same for a connection that is being made, when the round trip is not known yet."""

RETRANSMISSIONS_MAX: Final = 8
"""Times in a row that chance may lose the same packet. Larger: no difference at any share of loss below a half."""

JITTER_HOLD_SECONDS: Final = 0.01
"""How long one direction of a connection keeps its present delay above the minimum. Zero: since order is kept, the
slowest packet of a busy stream would hold up all of it, all the time."""

NODE_ROUND_TRIP_MS: Final = 0.2
"""Between two machines of one region."""

RUN_REAL_SECONDS_MAX: Final = 900.0
"""Real time after which a sweep gives a run up as hung and its verdict as unknown. Smaller: long scenarios on a busy
machine are given up. Larger: an endless loop in a node keeps a worker for that long."""

# -- the checkers -------------------------------------------------------------------------------------------------

DECODED_RECORDS_MAX: Final = 2_048
"""Decoded states that the grey box keeps. Smaller: states are decoded again and again. Larger: memory."""

NEEDLE_BYTES_MIN: Final = 6
"""Values of restricted zones that are searched for in messages have at least this length. Smaller: bytes that are
equal by chance make a false alarm."""

NEEDLES_PER_ZONE_MAX: Final = 64
"""Last values of a restricted zone that are searched for. Larger: slower runs. Smaller: an old value may slip out."""

REPLAY_PATIENCE: Final = 32
"""A record is held against the specification in the middle of a run when so many-th part of its writes is new, so
that the work grows with the writes and not with their square. Smaller: less is compared. Larger: slower runs."""

DISCARDED_SHOWN_MAX: Final = 20
"""Discarded values of one field that are told one by one. Larger: reports nobody reads."""

# -- storage ------------------------------------------------------------------------------------------------------

DATABASE_LATENCY_MS_MIN: Final = 0.1
DATABASE_LATENCY_MS_MAX: Final = 0.3
"""One way between a process and its region's database server. Zero: races within a round trip do not happen."""

SERVER_CONNECTIONS_MAX: Final = 100
"""``max_connections`` of a simulated server, Postgres' default. Smaller: nodes are refused that would not be."""

IDLE_CLIENT_CHECK_SECONDS: Final = 0.02
"""How often a server looks whether the client of an open, idle transaction still lives. Larger: a dead client's locks
are held longer than its closed connection would hold them. Smaller: time is spent on looking."""

FAILOVER_LAG_SECONDS_MAX: Final = 60.0
"""How far a promoted replica may lag. Larger: more of the log is kept to make one."""

JOURNAL_TRIM_ENTRIES: Final = 4_096
"""Entries of the log before old ones are given up. Smaller: trimmed too often. Larger: memory."""

PREPARED_RECORDS_MAX: Final = 3
"""Records that a forgotten prepared transaction may hold locked. Larger: more writes wait for it."""

RECOVERY_SECONDS: Final = 15.0
"""How long after a fault on its own machines a region may still refuse: a client learns of a connection that died
without a word by a keepalive and its timeout. Smaller: false alarms. Larger: little is left to be judged."""

JUDGED_TIMEOUT_SECONDS_MIN: Final = 1.0
"""Operations with a shorter timeout may fail in a healthy region. Smaller: a slow disk makes a false alarm."""

OVERDUE_SECONDS: Final = 2.0
"""How long after its timeout an operation has to have ended: the client waits a second for an answer on its way.
Smaller: false alarms. Larger: a client that hangs for a moment is not noticed."""

REACHABLE_RANGES_MAX: Final = 4_096
"""Ranges in which the sum of a counter may lie, given increments of unknown outcome; beyond, neighbours are joined.
Smaller: an increment that counted twice is missed. Larger: counters with many unknown increments take seconds."""

# -- the real tier ------------------------------------------------------------------------------------------------

PROCESS_LOOK_SECONDS: Final = 0.1
"""How often a real process is asked whether it is ready. Smaller: the asking slows the starting. Larger: a run begins
later."""

REAL_SAMPLE_SECONDS: Final = 0.5
"""Between two looks at a real ring. Smaller: the looking costs what the ring could do. Larger: staleness is only
known so roughly."""

REAL_LOOK_SECONDS_MAX: Final = 2.0
"""How long a real node may take to say how it is before it counts as silent. Larger: one that stands still delays the
look at all."""

SETTLE_LOOK_SECONDS: Final = 0.05
"""How often a real ring is asked whether it agrees. Larger: convergence is only known so roughly."""

SETTLE_LOOKS: Final = 3
"""Looks in a row that must show the same cut everywhere. Fewer: a capture under way is missed."""

REAL_MEND_SECONDS_MAX: Final = 60.0
"""How long what was killed may take to serve again. Smaller: a busy machine makes a false alarm."""

PROBE_SECONDS_MAX: Final = 5.0
"""How long one question to the machine may take (whether it can make a network namespace). Larger: a run that hangs
before it begins."""
