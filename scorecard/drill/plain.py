r"""A plain dump on its way to psql: read line by line, so that only what pg_dump writes gets there.

psql runs commands of its own wherever a backslash stands outside a literal: `\!` is a shell, `\connect` another
database. They are refused here, and psql is told to refuse them too where it can (`\restrict`, since 15.14). What only
an owner or a superuser may do (owners, privileges, publications) is left out, as `pg_restore --no-owner
--no-privileges` does. The lexical rules are psql's: src/fe_utils/psqlscan.l of PostgreSQL 15.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from scorecard.drill.outcome import BackupFailed

TRAILER = b"-- PostgreSQL database dump complete"
_LONGEST_LINE = 1 << 29
"""Bytes; a field of PostgreSQL's holds at most one GiB."""
_LONGEST_STATEMENT = 1 << 20
"""Bytes of a statement that are looked at for what kind it is."""

_TOKEN = re.compile(
    rb"""--[^\n]*|/\*|(?<![\w$\x80-\xff])[eE]'|'|"|(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|\\|[();]"""
    rb"""|(?<![\w$\x80-\xff])(?i:begin|case|end)(?![\w$\x80-\xff])"""
)
_LITERAL = {b"'": re.compile(rb"'"), b'"': re.compile(rb'"'), b"E'": re.compile(rb"\\.|''|'", re.DOTALL)}
_COMMENT = re.compile(rb"/\*|\*/")
_COPY = re.compile(rb"\s*copy\s.*\sfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)
_ROUTINE = re.compile(rb"\s*create\s+(?:or\s+replace\s+)?(?:function|procedure)\s", re.IGNORECASE)
_INSERT = re.compile(rb"\s*insert\s+into\s", re.IGNORECASE)
_ODD = re.compile(
    rb"\s*set\s+(?:session\s+|local\s+)?(?:standard_conforming_strings\W+(?:to\s+)?'?(?:off|false|0|no)|"
    rb"client_encoding\W+(?:to\s+)?'?(?:big5|gbk|gb18030|sjis|shift|uhc|johab|mskanji|windows9(?:32|36|49|50)))",
    re.IGNORECASE,
)
_COPY_ESCAPE = re.compile(rb"\\(?![bfnrtvN.])")
_LEFT_OUT = re.compile(
    rb"""(?:ALTER\s[^';\\$]+\sOWNER\sTO\s[^';\\$]+|GRANT\s[^';\\$]+|REVOKE\s[^';\\$]+|ALTER\sDEFAULT\sPRIVILEGES\s[^';\\$]+"""
    rb"""|COMMENT\sON\sEXTENSION\s[^';\\$]+\sIS\s'(?:[^'\\]|'')*'|SET\sSESSION\sAUTHORIZATION\s[^;\\$]+"""
    rb"""|SET\sdefault_tablespace\s=\s[^;\\$]+|(?:CREATE|ALTER)\s(?:PUBLICATION|SUBSCRIPTION)\s[^;\\$]+);\s*"""
)
_RESTRICT = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]+\s*")


@dataclass(slots=True)
class PlainDump:
    """One pass over a plain dump."""

    name: str
    rows: int = 0
    """Rows of COPY, and INSERT statements."""
    left_out: int = 0
    """Statements about owners, privileges and the like."""
    complete: bool = False
    """Whether pg_dump's trailer was the last thing."""
    _line: int = 0
    _inside: bytes = b""
    """The literal or comment that the last line left open: a quote, `E'`, `$tag$` or `/*`."""
    _depth: int = 0
    _parentheses: int = 0
    _blocks: int = 0
    _statement: bytearray = field(default_factory=bytearray)
    _copying: bool = False

    def lines(self, source: IO[bytes]) -> Iterator[bytes]:
        """The lines that may go to psql.

        Raises:
            BackupFailed: one may not, or the dump is not whole.
        """
        try:
            while line := source.readline(_LONGEST_LINE):
                self._line += 1
                yield self._copied(line) if self._copying else self._read(line)
        except EOFError:
            raise BackupFailed("truncated", f"{self.name} ends in the middle of its gzip stream") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BackupFailed("corrupt", f"{self.name} cannot be decompressed: {error}") from None
        if self._copying or self._inside or not self.complete:
            raise BackupFailed(
                "truncated", f"{self.name} ends after line {self._line} without pg_dump's trailer: it is not whole"
            )

    def _copied(self, line: bytes) -> bytes:
        if line.rstrip(b"\r\n") == b"\\.":
            self._copying = False
            return line
        if b"\\" in line and _COPY_ESCAPE.search(line.replace(b"\\\\", b"")):
            self._refuse("an escape in COPY data that pg_dump does not write")
        self.rows += 1
        return line

    def _read(self, line: bytes) -> bytes:
        if not self._inside and not self._statement:
            if line.rstrip() == TRAILER:
                self.complete = True
                return line
            if _RESTRICT.fullmatch(line):
                return b"\n"  # ours is around it
            if _ODD.match(line):
                self._refuse("a setting under which literals could be read in two ways")
            if line[:1].isupper() and _LEFT_OUT.fullmatch(line):
                self.left_out += 1
                return b"\n"
        self._lex(line)
        return line

    def _lex(self, line: bytes) -> None:
        at = 0
        while at < len(line):
            if self._inside:
                at = self._close(line, at)
                continue
            found = _TOKEN.search(line, at)
            self._say(line[at : found.start() if found else len(line)])
            if found is None:
                return
            at = found.end()
            self._token(found[0], line, at)

    def _token(self, token: bytes, line: bytes, at: int) -> None:
        if token.startswith(b"--"):
            return
        if token == b"/*":
            self._inside, self._depth = token, 1
        elif token in (b"'", b'"') or token[:1] == b"$" or token[-1:] == b"'":
            self._inside = b"E'" if token in (b"e'", b"E'") else token
            self._say(b" '' ")
        elif token == b"\\":
            word = line[at - 1 : at + 30].split()[0].decode("ascii", "replace")
            self._refuse(f"{word}, a command of psql's, which pg_dump does not write")
        elif token in b"()":
            self._parentheses = max(0, self._parentheses + (1 if token == b"(" else -1))
            self._say(token)
        elif token == b";":
            self._end_of_statement(line, at)
        else:
            self._say(token)
            # In the body of a routine a semicolon ends no statement.
            if _ROUTINE.match(bytes(self._statement[:200])):
                self._blocks = max(0, self._blocks + (-1 if token.lower() == b"end" else 1))

    def _end_of_statement(self, line: bytes, at: int) -> None:
        if self._parentheses or self._blocks:
            return
        text = bytes(self._statement)
        self._statement.clear()
        if _COPY.match(text):
            if line[at:].strip():
                self._refuse("something after COPY … FROM stdin in its line")
            self._copying = True
        elif _INSERT.match(text):
            self.rows += 1

    def _close(self, line: bytes, at: int) -> int:
        """Go on to the end of what is open; where the line goes on after it."""
        if self._inside == b"/*":
            return self._close_comment(line, at)
        if self._inside[:1] == b"$":
            end = line.find(self._inside, at)
            after = len(line) if end < 0 else end + len(self._inside)
            if end >= 0:
                self._inside = b""
            return after
        # A doubled quote ends one literal and begins the next; only E'…' must know that it goes on as its kind.
        for found in _LITERAL[self._inside].finditer(line, at):
            if found[0] in (b"'", b'"'):
                self._inside = b""
                return found.end()
        return len(line)

    def _close_comment(self, line: bytes, at: int) -> int:
        for found in _COMMENT.finditer(line, at):
            self._depth += 1 if found[0] == b"/*" else -1
            if not self._depth:
                self._inside = b""
                return found.end()
        return len(line)

    def _say(self, text: bytes) -> None:
        if not text.strip() and not self._statement:
            return
        self.complete = False
        if len(self._statement) < _LONGEST_STATEMENT:
            self._statement += text

    def _refuse(self, what: str) -> None:
        raise BackupFailed("not-a-plain-dump", f"{self.name}:{self._line} has {what}; it was not restored")


def open_plain(path: Path) -> IO[bytes]:
    """The text of a plain dump, decompressed where it is compressed."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if compressed else path.open("rb")  # type: ignore[return-value]
