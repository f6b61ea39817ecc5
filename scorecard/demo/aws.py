"""A small AWS on loopback: what it answers is data, how it answers is botocore's model, and both are checked.

`Endpoint` holds answers by account and operation. An answer that does not fit the operation's output shape is refused
before it is sent, so that no probe is taught an AWS that does not exist.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from botocore.validate import ParamValidator

from scorecard.demo.aws_protocol import Asked, NotUnderstoodError, Written, read_request, write_answer, write_error

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

KEY = "AKIADEMO"
"""The access key of whoever has taken no role yet."""
_STATUS = {200: "200 OK", 400: "400 Bad Request", 403: "403 Forbidden", 404: "404 Not Found", 429: "429 Too Many"}

Parameters = Mapping[str, Any]
Answer = Callable[[Parameters], Mapping[str, Any]]


class AwsRefusal(Exception):  # noqa: N818 - said as it is
    """AWS says no: `AwsRefusal("NoSuchBucketPolicy", "…", 404)`."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(message or code)
        self.code, self.status = code, status


@dataclass
class Endpoint:
    """Every account's AWS behind one address, path style."""

    clock: Callable[[], datetime]
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    """(account, `rds:DescribeDBInstances`) to what answers it."""
    denied: set[str] = field(default_factory=set)
    """Operations that nobody may use, or `*`."""
    throttled: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    """Access keys that have expired; every role taken has a key of its own."""
    wrong: list[str] = field(default_factory=list)
    """Answers that AWS could not have given; a test looks that there are none."""
    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often, by (account, region, operation)."""
    before: Callable[[Asked], None] = lambda _asked: None
    """Called before an answer is made; may raise `AwsRefusal`."""
    _keys: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, account: str, operation: str, answer: Answer | Mapping[str, Any]) -> None:
        """Have `operation` (`rds:DescribeDBInstances`) of an account answered."""
        self.answers[account, operation] = answer if callable(answer) else lambda _parameters: answer

    def list(
        self, account: str, operation: str, items: str, values: Iterable[Mapping[str, Any]], *, page: int = 100
    ) -> None:
        """Have an operation list values, page by page, by the tokens that botocore's paginator knows."""
        kept = tuple(values)
        token_in, token_out = _tokens(operation)

        def answer(parameters: Parameters) -> Mapping[str, Any]:
            start = int(parameters.get(token_in) or 0)
            part = list(kept[start : start + page])
            more = {token_out: str(start + page)} if start + page < len(kept) else {}
            return {items: part, **more}

        self.on(account, operation, answer)

    # --- as a server --------------------------------------------------------------------------------------------------

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = str(environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")[0]
        written = self._written(environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], headers, body)
        all_headers = [*written.headers.items(), ("Content-Length", str(len(written.body)))]
        start_response(_STATUS.get(written.status, f"{written.status} "), all_headers)
        return [written.body]

    def _written(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Written:
        try:
            asked = read_request(method, path, query, headers, body)
        except (NotUnderstoodError, KeyError, ValueError) as error:
            return write_error(None, 400, "InvalidAction", str(error))
        try:
            return write_answer(asked.operation, checked(asked, self._answer(asked)))
        except AwsRefusal as refusal:
            return write_error(asked.operation, refusal.status, refusal.code, str(refusal))
        except Exception as error:  # noqa: BLE001 - a mistake in the answers, told to whoever wrote them
            self.wrong.append(f"{asked.name}: {type(error).__name__}: {error}")
            return write_error(asked.operation, 500, "InternalFailure", self.wrong[-1])

    def _answer(self, asked: Asked) -> Mapping[str, Any]:
        account = account_of(asked.key)
        with self._lock:
            self.asked[account, asked.region, asked.name] += 1
        if asked.key in self.expired:
            raise AwsRefusal("ExpiredTokenException", "The security token included in the request is expired", 400)
        self.before(asked)
        if asked.name == "sts:AssumeRole":
            return self._role(asked)
        if not {asked.name, "*"}.isdisjoint(self.denied):
            words = f"User: arn:aws:sts::{account}:assumed-role/scorecard is not authorized to perform: {asked.name}"
            raise AwsRefusal("AccessDeniedException", words, 403)
        if not {asked.name, "*"}.isdisjoint(self.throttled):
            raise AwsRefusal("ThrottlingException", "Rate exceeded", 400)
        answer = self.answers.get((account, asked.name))
        if answer is None:
            return empty(asked)
        return answer(asked.parameters)

    def _role(self, asked: Asked) -> Mapping[str, Any]:
        account = str(asked.parameters["RoleArn"]).split(":")[4]
        with self._lock:
            self._keys += 1
            key = f"ASIA{account}K{self._keys:04d}"
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": "demo",
                "SessionToken": "demo",
                "Expiration": self.clock().astimezone(UTC) + timedelta(hours=1),
            }
        }


def account_of(key: str) -> str:
    """The account that a taken role's access key belongs to; empty for the own credentials."""
    return key[4:16] if key.startswith("ASIA") else ""


def checked(asked: Asked, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, if it is one that AWS could have given.

    Raises:
        ValueError: it does not fit the operation's output shape.
    """
    shape = asked.operation.output_shape
    if shape is None:
        return {}
    report = ParamValidator().validate(dict(answer), shape)
    unknown = [key for key in answer if key not in shape.members]
    if report.has_errors() or unknown:
        raise ValueError(f"{asked.name}: {report.generate_report()} {unknown}")
    return answer


def empty(asked: Asked) -> Mapping[str, Any]:
    """What AWS answers where there is nothing: empty lists, or a refusal where one thing is asked for by its name."""
    missing = {
        "s3:GetBucketPolicy": AwsRefusal("NoSuchBucketPolicy", "The bucket policy does not exist", 404),
        "s3:GetBucketEncryption": AwsRefusal("NoSuchBucket", "The specified bucket does not exist", 404),
        "dynamodb:DescribeTable": AwsRefusal("ResourceNotFoundException", "Requested resource not found", 400),
        "ecs:ListTasks": AwsRefusal("ClusterNotFoundException", "Cluster not found.", 400),
        "elbv2:DescribeTargetHealth": AwsRefusal("TargetGroupNotFound", "One or more target groups not found", 400),
        "elbv2:DescribeListeners": AwsRefusal("LoadBalancerNotFound", "One or more load balancers not found", 400),
    }
    if asked.name in missing:
        raise missing[asked.name]
    shape = asked.operation.output_shape
    return {name: [] for name, member in (shape.members if shape else {}).items() if member.type_name == "list"}


def _tokens(operation: str) -> tuple[str, str]:
    import botocore.session

    service, _, name = operation.partition(":")
    loader = botocore.session.get_session().get_component("data_loader")
    found = loader.load_service_model(service, "paginators-1")["pagination"].get(name)
    return (str(found["input_token"]), str(found["output_token"])) if found else ("", "")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def get_environ(self) -> dict[str, Any]:
        """With the path as it was sent: an ARN in it carries encoded slashes."""
        return {**super().get_environ(), "RAW_URI": self.path}

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[str]:
    """The endpoint on a free port of loopback; its address.

    A forked worker has no thread that serves: at its end it must not wait for one.
    """
    process = os.getpid()
    server = make_server("127.0.0.1", 0, endpoint, server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        if os.getpid() == process:
            server.shutdown()
            server.server_close()
            thread.join()


__all__ = ["KEY", "AwsRefusal", "Endpoint", "account_of", "serving"]
