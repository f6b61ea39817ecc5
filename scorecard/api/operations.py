"""What an operation of the API is: one declaration from which the route, the OpenAPI document and the page are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from scorecard.serving import Deps
from scorecard.store import Token


class NoQuery(BaseModel):
    """An operation without query parameters: any is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q]):
    """One request, read and validated."""

    deps: Deps
    now: datetime
    """The instant at which everything is answered."""
    query: Q
    path: Mapping[str, str]
    body: Any = None
    """The JSON body; None for an operation without one."""
    if_match: str = ""
    if_none_match: str = ""
    token: Token | None = None
    """What was shown with the request, for an operation that needs one: known, and active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an operation answers, where it is more than 200 and a body."""

    body: Any
    """A model, or a plain document of the shape that the operation declares; None for no content."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    next: str = ""
    """The cursor of the following page."""


Handler = Callable[[Call[Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one path."""

    method: str
    path: str
    """In OpenAPI's notation: `/api/v1/services/{name}`."""
    handler: Handler
    tag: str
    query: type[BaseModel]
    answer: type[BaseModel] | None
    """The body's shape; None for no content, or where `media_type` is not JSON."""
    status: int
    statuses: Mapping[int, str]
    """Further statuses of success, with what they mean."""
    body: Callable[[], Mapping[str, Any]] | None
    """Makes the JSON Schema of the request's body, which only who describes or takes one needs."""
    media_type: str
    problems: tuple[str, ...]
    """The problems that this operation may answer, besides those that all may."""
    curl: str
    """Arguments of an example: `-X POST 'http://…'` is made from them."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """A body, for the example."""
    needs_token: bool = False
    """It is done only for who shows a token of the service, whatever the sign-in."""
    shown_once: bool = False
    """The answer holds a secret: a repeated request gets no second look at it."""

    @property
    def id(self) -> str:
        """The handler's name; stable."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[2].strip()

    @property
    def route(self) -> str:
        """The path in Flask's notation."""
        return self.path.replace("{", "<").replace("}", ">")


def operation(  # noqa: PLR0913 - what an operation declares
    method: str,
    path: str,
    *,
    tag: str,
    answer: type[BaseModel] | None = None,
    query: type[BaseModel] = NoQuery,
    status: int = 200,
    statuses: Mapping[int, str] | None = None,
    body: Callable[[], Mapping[str, Any]] | None = None,
    media_type: str = "application/json",
    problems: tuple[str, ...] = (),
    curl: str = "",
    example: Mapping[str, Any] | None = None,
    needs_token: bool = False,
    shown_once: bool = False,
) -> Callable[[Handler], Operation]:
    """Declare an operation; the handler's docstring is its summary and description."""

    def declare(handler: Handler) -> Operation:
        return Operation(
            method=method,
            path=path,
            handler=handler,
            tag=tag,
            query=query,
            answer=answer,
            status=status,
            statuses=statuses or {},
            body=body,
            media_type=media_type,
            problems=problems,
            curl=curl,
            example=example or {},
            needs_token=needs_token,
            shown_once=shown_once,
        )

    return declare
