"""The server's configuration: `scorecard.yaml` and the environment, parsed into typed models.

`load_config` gives a `Config`, or a `ConfigError` with every problem: file, line, key and the nearest known key.
"""

from scorecard.config.fields import Network, Secret
from scorecard.config.integrations import AwsInstance, Instance, Integrations, LokiInstance, VaultInstance, instance
from scorecard.config.load import ConfigError, load_config
from scorecard.config.schema import Config, config_schema
from scorecard.config.sections import (
    Auth,
    BackstageSource,
    CatalogEntry,
    ChecklistUse,
    DefaultsEntry,
    Http,
    LogFields,
    Match,
    Notification,
    Probing,
    SecretUnavailable,
    Severities,
    Signals,
    Vocabulary,
)
from scorecard.problems import Problem

__all__ = [
    "Auth",
    "AwsInstance",
    "BackstageSource",
    "CatalogEntry",
    "ChecklistUse",
    "Config",
    "ConfigError",
    "DefaultsEntry",
    "Http",
    "Instance",
    "Integrations",
    "LogFields",
    "LokiInstance",
    "Match",
    "Network",
    "Notification",
    "Probing",
    "Problem",
    "Secret",
    "SecretUnavailable",
    "Severities",
    "Signals",
    "VaultInstance",
    "Vocabulary",
    "config_schema",
    "instance",
    "load_config",
]
