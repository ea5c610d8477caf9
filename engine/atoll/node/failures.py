"""Where an unforeseen failure of a background part goes: to the event loop's exception handler, never to nowhere."""

from __future__ import annotations

import asyncio


def report_failure(where: str, error: BaseException) -> None:
    """Tell the loop's exception handler (which logs by default) of a failure that the part survives."""
    message = f"{where} failed and goes on"
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
