"""A variable holds a secret as a literal, or it does not: by its name and the structure of its value."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scorecard.plain_secrets import Fingerprint, SecretKind, is_reference, secret_kind, secret_name

SECRETS = [
    ("DB_PASSWORD", "hunter2", "password"),
    ("DB_PASS", "hunter2", "password"),
    ("PGPASSWORD", "hunter2", "password"),
    ("MYSQL_PWD", "hunter2", "password"),
    ("REDIS_PASSWD", "hunter2", "password"),
    ("dbPassword", "hunter2", "password"),
    ("spring.datasource.password", "hunter2", "password"),
    ("SSH_KEY_PASSPHRASE", "correct horse", "password"),
    ("DB_PASSWORD_2", "hunter2", "password"),
    ("DB_PASSWORD", "12345678", "password"),
    ("DB_PASSWORD", "changeme", "password"),
    ("DB_PASSWORD", "p@$$w0rd", "password"),
    ("DB_PASSWORD", "${DB_PASSWORD:-hunter2}", "password"),
    ("REDIS_AUTH", "hunter2", "password"),
    ("API_TOKEN", "abc123", "token"),
    ("GITHUB_TOKEN", "abc123", "token"),
    ("GH_PAT", "abc123", "token"),
    ("SESSION_JWT", "abc123", "token"),
    ("logConfiguration.options.splunk-token", "0b5cc8a4", "token"),
    ("CLIENT_SECRET", "abc123", "secret"),
    ("clientSecret", "abc123", "secret"),
    ("OAUTH2_CLIENT_SECRET", "abc123", "secret"),
    ("VAULT_SECRET_ID", "7d2f-11", "secret"),
    ("STRIPE_API_KEY", "abc123", "key"),
    ("apikey", "abc123", "key"),
    ("API-KEY", "abc123", "key"),
    ("AWS_SECRET_ACCESS_KEY", "abc123", "key"),
    ("DJANGO_SECRET_KEY", "abc123", "key"),
    ("SECRET_KEY_BASE", "abc123", "key"),
    ("JWT_SIGNING_KEY", "abc123", "key"),
    ("TLS_PRIVATE_KEY", "MIIEvQIBADANBg", "key"),
    ("NEW_RELIC_LICENSE_KEY", "abc123", "key"),
    ("DD_APP_KEY", "abc123", "key"),
    ("ENCRYPTION_KEY", "abc123", "key"),
    ("AZURE_STORAGE_KEY", "abc123", "key"),
    ("SMTP_CREDENTIALS", "user:hunter2", "credential"),
    ("BASIC_AUTH", "user:hunter2", "credential"),
    ("SENTRY_DSN", "https://abc@sentry.example.net/1", "connection string"),
    ("AZURE_CONNECTION_STRING", "AccountName=a;AccountKey=b", "connection string"),
    ("DATABASE_URL", "postgres://app:hunter2@db.example.net/payments", "address with a password"),
    ("BROKER", "amqp://app:hunter2@mq.example.net", "address with a password"),
    ("REDIS_URL", "redis://:hunter2@cache.example.net:6379/0", "address with a password"),
    ("SIGNER", "-----BEGIN RSA PRIVATE KEY-----\nMII", "private key"),
    ("SIGNER", "-----BEGIN PRIVATE KEY-----\\nMII", "private key"),
    ("WHATEVER", "AKIA" + "IOSFODNN7EXAMPLE", "token"),
    ("WHATEVER", "ghp_" + "a1b2c3d4" * 4, "token"),
    ("WHATEVER", "xoxb-" + "1234567890", "token"),
    ("TOKEN_URL", "https://app:hunter2@id.example.net/token", "address with a password"),
]
"""Name, value, what it is."""

NONE = [
    ("DB_PASSWORD_FILE", "/run/secrets/db_password"),
    ("DB_PASSWORD_ARN", "payments-db"),
    ("DB_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:payments/db-AbCdEf"),
    ("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:payments/db-AbCdEf"),
    ("DB_SECRET_NAME", "payments/db"),
    ("SECRET_ID", "payments/db"),
    ("AWS_ACCESS_KEY_ID", "not-an-id"),
    ("CLIENT_ID", "payments"),
    ("TOKEN_TTL", "3600"),
    ("TOKEN_EXPIRY_SECONDS", "3600"),
    ("PASSWORD_MIN_LENGTH", "12"),
    ("MAX_TOKENS", "4096"),
    ("TOKEN_LIMIT", "100"),
    ("SECRETS_MANAGER_ENDPOINT", "https://secrets.example.net"),
    ("TOKEN_URL", "https://id.example.net/token"),
    ("AUTH_TOKEN", "https://id.example.net/token"),
    ("JWT_PUBLIC_KEY", "MIIBIjANBg"),
    ("JWT_ALGORITHM", "RS256"),
    ("JWT_ISSUER", "https://id.example.net"),
    ("PASSWORD_POLICY", "strong"),
    ("REQUIRE_PASSWORD", "true"),
    ("PASSWORD_REQUIRED", "true"),
    ("TOKEN", "false"),
    ("DB_PASSWORD", ""),
    ("DB_PASSWORD", "   "),
    ("DB_PASSWORD", "none"),
    ("DB_PASSWORD", "********"),
    ("DB_PASSWORD", "<your password>"),
    ("DB_PASSWORD", "[redacted]"),
    ("DB_PASSWORD", "${DB_PASSWORD}"),
    ("DB_PASSWORD", "${DB_PASSWORD:?is not set}"),
    ("DB_PASSWORD", "${DB_PASSWORD:-}"),
    ("DB_PASSWORD", "${DB_PASSWORD:-$OTHER}"),
    ("DB_PASSWORD", "$DB_PASSWORD"),
    ("DB_PASSWORD", "$(DB_PASSWORD)"),
    ("DB_PASSWORD", "{{ .Values.password }}"),
    ("DB_PASSWORD", "{{resolve:secretsmanager:payments/db:SecretString:password}}"),
    ("DB_PASSWORD", "<%= ENV['DB_PASSWORD'] %>"),
    ("DB_PASSWORD", "!Ref Password"),
    ("DB_PASSWORD", "vault:secret/data/payments#password"),
    ("DB_PASSWORD", "ssm:/payments/db/password"),
    ("DB_PASSWORD", "op://payments/db/password"),
    ("DB_PASSWORD", "ref+vault://payments/db#password"),
    ("DB_PASSWORD", "projects/shop/secrets/db/versions/1"),
    ("DB_PASSWORD", "@Microsoft.KeyVault(SecretUri=https://shop.example.net/secrets/db)"),
    ("DB_PASSWORD", "ENC[AES256_GCM,data:abc]"),
    ("DB_PASSWORD", "AQICAH" + "hunter2hunter2hunter2"),
    ("TLS_PRIVATE_KEY", "/etc/tls/tls.key"),
    ("DATABASE_URL", "postgres://app:${DB_PASSWORD}@db.example.net/payments"),
    ("DATABASE_URL", "postgres://app@db.example.net/payments"),
    ("DATABASE_URL", "postgres://app:***@db.example.net/payments"),
    ("SERVICE_URL", "https://payments.example.net:8443/a@b"),
    ("PRIMARY_KEY", "id"),
    ("SORT_KEY", "created_at"),
    ("PARTITION_KEY", "customer"),
    ("KEYBOARD", "qwerty"),
    ("COMPASS", "north"),
    ("TOKENIZER", "bpe"),
    ("PASSENGERS", "4"),
    ("SECRETARY", "Smith"),
    ("AUTHOR", "Smith"),
    ("LOG_LEVEL", "info"),
    ("PATH", "/usr/bin:/bin"),
    ("1", "2"),
    ("", "hunter2"),
]
"""Name and value of what is none."""


def test_the_corpus_is_large_both_ways() -> None:
    assert len(SECRETS) + len(NONE) >= 100
    assert min(len(SECRETS), len(NONE)) >= 45


@pytest.mark.parametrize(("name", "value", "kind"), SECRETS)
def test_a_literal_secret_is_found_with_its_kind(name: str, value: str, kind: str) -> None:
    found = secret_kind(name, value)
    assert found is not None
    assert found.value == kind


@pytest.mark.parametrize(("name", "value"), NONE)
def test_what_is_no_literal_secret_is_left_alone(name: str, value: str) -> None:
    assert secret_kind(name, value) is None


stems = st.sampled_from(["DB", "REDIS", "STRIPE", "MY_APP", "X2"])
holders = st.sampled_from(["PASSWORD", "TOKEN", "SECRET", "API_KEY", "PRIVATE_KEY", "CREDENTIALS", "DSN", "PASSPHRASE"])
abouts = st.sampled_from(["ARN", "FILE", "NAME", "TTL", "PATH", "VERSION", "LENGTH", "ENABLED", "TYPE", "PREFIX"])
words = st.text(string.ascii_letters + string.digits + "!#%+=.,_", min_size=4, max_size=40)
references = st.sampled_from(
    [
        "arn:aws:ssm:eu-west-1:1:parameter/{}",
        "${{{}}}",
        "$({})",
        "{{{{ {} }}}}",
        "vault:{}",
        "op://{}",
        "/run/secrets/{}",
    ]
)
names = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)


def spelled(name: str) -> set[str]:
    """In the ways that settings are spelled."""
    parts = name.lower().split("_")
    camel = parts[0] + "".join(part.capitalize() for part in parts[1:])
    return {name, name.lower(), "-".join(parts), ".".join(parts), camel, "_".join(part.capitalize() for part in parts)}


@given(stem=stems, holder=holders, value=words)
def test_every_spelling_of_a_secrets_name_says_the_same(stem: str, holder: str, value: str) -> None:
    assume(not is_reference(value) and value.lower() not in {"true", "false", "none", "null", "auto", "default"})
    assume(set(value.lower()) - set("x") and value.lower() not in {"enabled", "disabled", "required", "optional"})
    assert {secret_name(name) for name in spelled(f"{stem}_{holder}")} == {secret_name(holder)}
    assert secret_kind(f"{stem}_{holder}", value) is not None


@given(stem=stems, holder=holders, about=abouts, value=names)
def test_a_name_that_is_about_a_secret_holds_none(stem: str, holder: str, about: str, value: str) -> None:
    for name in spelled(f"{stem}_{holder}_{about}"):
        assert secret_name(name) is None
    assert secret_kind(f"{holder}_{about}", value) in {None, SecretKind.TOKEN}


@given(holder=holders, reference=references, target=names)
def test_a_reference_is_no_secret_under_any_name(holder: str, reference: str, target: str) -> None:
    assert secret_kind(f"DB_{holder}", reference.format(target)) is None


@given(name=names, user=names, password=names)
def test_an_address_with_a_password_is_a_secret_under_any_name(name: str, user: str, password: str) -> None:
    assume(set(password.lower()) - set("x"))
    assert secret_kind(name, f"postgres://{user}:{password}@db.example.net/x") is not None


@given(name=st.text(max_size=40), value=st.text(max_size=200))
def test_no_text_breaks_it(name: str, value: str) -> None:
    assert secret_kind(name, value) is None or secret_kind(name, value) in set(SecretKind)


@pytest.mark.parametrize(
    "unit", ["a:", "${", "{{", "}}", "@", "-----BEGIN ", "A PRIVATE KEY", "$(", "x", "arn:", "eyJ."]
)
def test_a_hostile_value_is_read_in_time_that_grows_with_its_length_only(unit: str) -> None:
    for value in (unit * 50_000, "postgres://" + unit * 50_000, "${A:-" + unit * 50_000):
        assert secret_kind("DB_PASSWORD", value) in {None, *SecretKind}


def test_a_fingerprint_tells_values_apart_and_needs_a_key() -> None:
    mark, other = Fingerprint(b"one key"), Fingerprint(b"another key")
    assert mark("hunter2") == mark("hunter2") != mark("hunter3")
    assert mark("hunter2") != other("hunter2")
    assert len(mark("hunter2")) == 16
    assert Fingerprint()("hunter2") == ""
    assert "one key" not in repr(mark)
