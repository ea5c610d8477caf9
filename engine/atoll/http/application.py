"""The routes of a node's HTTP door.

``GET /health/live``   200 as long as the event loop turns: restart the process only when this fails.
``GET /health/ready``  200 when the node can serve, else 503, with the reasons as JSON: send traffic by this one.
``GET /metrics``       the node's figures in the Prometheus text format.
"""

from __future__ import annotations

import asyncio

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atoll import limits
from atoll.http.health import Readiness, ReadinessCheck


def build_application(registry: CollectorRegistry, check: ReadinessCheck) -> Starlette:
    """The application of one node; it holds no state of its own."""

    async def live(_: Request) -> Response:
        return _json({"status": "live"}, 200)

    async def ready(_: Request) -> Response:
        readiness = await _answer(check)
        status = "ready" if readiness.is_ready else "not ready"
        body = {"status": status, "problems": readiness.problems, "warnings": readiness.warnings}
        return _json(body, 200 if readiness.is_ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[
            Route("/health/live", live, methods=["GET"]),
            Route("/health/ready", ready, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
        ]
    )


async def _answer(check: ReadinessCheck) -> Readiness:
    """The check's answer; a check that fails or hangs is an answer too."""
    try:
        async with asyncio.timeout(limits.READY_ANSWER_SECONDS_MAX):
            return await check()
    except TimeoutError:
        return Readiness({"node": f"no answer within {limits.READY_ANSWER_SECONDS_MAX:g} s"})
    except Exception as error:
        return Readiness({"node": f"{type(error).__name__}: {error}"})


def _json(body: object, status: int) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
