"""Readiness Scorecard: measures production readiness by what it saw, not by what was declared."""

__version__ = "0.1.0"
