"""What stands at the two ends of a lossy link: servers on many addresses, and a scorecard that probes and judges them.

`far ADDRESS…` serves `200 ok` on port 80 of each address and prints a line when it listens. `near CONTROL DEADLINE
ADDRESS…` reads a line for each run it shall make, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from datetime import UTC, datetime, timedelta

from checks.health_endpoints import Limits, row
from scorecard import logging
from scorecard.checklist import ChecklistRow
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.evidence.health import HealthEndpoints
from scorecard.judge import Seen, judge_check
from scorecard.model import Health, Service, ServiceKey, ServiceType, Spec
from scorecard.probes.http import HealthProbe
from scorecard.run import Runner
from scorecard.telemetry import Telemetry

PORT = 80
SERVICES = 200
_START = datetime(2026, 11, 24, tzinfo=UTC)
_LIVENESS = next(check for check in row.checks if check.id == "liveness")
_ROW = ChecklistRow(
    id="health-endpoints",
    row=row,
    risk=row.risk,
    types=frozenset(ServiceType),
    needs_state=False,
    limits=Limits(),
    checks=(_LIVENESS,),
)
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(_REPLY)
        await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def far(addresses: list[str]) -> None:
    """Serve until we are killed."""
    for address in addresses:
        await asyncio.start_server(_answer, address, PORT, backlog=512)
    print("listening", flush=True)  # noqa: T201 - its one line
    await asyncio.Event().wait()


def near(control: str, deadline: float, addresses: list[str]) -> None:
    """Make a run for each line that comes."""
    turn = 0
    logging.configure(stream=io.StringIO())  # what goes to standard output is ours

    def clock() -> datetime:
        return _START + timedelta(minutes=turn)

    policy = AddressPolicy.of(["198.18.0.0/15"])
    prober = Prober(policy, Resolver(), ProberSettings(timeout=timedelta(seconds=deadline)), clock)
    probe = HealthProbe(prober, (f"http://{control}/livez",))
    runner = Runner([probe], clock=clock, telemetry=Telemetry(), pause=lambda _: None)
    urls = [f"http://{addresses[number % len(addresses)]}/livez" for number in range(SERVICES)]
    services = [Service(name=f"s-{number}", spec=Spec(health=Health(liveness=url))) for number, url in enumerate(urls)]
    known: dict[ServiceKey, Seen] = {}
    for _line in sys.stdin:
        turn += 1
        asked = runner.ask(services, known, frozenset({HealthEndpoints}))
        known = {key: one.seen for key, one in asked.items()}
        judged = {one.name: judge_check(_ROW, _LIVENESS, one, known[one.key], clock()) for one in services}
        told = {name: [one.status.value, one.cause.value if one.cause else ""] for name, one in judged.items()}
        missed = sum(1 for one in asked.values() for seen in one.new if not isinstance(seen.value, HealthEndpoints))
        run = {"suspect": probe.suspicion is not None, "blamed": missed, "judged": told}
        print(json.dumps(run), flush=True)  # noqa: T201 - one line for each run


if __name__ == "__main__":
    if sys.argv[1] == "far":
        asyncio.run(far(sys.argv[2:]))
    else:
        near(sys.argv[2], float(sys.argv[3]), sys.argv[4:])
