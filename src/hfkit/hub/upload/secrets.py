"""Secrets: tokens and private paths, found in every byte before it is sent."""

import getpass
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# How home folders and the tokens of services begin, and what then makes one. The beginning is searched for first: a
# gigabyte of weights holds each by chance, and the whole of none.
_KINDS: dict[bytes, tuple[str, re.Pattern[bytes]]] = {
    b"hf_": ("a Hugging Face token", re.compile(rb"hf_[A-Za-z0-9]{20,}")),
    b"api_org_": ("a Hugging Face token", re.compile(rb"api_org_[A-Za-z0-9]{20,}")),
    b"ghp_": ("a GitHub token", re.compile(rb"ghp_[A-Za-z0-9]{30,}")),
    b"github_pat_": ("a GitHub token", re.compile(rb"github_pat_\w{30,}")),
    b"sk-": ("an API key", re.compile(rb"sk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{32,}")),
    b"AKIA": ("an AWS key", re.compile(rb"AKIA[0-9A-Z]{16}(?![0-9A-Za-z])")),
    b"xox": ("a Slack token", re.compile(rb"xox[abprs]-[0-9A-Za-z-]{20,}")),
    b"AIza": ("a Google key", re.compile(rb"AIza[0-9A-Za-z_-]{35}")),
    b"-----BEGIN ": ("a private key", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    b"/home/": ("a home folder", re.compile(rb"/home/[\w.-]+/")),
    b"/Users/": ("a home folder", re.compile(rb"/Users/[\w.-]+/")),
    b":\\": ("a home folder", re.compile(rb":\\+Users\\+[\w.-]+\\")),
}
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)
SHORTEST = 10  # characters of a variable's value below which it is no secret, but a word such as `false`


@dataclass(frozen=True)
class Finding:
    """What stands in a file that nobody else may read. `shown` is never the secret itself."""

    kind: str
    shown: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.kind} ({self.shown})" if self.shown else self.kind


class Secrets:
    """What is secret on this machine: tokens by their look and by their value, the home folder, the user's name; the
    Hub's token of this session, which may look like nothing in particular; and the place of further `folders`, such as
    the working folder."""

    def __init__(self, token: str | None = None, folders: list[Path] | None = None) -> None:
        values = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
        values = {value for value in values if len(value) >= SHORTEST and not Path(value).exists()}
        self._values = sorted((value.encode() for value in values | ({token} if token else set())), key=len)
        places = {Path.home(), Path.home().resolve(), *(folder.absolute() for folder in folders or [])}
        self._places = sorted({str(place) for place in places if len(place.parts) > 1}, key=len, reverse=True)
        self._user = _user()
        name = re.escape(self._user.encode())
        # In a path, or before an @: as a mere word a name such as anna or root stands in every vocabulary.
        self._named = re.compile(rb"[/\\](?:[\w-]*-)?" + name + rb"(?=[/\\])|\b" + name + rb"@[\w-]+") if name else None

    def search(self, content: "bytes | mmap.mmap") -> list[Finding]:
        """Every secret in `content`, in order."""
        known = ((value, at) for value in self._values for at in _places_of(content, value))
        found = [Finding("a token of this session", "", at, at + len(value)) for value, at in known]
        for beginning, (kind, pattern) in _KINDS.items():
            for at in _places_of(content, beginning):
                match = pattern.match(content, at)
                if match:
                    shown = "" if kind != "a home folder" else match[0].decode(errors="replace")
                    found.append(Finding(kind, shown or match[0][:6].decode() + "…", *match.span()))
        for place in self._places:
            for at in _places_of(content, place.encode()):
                end = at + len(place.encode())
                # Bare, a name such as /root stands in vocabularies; /home/anna stands in none.
                if re.match(rb"[/\\]+[\w.]", content[end : end + 3]) or place.count("/") > 1:
                    found.append(Finding("a folder of this machine", place, at, end))
        if self._named is not None:
            for at in _places_of(content, self._user.encode()):
                match = self._named.search(content, max(0, at - 40), at + len(self._user) + 40)
                if match and match.start() <= at < match.end():
                    found.append(Finding("the name of this machine's user", "", *match.span()))
        return sorted(found, key=lambda finding: (finding.start, finding.end))

    def search_file(self, path: Path) -> list[Finding]:
        """Every secret in a file, which is not read into memory."""
        if path.stat().st_size == 0:
            return []
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return self.search(content)

    def without(self, text: str) -> tuple[str, list[str]]:
        """A text that a run writes about itself with tokens taken out and private paths cut to their last part, and
        what was found. What a program reads is not changed, but refused."""
        said: list[str] = []
        content = text.encode("utf-8", "surrogatepass")
        for _ in range(100):  # what is cut may uncover the next; a text that never ends would be a fault of ours
            found = self.search(content)
            if not found:
                break
            parts, end = [], 0
            for finding in found:
                if finding.start < end:
                    continue
                said.append(str(finding))
                is_path = "folder" in finding.kind or "user" in finding.kind
                removed = finding.start, finding.end, b"[removed]"
                start, stop, kept = _path_around(content, finding) if is_path else removed
                parts += [content[end : max(start, end)], kept]
                end = max(stop, end)
            content = b"".join([*parts, content[end:]])
        return content.decode("utf-8", "surrogatepass"), said


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return ""
    return name if len(name) > 2 else ""  # two letters stand in any gigabyte of weights; the home folder is looked for


def _places_of(content: "bytes | mmap.mmap", part: bytes) -> Iterator[int]:
    at = content.find(part)
    while at >= 0:
        yield at
        at = content.find(part, at + 1)


_PATH = re.compile(rb"[^\s\"'<>|*?;,()\[\]{}=&]*")
_BEFORE = re.compile(rb"[^\s\"'<>|*?;,()\[\]{}=&]*\Z")


def _path_around(content: bytes, finding: Finding) -> tuple[int, int, bytes]:
    """Where the path begins and ends in which something private stands, and its file's name; of a bare home folder
    nothing is left but `~`."""
    before = _BEFORE.search(content, max(0, finding.start - 500), finding.start)
    after = _PATH.match(content, finding.end)
    start, stop = before.start() if before else finding.start, after.end() if after else finding.end
    parts = [part for part in re.split(rb"[/\\]+", content[start:stop]) if part]
    return start, stop, parts[-1] if len(parts) > 2 else b"~"
