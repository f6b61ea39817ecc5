"""HTTPS everywhere, encryption at rest: on the wire to the service, to its data, and on the disk."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Peer,
    Risk,
    Row,
    each,
    failed,
    not_applicable,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import DataAtRest, DataInTransit, Encryption, Gone, Listener, Listeners, Unseen, also_of
from scorecard.evidence.tls import BrokenTls, Certificate, PlainAnswer, PlainReply, TransportSecurity, VersionReply
from scorecard.model import ServiceType

_OLD = frozenset({"TLS 1.0", "TLS 1.1"})
_NEW_IN_POLICIES = frozenset({"TLSv1.2", "TLSv1.3"})
# Bad Request is what a TLS port says to plain HTTP; Forbidden, Misdirected Request, Upgrade Required say it in words.
_REFUSALS = frozenset({400, 403, 421, 426})
_SERVES = (ServiceType.WEB, ServiceType.GRPC, ServiceType.STATIC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a certificate must still be valid."""

    days_left: float = 7
    """Fewer is a failure."""
    days_left_soon: float = 21
    """Fewer is a warning."""
    hsts_days: float = 180
    """How long browsers are told to keep to HTTPS; shorter is a warning."""


_PEERS = (
    Peer(
        "load-balancer",
        "Prowler `elbv2_ssl_listeners`, checkov `CKV_AWS_2`, `CKV2_AWS_20`",
        "They look at the protocol and the default action. Here every rule of an HTTP listener is read: one that "
        "forwards fails, an answer of the load balancer's own passes, and on a load balancer that is shared only "
        "what leads to the service counts.",
    ),
    Peer(
        "load-balancer",
        "Prowler `elbv2_insecure_ssl_ciphers`, checkov `CKV_AWS_103`",
        "They know policies by name. Here the versions are those that AWS says of the policy, custom and later "
        "ones included; ciphers are not judged.",
    ),
    Peer(
        "load-balancer",
        "Prowler `elbv2_nlb_tls_termination_enabled`",
        "A TCP listener fails there. Here it is a warning: what passes through may be encrypted by the service "
        "itself, as `https` and `tls-version` see.",
    ),
    Peer(
        "in-transit-to-data",
        "Prowler `rds_instance_transport_encrypted`",
        "Here a parameter that waits for a restart is a warning, a member of a cluster takes the cluster's "
        "parameters, and engines whose setting is elsewhere (Oracle, Db2) are unknown.",
    ),
    Peer(
        "in-transit-to-data",
        "Prowler `s3_bucket_secure_transport_policy`",
        "Here the statement must refuse everybody every action on the objects; one that refuses only under a "
        "further condition, or only some actions, fails.",
    ),
    Peer(
        "in-transit-to-data",
        "Prowler `elasticache_redis_cluster_in_transit_encryption_enabled`, checkov `CKV_AWS_30`",
        "Here mode `preferred`, which takes plain connections too, fails.",
    ),
    Peer(
        "at-rest",
        "Prowler `dynamodb_tables_kms_cmk_encryption_enabled`, `s3_bucket_kms_encryption`, checkov `CKV_AWS_119`, "
        "`CKV_AWS_145`",
        "They ask for a key of your own. Here any encryption passes, and the finding says by which key.",
    ),
    Peer(
        "at-rest",
        "Prowler `ec2_ebs_default_encryption`, checkov `CKV_AWS_106`",
        "They judge the account's setting. Here the service's volumes are looked at, those of its instances included.",
    ),
    Peer(
        "at-rest",
        "checkov `CKV_AWS_16`, `CKV_AWS_96`, `CKV_AWS_3`, `CKV_AWS_42`, `CKV_AWS_29`, `CKV_AWS_5`",
        "They read Terraform, and pass before anything is applied. Here what runs is looked at.",
    ),
)

row = Row(
    title="HTTPS everywhere, encryption at rest",
    category=Category.SECURITY,
    risk=Risk.CRITICAL,
    why="What is not encrypted is read by whoever stands in the way or finds the disk.",
    limits=Limits,
    peers=_PEERS,
)


@row.required(
    remedy="""
    An Application Load Balancer, in Terraform:

    ```hcl
    resource "aws_lb_listener" "http" {
      load_balancer_arn = aws_lb.main.arn
      port              = 80
      protocol          = "HTTP"
      default_action {
        type = "redirect"
        redirect {
          port        = "443"
          protocol    = "HTTPS"
          status_code = "HTTP_301"
        }
      }
    }
    ```

    nginx: `return 301 https://$host$request_uri;` in the server of port 80.
    """,
    types=_SERVES,
)
def https(seen: TransportSecurity) -> Finding:
    """Plain HTTP redirects to HTTPS on the same host or is refused."""
    if isinstance(seen.plain, Unavailable):
        return unavailable(seen.plain)
    if seen.plain.reply is PlainReply.ANSWERED:
        return _answered(seen.plain)
    said = f"{seen.plain.url}: {seen.plain.words}"
    if seen.plain.reply is PlainReply.BROKEN:
        return failed("plain-and-broken", said)
    return (
        passed(said)
        if seen.plain.reply is PlainReply.REFUSED
        else warned("silent", f"{said}; nobody was seen refusing")
    )


def _answered(plain: PlainAnswer) -> Finding:
    if plain.location:
        return _redirect(plain)
    if plain.status in _REFUSALS:
        return passed(f"{plain.url} is refused with {plain.status}")
    if plain.status >= 500:  # noqa: PLR2004 - 5xx
        return unknown(Cause.NO_DATA, f"{plain.url} answered {plain.status}, neither a redirect nor a refusal")
    return failed("plain-http", f"{plain.url} answered {plain.status} without TLS, and no redirect")


def _redirect(plain: PlainAnswer) -> Finding:
    there, here = _split(plain.location), _split(plain.url)
    said = f"{plain.url} redirects ({plain.status}) to {plain.location}"
    if there.scheme != "https":
        return failed("redirect-to-http", f"{said}, which is not HTTPS")
    if _host(there) != _host(here):
        return failed("redirect-to-another-host", f"{said}, which is another host")
    return passed(said)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


@row.required(
    remedy="""
    Let it be renewed by a machine, with the whole chain and every name of the service:

    ```hcl
    resource "aws_acm_certificate" "payments" {
      domain_name       = "payments.example.net"
      validation_method = "DNS"
      lifecycle { create_before_destroy = true }
    }
    ```

    Look at what is served now:

    ```sh
    openssl s_client -connect payments.example.net:443 -servername payments.example.net -showcerts </dev/null
    ```
    """,
    types=_SERVES,
)
def certificate(seen: TransportSecurity, now: Now, limits: Limits) -> Finding:
    """The certificate's chain and host name are valid for more than {days_left:g} days, better {days_left_soon:g}."""
    served = seen.certificate
    if isinstance(served, Unavailable):
        return unavailable(served)
    if isinstance(served, Absent):
        return not_applicable(served.reason)
    if isinstance(served, BrokenTls):
        return failed("no-tls", served.words)
    return _judge_certificate(served, seen.address, now, limits)


def _judge_certificate(served: Certificate, address: str, now: Now, limits: Limits) -> Finding:
    subject = f"the certificate of {address}"
    if served.faults:
        code = served.faults[0].kind.value if len(served.faults) == 1 else "several"
        return failed(code, f"{subject}: {'; '.join(fault.words for fault in served.faults)}")
    days = (served.not_after - now) / timedelta(days=1)
    if days < 0:
        return failed("expired", f"{subject} expired on {served.not_after:%Y-%m-%d}")
    until = f"{subject} is valid until {served.not_after:%Y-%m-%d}"
    if days <= limits.days_left:
        return failed("ends-now", f"{until}, for {days:.0f} days more; over {limits.days_left:g} are needed")
    if days < limits.days_left_soon:
        return warned("ends-soon", f"{until}, for {days:.0f} days more; {limits.days_left_soon:g} are better")
    return passed(f"{until}, issued by {served.issuer}")


@row.required(
    remedy="""
    nginx: `ssl_protocols TLSv1.2 TLSv1.3;`. An Application Load Balancer:

    ```hcl
    resource "aws_lb_listener" "https" {
      ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
    }
    ```
    """,
    types=_SERVES,
)
def tls_version(seen: TransportSecurity) -> Finding:
    """The server accepts TLS 1.2 or newer only."""
    if isinstance(seen.certificate, Absent) and not seen.versions:
        return not_applicable(seen.certificate.reason)
    old = [one for one in seen.versions if one.name in _OLD and one.reply is VersionReply.ACCEPTED]
    if old:
        return failed("old-version", f"{seen.address} accepts {' and '.join(one.name for one in old)}")
    accepted = [one.name for one in seen.versions if one.reply is VersionReply.ACCEPTED]
    # A new version that could not be looked at matters only while no other is accepted.
    unclear = [one for one in seen.versions if one.reply is VersionReply.UNKNOWN and (one.name in _OLD or not accepted)]
    if unclear:
        return unknown(unclear[0].cause or Cause.NO_DATA, f"{seen.address}, {unclear[0].name}: {unclear[0].words}")
    if not accepted:
        return failed("no-version", f"{seen.address} accepts no version from TLS 1.0 to 1.3")
    return passed(f"{seen.address} accepts {' and '.join(accepted)} only")


@row.advisory(
    remedy="""
    nginx: `add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;`. Flask:

    ```python
    @app.after_request
    def hsts(response: Response) -> Response:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        return response
    ```
    """,
    types=_SERVES,
)
def hsts(seen: TransportSecurity, limits: Limits) -> Finding:
    """HTTPS answers carry a Strict-Transport-Security header of {hsts_days:g} days or more."""
    sent = seen.hsts
    if isinstance(sent, Unavailable):
        return unavailable(sent)
    if isinstance(sent, Absent):
        return not_applicable(sent.reason)
    if not sent.header:
        return failed("no-header", f"https://{seen.address} sends no Strict-Transport-Security header")
    if not sent.max_age:
        return failed("no-age", f"https://{seen.address} sends {sent.header!r}, which holds for no time")
    days = sent.max_age / 86_400
    if days < limits.hsts_days:
        return warned(
            "short", f"https://{seen.address} is to be HTTPS for {days:.0f} days; {limits.hsts_days:g} are better"
        )
    return passed(f"https://{seen.address} is to be HTTPS for {days:.0f} days")


@row.required(
    remedy="""
    ```hcl
    resource "aws_lb_listener" "https" {
      load_balancer_arn = aws_lb.main.arn
      port              = 443
      protocol          = "HTTPS"
      ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
      certificate_arn   = aws_acm_certificate.payments.arn
    }
    ```

    and a listener on port 80 whose default action is a `redirect` with `protocol = "HTTPS"`.
    """
)
def load_balancer(seen: Listeners) -> Finding:
    """Every listener is HTTPS with a policy of TLS 1.2 or newer, or redirects to one."""
    return each(seen.items, _listener, missing=seen.missing, things="listeners")


def _listener(one: Listener | Unseen | Gone) -> Item:
    if not isinstance(one, Listener):
        return _unread(one)
    if one.protocol in {"HTTPS", "TLS"}:
        return _policy(one)
    if one.protocol == "HTTP":
        return (
            passed(f"nothing of the service comes through {one.where}: it redirects to HTTPS, or answers by itself")
            if one.redirects
            else failed("plain-http", f"{one.where} forwards plain HTTP")
        )
    if one.protocol == "GENEVE":
        return not_applicable(f"{one.where} carries packets between appliances")
    return warned("passes-through", f"{one.where} passes on whatever comes; nobody was seen encrypting it")


def _policy(one: Listener) -> Item:
    said = f"{one.where}, policy {one.policy}"
    if not one.versions:
        return unknown(Cause.NO_DATA, f"{said}: AWS does not say which versions it accepts")
    old = sorted(set(one.versions) - _NEW_IN_POLICIES)
    if old:
        return failed("old-version", f"{said}, accepts {' and '.join(old)}")
    return passed(f"{said}, accepts {' and '.join(sorted(one.versions))} only")


def _unread(one: Unseen | Gone) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    return failed("gone", "the service's file names it, and AWS does not have it")


@row.required(
    remedy="""
    ```hcl
    resource "aws_db_parameter_group" "payments" {
      family = "postgres15"
      parameter {
        name  = "rds.force_ssl"
        value = "1"
      }
    }

    resource "aws_elasticache_replication_group" "payments" {
      transit_encryption_enabled = true
    }

    data "aws_iam_policy_document" "tls_only" {
      statement {
        effect    = "Deny"
        actions   = ["s3:*"]
        resources = [aws_s3_bucket.data.arn, "${aws_s3_bucket.data.arn}/*"]
        principals {
          type        = "*"
          identifiers = ["*"]
        }
        condition {
          test     = "Bool"
          variable = "aws:SecureTransport"
          values   = ["false"]
        }
      }
    }
    ```
    """
)
def in_transit_to_data(seen: DataInTransit) -> Finding:
    """Databases, caches and buckets take encrypted connections only."""
    return each(
        seen.items, lambda one: _encrypted(one, "plain"), missing=seen.missing, things="databases, caches and buckets"
    )


def _encrypted(one: Encryption | Unseen | Gone, code: str) -> Item:
    if not isinstance(one, Encryption):
        return _unread(one)
    said = f"{one.kind}: {one.words}{also_of(one)}"
    if one.encrypted is None:
        return not_applicable(said)
    if not one.encrypted:
        return failed(code, said)
    return warned("pending", f"{said}; {one.pending}, so that it is not in force yet") if one.pending else passed(said)


@row.required(
    remedy="""
    ```hcl
    resource "aws_db_instance" "payments" {
      storage_encrypted = true
      kms_key_id        = aws_kms_key.data.arn
    }

    resource "aws_elasticache_replication_group" "payments" {
      at_rest_encryption_enabled = true
    }

    resource "aws_ebs_encryption_by_default" "all" {
      enabled = true
    }
    ```

    A database that runs unencrypted is replaced by an encrypted copy of its snapshot:
    `aws rds copy-db-snapshot --kms-key-id alias/data ...`, then a restore from that copy.
    """
)
def at_rest(seen: DataAtRest) -> Finding:
    """Every database, table, bucket, volume, file system, cache and search domain of the service is encrypted."""
    return each(seen.items, lambda one: _encrypted(one, "not-encrypted"), missing=seen.missing, things="stores")
