"""What is registered: services and teams, from files and Backstage, with defaults merged and their origin known.

`load_catalog` reads every configured source. A bad document is a `Problem` with file and line; the others stay.
"""

from scorecard.catalog.build import Catalog, build_catalog
from scorecard.catalog.documents import Found
from scorecard.catalog.effective import Effective, Setting
from scorecard.catalog.files import read_files
from scorecard.catalog.layers import matches
from scorecard.catalog.live import Live, Outcome
from scorecard.catalog.load import load_catalog
from scorecard.catalog.schema import service_schema
from scorecard.catalog.sources import Source, Surroundings
from scorecard.catalog.starter import starter_files

__all__ = [
    "Catalog",
    "Effective",
    "Found",
    "Live",
    "Outcome",
    "Setting",
    "Source",
    "Surroundings",
    "build_catalog",
    "load_catalog",
    "matches",
    "read_files",
    "service_schema",
    "starter_files",
]
