"""HTTPS everywhere, encryption at rest: on the wire to the service, to its data, and on the disk."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row
from scorecard.model import ServiceType

_SERVES = (ServiceType.WEB, ServiceType.GRPC, ServiceType.STATIC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a certificate must still be valid."""

    days_left: float = 7
    """Fewer is a failure."""
    days_left_soon: float = 21
    """Fewer is a warning."""


row = Row(
    title="HTTPS everywhere, encryption at rest",
    category=Category.SECURITY,
    risk=Risk.CRITICAL,
    why="What is not encrypted is read by whoever stands in the way or finds the disk.",
    limits=Limits,
)

row.awaits(
    "https",
    Requirement.REQUIRED,
    rule="Plain HTTP redirects to HTTPS on the same host or is refused.",
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
    awaits="the TLS probe",
    types=_SERVES,
)

row.awaits(
    "certificate",
    Requirement.REQUIRED,
    rule="The certificate's chain and host name are valid for more than {days_left:g} days, better {days_left_soon:g}.",
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
    awaits="the TLS probe",
    types=_SERVES,
)

row.awaits(
    "tls-version",
    Requirement.REQUIRED,
    rule="The server accepts TLS 1.2 or newer only.",
    remedy="""
    nginx: `ssl_protocols TLSv1.2 TLSv1.3;`. An Application Load Balancer:

    ```hcl
    resource "aws_lb_listener" "https" {
      ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
    }
    ```
    """,
    awaits="the TLS probe",
    types=_SERVES,
)

row.awaits(
    "hsts",
    Requirement.ADVISORY,
    rule="HTTPS answers carry a Strict-Transport-Security header.",
    remedy="""
    nginx: `add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;`. Flask:

    ```python
    @app.after_request
    def hsts(response: Response) -> Response:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        return response
    ```
    """,
    awaits="the TLS probe",
    types=_SERVES,
)

row.awaits(
    "load-balancer",
    Requirement.REQUIRED,
    rule="Every listener is HTTPS with a policy of TLS 1.2 or newer, or redirects to one.",
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
    """,
    awaits="the AWS probe",
)

row.awaits(
    "in-transit-to-data",
    Requirement.REQUIRED,
    rule="Databases, caches and buckets take encrypted connections only.",
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
    """,
    awaits="the AWS probe",
)

row.awaits(
    "at-rest",
    Requirement.REQUIRED,
    rule="Every database, table, bucket, volume, file system, cache and search domain of the service is encrypted.",
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
    """,
    awaits="the AWS probe and the Terraform reader",
)
