"""The documentation, built by `make docs` with Sphinx and MyST."""

project = "Readiness Scorecard"
author = "The Readiness Scorecard authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = ["myst.header", "myst.xref_missing"]
