"""The command line's client of a running server: one session under the address policy, strict JSON, one deadline."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from scorecard.cli.problems import CannotTell, Refused

DEADLINE = 20.0
"""Seconds for one request in all."""
_FOLLOW_SECONDS = 120.0
_PAUSE = 0.5


class Client:
    """Asks the HTTP API. Whatever is wrong with the answer is `CannotTell`, exit 3: never a go."""

    def __init__(self, url: str, token: str = "") -> None:
        """Take the server's base address, and the token to show, where it asks for one.

        Raises:
            Refused: not an http or https address.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refused(f"--server: {url!r} is not an address such as https://scorecard.example.net")
        self.base = url.rstrip("/")
        self._session = session_to(parts.hostname, deadline=DEADLINE)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """GET `/api/v1` + path.

        Raises:
            CannotTell: no answer, no success, or not what the API says.
            Refused: the server says that a parameter is wrong.
        """
        return self._ask("GET", path, query)

    def post(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """POST, as `get`."""
        return self._ask("POST", path, query)

    def send(self, method: str, path: str, body: object = None, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """Change something: the server's answer, a mapping.

        Raises:
            Refused: the server says that what was sent, or who sent it, is not accepted.
            CannotTell: no answer, or not what the API says.
        """
        answer = self._ask(method, path, query, body=body, changing=True)
        if not isinstance(answer, dict):
            raise CannotTell(f"{method} {path}: the answer is no mapping; is {self.base} a scorecard?")
        return answer

    def run_to_end(self, run: Any) -> None:  # noqa: ANN401 - a run as the API has it
        """Wait until a run is done.

        Raises:
            CannotTell: it takes too long, or the server stops answering.
        """
        until = time.monotonic() + _FOLLOW_SECONDS
        while member(run, "state", str) == "running":
            if time.monotonic() > until:
                raise CannotTell(f"run {run['id']} has not ended within {_FOLLOW_SECONDS:.0f} s")
            time.sleep(_PAUSE)
            run = self.get(f"/runs/{member(run, 'id', int)}")

    def _ask(
        self, method: str, path: str, query: dict[str, object], *, body: object = None, changing: bool = False
    ) -> Any:  # noqa: ANN401 - any JSON
        from scorecard.egress.errors import EgressError
        from scorecard.egress.strict_json import BadJsonError, read_json

        given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        url = f"{self.base}/api/v1{path}" + (f"?{urlencode(given)}" if given else "")
        try:
            response = self._session.request(method, url, headers=self._headers, json=body)
        except EgressError as error:
            raise CannotTell(error.message) from error
        status = response.status_code
        try:
            answer = read_json(response.content)
        except BadJsonError as error:
            raise CannotTell(f"{method} {url}: answered {status}, and {error}") from error
        if not 200 <= status < 300:  # noqa: PLR2004 - success
            told = _refusals(answer)
            message = f"{method} {url}: answered {status}{f': {told}' if told else ''}"
            refused = status == 422 or (changing and 400 <= status < 500 and status != 429)  # noqa: PLR2004 - HTTP's own
            raise (Refused if refused else CannotTell)(message)
        return answer


def _refusals(answer: Any) -> str:  # noqa: ANN401 - any JSON
    """What a problem says: its detail, and where there are several things wrong, each with its place."""
    if not isinstance(answer, dict) or not isinstance(answer.get("detail"), str):
        return ""
    errors = answer.get("errors")
    if not isinstance(errors, list) or len(errors) < 2:  # noqa: PLR2004 - one is the detail itself
        return str(answer["detail"])
    lines = [
        f"{'.'.join(map(str, one['loc']))}: {one['message']}"
        for one in errors
        if isinstance(one, dict) and "loc" in one
    ]
    return "\n  ".join([str(answer["detail"]), *lines])


def member(body: Any, name: str, kind: type[Any]) -> Any:  # noqa: ANN401 - any JSON
    """A member of an answer.

    Raises:
        CannotTell: it is not there, or is of another kind.
    """
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise CannotTell(f"the server's answer has no {name} that is {kind.__name__}; is it a scorecard?")
    return value


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def session_to(host: str, **settings: Any) -> Any:  # noqa: ANN401 - PolicySession, imported late
    """A session that may go where the person said: the server that they named, wherever it is, and nowhere else.

    `settings` are those of `SessionSettings`.
    """
    from scorecard.egress.policy import AddressPolicy
    from scorecard.egress.resolver import Resolver
    from scorecard.egress.session import policy_session

    resolver = Resolver(deadline=5.0)
    addresses = resolver.resolve(host, 5.0).addresses
    return policy_session(AddressPolicy.of([a for a in addresses if "%" not in a]), resolver, **settings)
