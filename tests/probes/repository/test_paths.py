"""Addresses, links, patterns and dates: what a text may mean."""

from __future__ import annotations

import fnmatch
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.model import Cause
from scorecard.probes.repository.addresses import Local, Remote, identity, read_address, shown
from scorecard.probes.repository.dates import find_date
from scorecard.probes.repository.globs import fixed_part, matcher
from scorecard.probes.repository.links import (
    Elsewhere,
    InRepository,
    Relative,
    below_base,
    has_anchor,
    pages_of,
    paths_after_branch,
    read_link,
)
from scorecard.probes.repository.questions import UnreadableError

HERE = Path("/srv/catalogue")


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "directory"),
        [
            (".", "/srv/catalogue"),
            ("payments", "/srv/catalogue/payments"),
            ("../payments", "/srv/payments"),
            ("/srv/git/payments", "/srv/git/payments"),
            ("file:///srv/git/my%20repo", "/srv/git/my repo"),
            ("file://localhost/srv/git/payments", "/srv/git/payments"),
        ],
    )
    def test_directories(self, url: str, directory: str) -> None:
        assert read_address(url, HERE) == Local(Path(directory))

    @pytest.mark.parametrize(
        ("url", "address"),
        [
            ("https://github.com/example/payments", "https://github.com/example/payments"),
            ("https://ann@Git.example.net:8443/x/y.git", "https://git.example.net:8443/x/y.git"),
            ("git@github.com:example/payments.git", "ssh://git@github.com/example/payments.git"),
            ("ssh://git@git.example.net:2222/x/y", "ssh://git@git.example.net:2222/x/y"),
            ("git+ssh://git@git.example.net/x/y", "ssh://git@git.example.net/x/y"),
        ],
    )
    def test_remotes(self, url: str, address: str) -> None:
        found = read_address(url, HERE)
        assert isinstance(found, Remote)
        assert found.url == address

    @pytest.mark.parametrize(
        "url",
        [
            "ext::sh -c touch% /tmp/owned",
            "fd::17",
            "git://github.com/example/payments",
            "http://github.com/example/payments",
            "ftp://github.com/example/payments",
            "gopher://github.com/example",
            "javascript:alert(1)",
            "a\0b",
            "file://other.example.net/srv/git",
            "ssh://-oProxyCommand=touch/x",
            "https://",
            "https://github.com/",
            "https://ann:secret@github.com/example/payments",
            "https://[::1/x",
        ],
    )
    def test_whatever_else_is_refused_and_no_password_is_repeated(self, url: str) -> None:
        with pytest.raises(UnreadableError) as caught:
            read_address(url, HERE)
        assert caught.value.cause is Cause.NOT_SUPPORTED
        assert "secret" not in caught.value.detail

    @given(st.text(max_size=60))
    def test_any_text_is_understood_or_refused(self, url: str) -> None:
        try:
            found = read_address(url, HERE)
        except UnreadableError:
            return
        assert isinstance(found, Local | Remote)

    def test_spellings_of_one_repository_are_one(self) -> None:
        spellings = [
            "https://github.com/Example/Payments",
            "https://ann@github.com/example/payments.git",
            "git@github.com:example/payments.git",
            "ssh://git@github.com/example/payments",
        ]
        assert {identity(url) for url in spellings} == {"github.com/example/payments"}
        assert identity("/srv/git/payments") == ""

    def test_what_is_shown_holds_no_user(self) -> None:
        assert shown("https://ann:secret@github.com/x/y") == "https://github.com/x/y"


class TestLinks:
    @pytest.mark.parametrize(
        ("url", "name", "rest"),
        [
            (
                "https://github.com/Example/Payments/blob/main/runbooks/A.md",
                "github.com/example/payments",
                "main/runbooks/A.md",
            ),
            ("https://github.com/e/p/tree/main/runbooks", "github.com/e/p", "main/runbooks"),
            ("https://github.com/e/p/raw/main/a%20b.md?plain=1", "github.com/e/p", "main/a b.md"),
            ("https://gitlab.com/a/b/c/-/blob/feature/x/docs/r.md", "gitlab.com/a/b/c", "feature/x/docs/r.md"),
            ("https://raw.githubusercontent.com/e/p/main/r.md", "github.com/e/p", "main/r.md"),
            ("https://raw.githubusercontent.com/e/p/refs/heads/main/r.md", "github.com/e/p", "main/r.md"),
            ("https://codeberg.org/e/p/src/branch/main/r.md", "codeberg.org/e/p", "main/r.md"),
        ],
    )
    def test_files_on_a_forge(self, url: str, name: str, rest: str) -> None:
        assert read_link(url).place == InRepository(name, rest)

    def test_other_places(self) -> None:
        assert read_link("runbooks/A.md#fix").place == Relative("runbooks/A.md")
        assert read_link("runbooks/A.md#fix").fragment == "fix"
        assert read_link("https://runbooks.example.net/A/").place == Elsewhere("https://runbooks.example.net/A/")
        assert read_link("javascript:alert(1)").place is None
        assert read_link("https://[bad").place is None

    @given(st.text(max_size=80))
    def test_any_text_is_a_link_of_some_kind(self, url: str) -> None:
        assert isinstance(read_link(url).fragment, str)

    def test_a_branch_may_hold_slashes(self) -> None:
        assert next(paths_after_branch("release/1/docs/r.md", "release/1")) == "docs/r.md"
        assert "docs/r.md" in list(paths_after_branch("release/1/docs/r.md", ""))

    def test_what_a_site_generator_makes_a_page_from(self) -> None:
        assert "runbooks/A.md" in list(pages_of("runbooks/A/"))
        assert "runbooks/A/index.md" in list(pages_of("runbooks/A"))
        assert "runbooks/A.md" in list(pages_of("runbooks/A.html"))
        assert next(pages_of("runbooks/A.md")) == "runbooks/A.md"
        assert "README.md" in list(pages_of("."))

    def test_what_follows_a_base_address(self) -> None:
        bases = ("https://r.example.net/docs/",)
        assert below_base("https://r.example.net/docs/A/?x=1#y", bases) == "A"
        assert below_base("https://r.example.net/docs", bases) == ""
        assert below_base("https://r.example.net/docs-old/A", bases) is None

    def test_anchors_and_lines(self) -> None:
        assert has_anchor("Fix-it", ("fix-it",), 10)
        assert has_anchor("user-content-fix-it", ("fix-it",), 10)
        assert has_anchor("L3-L10", (), 10)
        assert not has_anchor("L3-L11", (), 10)
        assert not has_anchor("other", ("fix-it",), 10)


class TestGlobs:
    @pytest.mark.parametrize(
        ("pattern", "path", "yes"),
        [
            ("deploy/alerts/*.yaml", "deploy/alerts/a.yaml", True),
            ("deploy/alerts/*.yaml", "deploy/alerts/b/a.yaml", False),
            ("deploy/**/*.yaml", "deploy/a.yaml", True),
            ("deploy/**/*.yaml", "deploy/a/b/c.yaml", True),
            ("**/*.rules.yml", "x.rules.yml", True),
            ("deploy/prometheus/**", "deploy/prometheus/a/b.yaml", True),
            ("a?.yaml", "ab.yaml", True),
            ("a?.yaml", "a/.yaml", False),
            ("[ab]*.yaml", "b.yaml", True),
            ("[!ab].yaml", "b.yaml", False),
            ("[!ab].yaml", "/.yaml", False),
            ("a.yaml", "axyaml", False),
            ("a[.yaml", "a[.yaml", True),
            ("(a+)+$", "(a+)+$", True),
        ],
    )
    def test_patterns(self, pattern: str, path: str, yes: bool) -> None:
        assert matcher(pattern)(path) is yes

    def test_the_part_without_wildcards(self) -> None:
        assert fixed_part("deploy/alerts/*.yaml") == "deploy/alerts"
        assert fixed_part("**/*.yaml") == ""
        assert fixed_part("deploy/a.yaml") == "deploy"

    @given(st.text(alphabet="ab*?[]!-.", max_size=12), st.text(alphabet="ab-.!", max_size=8))
    def test_within_one_name_it_agrees_with_fnmatch(self, pattern: str, name: str) -> None:
        if "**" in pattern:
            return
        assert matcher(pattern)(name) == fnmatch.fnmatchcase(name, pattern)


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "2021-03-04",
            "2021/03/04",
            "04.03.2021",
            "4/3/2021",
            "4 March 2021",
            "March 4th, 2021",
            "4-Mar-2021",
            "on 2021-3-4.",
        ],
    )
    def test_forms(self, text: str) -> None:
        assert find_date(text) == date(2021, 3, 4)

    @pytest.mark.parametrize("text", ["", "2021-13-45", "12021-03-041", "YYYY-MM-DD", "0000-01-01", "v1.2.3"])
    def test_no_dates(self, text: str) -> None:
        assert find_date(text) is None

    def test_month_first_where_only_that_is_a_day(self) -> None:
        assert find_date("03/25/2021") == date(2021, 3, 25)

    @given(st.text(max_size=60))
    def test_any_text(self, text: str) -> None:
        found = find_date(text)
        assert found is None or 1 <= found.year <= 9999

    @given(st.dates())
    def test_every_day_is_found_as_it_is_written(self, day: date) -> None:
        assert find_date(f"Date: {day.isoformat()} (UTC)") == day
