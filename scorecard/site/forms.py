"""The one form that sets something in motion: a token binds it to the browser that was shown the page."""

from __future__ import annotations

import hmac
import secrets

from flask import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE = "scorecard_form"
FIELD = "token"
_HOURS = 12


class Forms:
    """Signs form tokens.

    A random value stands in a SameSite=Strict cookie, the same value signed and dated in the form; another site can
    neither read the one nor make the other.
    """

    def __init__(self, key: str) -> None:
        self._signer = URLSafeTimedSerializer(key, salt="scorecard.site.form")

    def token(self, request: Request) -> tuple[str, str]:
        """The browser's value, kept from its cookie or new, and the signed token of it for the form."""
        value = request.cookies.get(COOKIE, "")
        if not 20 <= len(value) <= 64:  # noqa: PLR2004 - what token_urlsafe(24) makes, with room
            value = secrets.token_urlsafe(24)
        return value, str(self._signer.dumps(value))

    def remember(self, response: Response, value: str, *, secure: bool) -> Response:
        """Set the browser's value."""
        response.set_cookie(
            COOKIE, value, max_age=_HOURS * 3600, httponly=True, samesite="Strict", secure=secure, path="/"
        )
        return response

    def genuine(self, request: Request) -> bool:
        """Whether a POST comes from a form of ours, shown to this browser within twelve hours."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return False
        try:
            value = self._signer.loads(request.form.get(FIELD, ""), max_age=_HOURS * 3600)
        except BadData:
            return False
        cookie = request.cookies.get(COOKIE, "")
        return isinstance(value, str) and hmac.compare_digest(value.encode(), cookie.encode())
