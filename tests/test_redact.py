"""Nothing that looks like a secret leaves; what is not one stays readable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.redact import MARK, redact, redact_text, secret_key

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://bob:hunter2@example.net/x", "hunter2"),
        ("tool --token s3cr3tvalue --quiet", "s3cr3tvalue"),
        ("tool --db-password 's3cr3tvalue'", "s3cr3tvalue"),
        ("curl -sS -u bob:s3cr3tvalue https://example.net", "s3cr3tvalue"),
        ("<db.password>s3cr3tvalue</db.password>", "s3cr3tvalue"),
        ("password%3Ds3cr3tvalue%26a", "s3cr3tvalue"),
        ("DB_PASS=s3cr3tvalue", "s3cr3tvalue"),
        ("https://x.blob.example.net/c?sv=1&sig=s3cr3tvalue%3D&se=2", "s3cr3tvalue"),
        ("postgresql://app:p@ss@db:5432/x", "p@ss"),
        ("https://oauthtoken@example.net/", "oauthtoken"),
        ("Authorization: Basic dXNlcjpwdw==", "dXNlcjpwdw=="),
        ("'authorization': 'AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=abc'", "Signature=abc"),
        ("curl -H 'Authorization: Bearer s3cr3tvalue'", "s3cr3tvalue"),
        ("sent Bearer s3cr3t-value-1", "s3cr3t-value-1"),
        ("Set-Cookie: session=abcdef; Path=/", "abcdef"),
        ("key AKIAIOSFODNN7EXAMPLE was used", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        (f"id {JWT} end", "eyJzdWIiOiIxIn0"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEcut off", "MIIE"),
        ("ghp_0123456789abcdef0123456789abcdef0123", "ghp_0123"),
        ("glpat-0123456789abcdefghij", "glpat-0123"),
        ("xoxb-0123456789-abcdef", "xoxb-0123"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "T000"),
        ("hvs.0123456789abcdefghijklmn", "hvs.0123"),
        ("sk_live_0123456789abcdef", "sk_live_0123"),
        ('{"api_key": "canary"}', "canary"),
        ("?token=canary&page=2", "canary"),
        ("DB_PASSWORD: 'can ary'", "can ary"),
        ("X-Amz-Signature=canary&x=1", "canary"),
        ("password = canary", "canary"),
    ],
)
def test_a_secret_is_taken_out_of_text(text: str, secret: str) -> None:
    assert secret not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "bearer authentication required",
        "scorecard push --token-file /run/secrets/token",
        "tool --token $TOKEN",
        "12 pass: 3 warn",
        "openssl s_client -connect h:443 -servername h -showcerts",
        "curl -sS -i --max-time 5 'https://payments.example.net/livez'",
        "basic requirements are met",
        "secret_arn=arn:aws:secretsmanager:eu-west-1:1:secret:x",
        "token_ttl: 30s",
        "PASSWORD=${DB_PASSWORD}",
        "primary_key=3",
        "https://example.net/a@b",
        "all 3 healthy targets are in apse2-az1",
        "GET https://payments.example.net/livez: 200 in 12 ms",
        "sha256:0123456789abcdef",
    ],
)
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


def test_what_stands_beside_a_secret_stays() -> None:
    assert redact_text("?token=x&page=2") == f"?token={MARK}&page=2"
    assert redact_text("https://u:p@example.net/a") == "https://***@example.net/a"


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "apiKey", "X-Api-Key", "clientSecret", "SENTRY_DSN", "access_token", "Cookie"]
)
def test_a_secrets_name_is_known(name: str) -> None:
    assert secret_key(name)


@pytest.mark.parametrize(
    "name",
    ["SECRET_ARN", "token_ttl", "password_file", "keyboard", "author", "monkey", "AWS_ACCESS_KEY_ID", "secretName", ""],
)
def test_a_name_that_only_resembles_a_secrets_is_not(name: str) -> None:
    assert not secret_key(name)


def test_values_are_redacted_by_key_and_by_value_and_the_rest_keeps_its_type() -> None:
    assert redact(
        {"credentials": {"user": "bob", "kind": "x"}, "token": 381922, "secrets": 3, "ok": True, "n": None}
    ) == {
        "credentials": {"user": MARK, "kind": MARK},
        "token": MARK,
        "secrets": 3,
        "ok": True,
        "n": None,
    }
    assert redact([b"token=canary", ("https://u:canary@h/",)]) == [f"token={MARK}", ["https://***@h/"]]


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_can_be_redacted_and_encoded_afterwards(text: str) -> None:
    redact_text(text).encode("utf-8")


@given(st.text(alphabet=st.characters(min_codepoint=97, max_codepoint=122), min_size=8), st.integers(0, 40))
def test_a_password_in_a_url_goes_wherever_it_stands(password: str, spaces: int) -> None:
    text = " " * spaces + f"x postgresql://me:{password}Q9@host/db?x=1"
    assert f"{password}Q9" not in redact_text(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_json_can_be_redacted(value: object) -> None:
    json.dumps(redact(value)).encode("ascii")
