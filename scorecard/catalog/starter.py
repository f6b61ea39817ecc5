"""The files that `scorecard init` writes."""

from __future__ import annotations

from scorecard.config.fields import label

_CONFIG = """\
# Readiness Scorecard. Every key: `scorecard schema config`, or the configuration reference in the documentation.
# Every key can be set from the environment too: SCORECARD__PROBING__TIMEOUT=3s.

catalog:
  - files: services/*.yaml            # one file a service, or many documents in one

defaults:                             # merged under every service; what a service says itself wins
  - spec:
      health: {{liveness: /livez, readiness: /readyz}}

store: sqlite:///scorecard.db         # beside this file; postgresql:// for more than one process

probing:
  timeout: 5s
  allow: []                           # private networks that may be probed, such as 10.0.0.0/8

# integrations:                       # a secret stands in a file of its own, never here
#   prometheus: [{{name: main, url: "http://prometheus:9090"}}]
#   grafana: [{{name: main, url: "https://grafana.example.net", token_file: /run/secrets/grafana}}]
#   github: [{{name: main, token_file: /run/secrets/github}}]
#   aws: [{{name: main, regions: [eu-west-1]}}]

checklists:
  - {{use: production-readiness}}
  - {{use: delivery-practices}}

gate:
  default: {{minimum_score: 80, minimum_coverage: 80}}
"""

_SERVICE = """\
# Every key: `scorecard schema service`. What is absent is reported as unknown, with the lines to add.
apiVersion: scorecard/v1
kind: Service
metadata:
  name: {name}
  # team: payments-platform
  # tier: tier-1
  type: web                           # web, grpc, worker, job or static: decides which rows apply
  lifecycle: production
spec:
  # url: https://{name}.example.net
  # health: {{liveness: /livez, readiness: /readyz}}
  # correlation: {{header: X-Correlation-ID, field: correlation_id}}
  # logs: {{cloudwatch: {{group: /ecs/{name}}}}}
  repositories:
    - url: .                          # this checkout; or https://github.com/example/{name}
  # dashboards: [{{grafana: {name}-overview}}]
  # alerts: [{{prometheus: {{matchers: {{service: {name}}}}}}}]
  runbooks: [runbooks/]
  # aws: {{account: "111122223333", tags: {{Service: {name}}}}}
  # backups: [{{resource: "arn:aws:rds:eu-west-1:111122223333:db:{name}", recovery_time: 1h, recovery_point: 24h}}]
"""


def starter_files(name: str) -> dict[str, str]:
    """The text of each file by its path, for a first service of that name.

    Raises:
        ValueError: when no service may be called so.
    """
    label(name)
    return {"scorecard.yaml": _CONFIG.format(), f"services/{name}.yaml": _SERVICE.format(name=name)}
