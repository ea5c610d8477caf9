"""What worker processes are given to do."""

from __future__ import annotations

import os
import signal
import time

from atoll.errors import InvalidConfiguration


def square(number: int) -> int:
    return number * number


def die_on_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def leave_on_zero(number: int) -> int:
    if number == 0:
        os._exit(7)
    return number


def hang_on_one(number: int) -> int:
    while number == 1:
        time.sleep(60)
    return number


def stumble(number: int) -> int:
    raise RuntimeError("the harness stumbled")


def refuse(number: int) -> int:
    raise InvalidConfiguration("no such region")


def interrupt_myself(number: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return number


def my_pid(number: int) -> int:
    return os.getpid()
