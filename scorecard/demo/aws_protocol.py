"""AWS's protocols as a server speaks them, by botocore's own models: requests are read, answers written.

A stand-in that wrote its answers by hand would speak as its author remembers; this one takes every name, place and
format from the model that boto3 reads them with. Whoever answers returns what boto3 is to give back, as a dict.

https://smithy.io/2.0/aws/protocols/
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from botocore.model import OperationModel, ServiceModel, Shape

_SIGNERS = {
    "application-autoscaling": "application-autoscaling",
    "autoscaling": "autoscaling", "backup": "backup", "codedeploy": "codedeploy", "codepipeline": "codepipeline",
    "dynamodb": "dynamodb", "ec2": "ec2", "ecs": "ecs", "elasticache": "elasticache", "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2", "es": "opensearch", "kms": "kms", "lambda": "lambda", "logs": "logs",
    "monitoring": "cloudwatch", "rds": "rds", "s3": "s3", "secretsmanager": "secretsmanager", "sns": "sns",
    "sqs": "sqs", "ssm": "ssm", "sts": "sts", "tagging": "resourcegroupstaggingapi",
}  # fmt: skip
"""The name that a request is signed for to botocore's name of the service."""
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, understood."""

    key: str
    """The access key that signed it."""
    region: str
    operation: OperationModel
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`rds:DescribeDBInstances`."""
        return f"{self.operation.service_model.service_name}:{self.operation.name}"


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as it goes over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotUnderstoodError(Exception):
    """The request is not one of a service that is known here."""


@cache
def service_model(name: str) -> ServiceModel:
    """The model of a service, as botocore has it."""
    import botocore.session

    return botocore.session.get_session().get_service_model(name)


# --- requests --------------------------------------------------------------------------------------------------------


def read_request(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """What is asked, and by whom.

    Args:
        method: GET and so on.
        path: as it was sent, percent-encoded.
        query: without its question mark.
        headers: names in lower case.
        body: the whole of it.

    Raises:
        NotUnderstoodError: it is not signed, or not a request of a known service.
    """
    signed = _CREDENTIAL.search(headers.get("authorization", ""))
    if signed is None or signed[3] not in _SIGNERS:
        raise NotUnderstoodError(f"{method} {path} is signed for nothing that is known here")
    model = service_model(_SIGNERS[signed[3]])
    protocol = model.resolved_protocol
    if protocol in {"query", "ec2"}:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = model.operation_model(fields["Action"])
        parameters = _from_fields(operation.input_shape, fields, "", ec2=protocol == "ec2")
    elif protocol == "json":
        operation = model.operation_model(headers["x-amz-target"].rpartition(".")[2])
        parameters = json.loads(body or b"{}")
    elif protocol == "smithy-rpc-v2-cbor":
        operation = model.operation_model(path.rpartition("/")[2])
        parameters = _Cbor(body).read() if body else {}
    else:
        operation, parameters = _rest(model, method, path, query, body, headers)
    return Asked(signed[1], signed[2], operation, parameters or {})


def _from_fields(shape: Shape | None, fields: Mapping[str, str], prefix: str, *, ec2: bool) -> Any:  # noqa: ANN401 - by the shape
    """A form's fields as the parameters that they were made of; None where there are none."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            value = _from_fields(member, fields, f"{prefix}{_field(name, member, ec2=ec2)}.", ec2=ec2)
            if value is not None:
                found[name] = value
        return found or None
    if shape.type_name == "list":
        flat = ec2 or shape.serialization.get("flattened")
        wrapper = prefix if flat else f"{prefix}{shape.member.serialization.get('name', 'member')}."
        values: list[Any] = []
        while (value := _from_fields(shape.member, fields, f"{wrapper}{len(values) + 1}.", ec2=ec2)) is not None:
            values.append(value)
        return values or None
    text = fields.get(prefix.rstrip("."))
    return None if text is None else _scalar(shape, text)


def _field(name: str, member: Shape, *, ec2: bool) -> str:
    given = member.serialization.get("queryName")
    if ec2 and not given:
        found = str(member.serialization.get("name", name))
        return found[:1].upper() + found[1:]
    if member.type_name == "list" and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name", given or member.serialization.get("name", name)))
    return str(given or member.serialization.get("name", name))


def _scalar(shape: Shape, text: str) -> Any:  # noqa: ANN401 - by the shape
    if shape.type_name in {"integer", "long"}:
        return int(text)
    if shape.type_name in {"float", "double"}:
        return float(text)
    return text == "true" if shape.type_name == "boolean" else text


def _rest(
    model: ServiceModel, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
) -> tuple[OperationModel, dict[str, Any]]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    candidates = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        uri, _, fixed = operation.http["requestUri"].partition("?")
        wanted = dict(parse_qsl(fixed, keep_blank_values=True))
        match = _template(uri).fullmatch(path)
        fits = operation.http["method"] == method and wanted.items() <= given.items() and _asks_for(operation, given)
        if match and fits:
            candidates.append((len(wanted), -len(match.groupdict()), name, match.groupdict()))
    if not candidates:
        raise NotUnderstoodError(f"{method} {path}?{query} is no operation of {model.service_name}")
    _, _, name, in_path = max(candidates, key=lambda one: one[:3])
    operation = model.operation_model(name)
    parameters: dict[str, Any] = json.loads(body) if body and model.resolved_protocol == "rest-json" else {}
    for member, shape in (operation.input_shape.members if operation.input_shape else {}).items():
        place, named = shape.serialization.get("location"), shape.serialization.get("name", member)
        if place == "uri" and named in in_path:
            parameters[member] = unquote(in_path[named])
        elif place == "querystring" and named in given:
            parameters[member] = _scalar(shape, given[named])
        elif place == "header" and named.lower() in headers:
            parameters[member] = _scalar(shape, headers[named.lower()])
    return operation, parameters


def _asks_for(operation: OperationModel, given: Mapping[str, str]) -> bool:
    """Whether all is there that the operation must have in its query: `ListParts` has the address of `GetObject`."""
    shape = operation.input_shape
    members = [shape.members[name] for name in shape.required_members] if shape else []
    in_query = [one for one in members if one.serialization.get("location") == "querystring"]
    return all(one.serialization["name"] in given for one in in_query)


@cache
def _template(uri: str) -> re.Pattern[str]:
    parts = re.split(r"\{([^}]+)\}", uri)
    pattern = ""
    for at, part in enumerate(parts):
        pattern += f"(?P<{part.rstrip('+')}>{'.+' if part.endswith('+') else '[^/]+'})" if at % 2 else re.escape(part)
    return re.compile(f"{pattern}/?" if not uri.endswith("/") else pattern)


# --- answers ---------------------------------------------------------------------------------------------------------


def write_answer(operation: OperationModel, answer: Mapping[str, Any]) -> Written:
    """The answer, in the protocol of its service."""
    protocol = str(operation.service_model.resolved_protocol)
    shape = operation.output_shape
    if protocol in {"json", "rest-json"}:
        kind = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
        return Written(200, {"Content-Type": kind}, json.dumps(_plain(shape, answer)).encode())
    if protocol == "smithy-rpc-v2-cbor":
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        return Written(200, headers, _cbor(_typed(shape, answer)))
    told = _header_members(shape, answer) if protocol == "rest-xml" else {}
    return Written(200, {"Content-Type": "text/xml"} | told, _xml_body(operation, answer, protocol))


def _header_members(shape: Shape | None, answer: Mapping[str, Any]) -> dict[str, str]:
    """What the model has in headers; the length is the server's to tell."""
    found = {}
    for name, value in answer.items():
        member = shape.members[name] if shape else None
        if member is None or member.serialization.get("location") != "header" or name == "ContentLength":
            continue
        text = format_datetime(value.astimezone(UTC), usegmt=True) if isinstance(value, datetime) else _word(value)
        found[str(member.serialization["name"])] = text
    return found


def write_error(operation: OperationModel | None, status: int, code: str, message: str) -> Written:
    """A refusal, in the protocol of its service."""
    protocol = str(operation.service_model.resolved_protocol) if operation else "rest-json"
    if protocol in {"json", "rest-json"}:
        document = json.dumps({"__type": code, "message": message}).encode()
        return Written(status, {"Content-Type": "application/json", "x-amzn-ErrorType": code}, document)
    if protocol == "smithy-rpc-v2-cbor":
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        return Written(status, headers, _cbor({"__type": code, "message": message}))
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    whole = {
        "ec2": f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>0</RequestID></Response>",
        "rest-xml": f"<Error>{inner}</Error>",
    }
    text = whole.get(protocol, f"<ErrorResponse><Error>{inner}</Error><RequestId>0</RequestId></ErrorResponse>")
    return Written(status, {"Content-Type": "text/xml"}, text.encode())


def _plain(shape: Shape | None, value: Any) -> Any:  # noqa: ANN401 - by the shape
    """As JSON has it: names as the wire has them, times as seconds unless the model says otherwise."""
    return _jsonable(_typed(shape, value))


def _typed(shape: Shape | None, value: Any) -> Any:  # noqa: ANN401 - as above
    """With the names that the wire has."""
    if shape is None or value is None:
        return {}
    if shape.type_name == "structure":
        return {
            shape.members[name].serialization.get("name", name): _typed(shape.members[name], inner)
            for name, inner in value.items()
            if inner is not None
        }
    if shape.type_name == "list":
        return [_typed(shape.member, inner) for inner in value]
    if shape.type_name == "map":
        return {key: _typed(shape.value, inner) for key, inner in value.items()}
    return value


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _xml_body(operation: OperationModel, answer: Mapping[str, Any], protocol: str) -> bytes:
    shape = operation.output_shape
    if protocol == "rest-xml":
        payload = shape.serialization.get("payload") if shape else None
        if shape and payload and shape.members[payload].type_name in {"string", "blob"}:
            value = answer.get(payload, b"")
            return value if isinstance(value, bytes) else str(value).encode()
        if shape and payload:
            return _element(payload, shape.members[payload], answer.get(payload, {})).encode()
        return _element(operation.output_shape.name if shape else "Result", shape, answer).encode()
    inner = _members(shape, answer) if shape else ""
    if protocol == "query":
        wrapper = str(shape.serialization.get("resultWrapper", f"{operation.name}Result")) if shape else ""
        inner = f"<{wrapper}>{inner}</{wrapper}>" if wrapper else ""
        inner += "<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>"
    namespace = operation.service_model.metadata.get("xmlNamespace", "")
    return f'<{operation.name}Response xmlns="{namespace}">{inner}</{operation.name}Response>'.encode()


def _members(shape: Shape, value: Mapping[str, Any]) -> str:
    return "".join(
        _element(str(shape.members[name].serialization.get("name", name)), shape.members[name], inner)
        for name, inner in value.items()
        if inner is not None and shape.members[name].serialization.get("location") is None
    )


def _element(name: str, shape: Shape | None, value: Any) -> str:  # noqa: ANN401 - by the shape
    if shape is None:
        return f"<{name}/>"
    if shape.type_name == "structure":
        return f"<{name}>{_members(shape, value)}</{name}>"
    if shape.type_name == "list":
        item = str(shape.member.serialization.get("name", "member"))
        if shape.serialization.get("flattened"):
            return "".join(_element(name, shape.member, inner) for inner in value)
        return f"<{name}>{''.join(_element(item, shape.member, inner) for inner in value)}</{name}>"
    if shape.type_name == "map":
        pairs = "".join(
            f"<entry>{_element('key', shape.key, key)}{_element('value', shape.value, inner)}</entry>"
            for key, inner in value.items()
        )
        return f"<{name}>{pairs}</{name}>"
    return f"<{name}>{escape(_word(value))}</{name}>"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


# --- CBOR, as much of RFC 8949 as Smithy's RPC protocol has ----------------------------------------------------------


def _cbor(value: Any) -> bytes:  # noqa: ANN401, PLR0911 - one line a type
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, datetime):
        return b"\xc1\xfb" + struct.pack(">d", value.timestamp())
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, Mapping):
        return _head(5, len(value)) + b"".join(_cbor(key) + _cbor(inner) for key, inner in value.items())
    return _head(4, len(value)) + b"".join(map(_cbor, value))


def _head(kind: int, number: int) -> bytes:
    if number < 24:  # noqa: PLR2004 - RFC 8949, section 3
        return bytes([kind << 5 | number])
    return bytes([kind << 5 | 27]) + struct.pack(">Q", number)


class _Cbor:
    """Reads what botocore writes: definite and indefinite lengths, no tags but the one of times."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def read(self) -> Any:  # noqa: ANN401 - any value
        """The next value; `_END` at the end of an indefinite one."""
        first = self._take(1)[0]
        kind, low = first >> 5, first & 31
        if first == 0xFF:  # noqa: PLR2004 - "break"
            return _END
        if kind == 7:  # noqa: PLR2004 - simple values and floats
            if low in {26, 27}:
                return struct.unpack(">f" if low == 26 else ">d", self._take(4 if low == 26 else 8))[0]  # noqa: PLR2004
            return {20: False, 21: True}.get(low)
        length = None if low == 31 else self._number(low)  # noqa: PLR2004 - indefinite
        readers: dict[int, Callable[[], Any]] = {
            0: lambda: length,
            1: lambda: -1 - (length or 0),
            2: lambda: self._take(length or 0),
            3: lambda: self._take(length or 0).decode(),
            4: lambda: list(self._values(length)),
            5: lambda: dict(zip(*[iter(self._values(None if length is None else 2 * length))] * 2, strict=True)),
            6: self.read,
        }
        return readers[kind]()

    def _number(self, low: int) -> int:
        return low if low < 24 else int.from_bytes(self._take(1 << (low - 24)))  # noqa: PLR2004 - RFC 8949, section 3

    def _values(self, count: int | None) -> Iterable[Any]:
        while count is None or count > 0:
            value = self.read()
            if value is _END:
                return
            yield value
            count = None if count is None else count - 1


_END = object()
