"""Scripts whose clients carry knowledge from region to region: sessions that move, and news passed on out of band."""

from __future__ import annotations

from atoll.crdt.schema import Rule
from atoll.simulation.plan import Action
from atoll.simulation.workloads.stage import Player, Stage

STEPS_MAX = 5
"""Operations of one journey."""

PAUSE_SECONDS_MAX = 0.2
"""Longest pause between two steps; about the round trip around the world, so that a region is often asked for what it
has not received yet."""

MOVES = 0.5
"""Share of steps before which the client moves."""


REGRETS = 0.4
"""Share of a client's writes to a set that take back what it added before, often in another region."""


def travel(stage: Stage) -> None:
    """One client writes and reads two keys here and there: it must find its own writes and all that it has read.

    On sets it also takes back elements that it added: being unique, they must not come back.
    """
    added: dict[tuple[str, int], list[str]] = {}
    for at_seconds in stage.arrivals((2 + STEPS_MAX) / 2):
        player = stage.somebody()
        keys = [stage.key(), stage.key()]
        for _ in range(stage.random.randint(2, STEPS_MAX)):
            if stage.chance(MOVES):
                stage.move(player)
            key = stage.random.choice(keys)
            if stage.chance(max(stage.traffic.reads, 0.4)):
                stage.read(player, at_seconds, key)
            else:
                _write_or_regret(stage, player, at_seconds, key, added.setdefault((player.name, key), []))
            at_seconds = _later(stage, at_seconds)
            if at_seconds >= stage.seconds:
                break


def _write_or_regret(stage: Stage, player: Player, at_seconds: float, key: int, added: list[str]) -> None:
    if stage.rule is not Rule.ADD_WINS_SET:
        stage.write_new(player, at_seconds, key)
    elif added and stage.chance(REGRETS):
        stage.do(player, at_seconds, Action.REMOVE, key, added.pop())
    else:
        added.append(stage.value(player))
        stage.do(player, at_seconds, Action.ADD, key, added[-1])


def comment(stage: Stage) -> None:
    """One client posts and tells another, which reads the post elsewhere and comments on it in another record.

    A third reads the comment, then the post: no comment without its post.
    """
    for at_seconds in stage.arrivals(5.0):
        author, post, comments = stage.somebody(), stage.key(), stage.key()
        commenter = stage.somebody_elsewhere(author)
        reader = stage.somebody(author, commenter)
        stage.write_new(author, at_seconds, post, kind="posts")
        at_seconds = _later(stage, at_seconds)
        stage.read(commenter, at_seconds, post, kind="posts", hears=author)
        stage.write_new(commenter, at_seconds, comments, kind="comments")
        at_seconds = _later(stage, at_seconds)
        _read_both(stage, reader, at_seconds, post, comments)


def _read_both(stage: Stage, reader: Player, at_seconds: float, post: int, comments: int) -> None:
    if stage.chance(MOVES):
        stage.move(reader)
    stage.read(reader, at_seconds, comments, kind="comments")
    stage.read(reader, at_seconds, post, kind="posts")


def _later(stage: Stage, at_seconds: float) -> float:
    return at_seconds + stage.random.uniform(0.0, PAUSE_SECONDS_MAX)
