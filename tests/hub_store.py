"""What a Hub keeps: repositories with commits, branches and tags, and the bytes of files, in memory."""

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field


def git_oid(content: bytes) -> str:
    """git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class File:
    """A file of a commit: git's object id, its size, and for LFS the sha256 under which its bytes lie."""

    oid: str
    size: int
    sha256: str | None = None

    @property
    def key(self) -> str:
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Commit:
    """A whole state of a repository. It never changes."""

    sha: str
    parent: str | None
    title: str
    date: str
    files: dict[str, File]


@dataclass
class Repository:
    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def resolve(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag or a commit's own name."""
        return self.commits.get(self.branches.get(revision) or self.tags.get(revision) or revision)

    def commit(self, branch: str, title: str, files: dict[str, File]) -> Commit:
        parent = self.branches.get(branch)
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        content = [parent, title, time.time_ns(), sorted((path, file.key) for path, file in files.items())]
        sha = hashlib.sha1(json.dumps(content).encode()).hexdigest()
        made = self.commits[sha] = Commit(sha, parent, title, date, dict(files))
        self.branches[branch] = sha
        return made

    def history(self, revision: str) -> list[Commit]:
        """The commits that led to a revision, the newest first."""
        found, commit = [], self.resolve(revision)
        while commit is not None:
            found.append(commit)
            commit = self.commits.get(commit.parent or "")
        return found


@dataclass
class Account:
    """Whom a token belongs to, and what it may do: role `read`, `write`, or `fineGrained` with what it may write to."""

    name: str
    role: str = "write"
    organizations: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def may_write(self, repository: str) -> bool:
        if self.role == "fineGrained":
            return repository in self.writes
        return self.role == "write" and repository.split("/")[0] in (self.name, *self.organizations)


@dataclass
class Store:
    """All repositories, by kind and id, and all bytes. Whoever touches them holds `lock`."""

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def create(self, kind: str, name: str, private: bool = False) -> Repository:
        made = self.repositories[kind, name] = Repository(private)
        made.commit("main", "initial commit", {})
        return made

    def keep(self, content: bytes) -> File:
        """An ordinary file of these bytes."""
        file = File(git_oid(content), len(content))
        self.blobs[file.key] = content
        return file

    def lfs(self, sha256: str) -> File | None:
        """A large file whose bytes were uploaded before."""
        if sha256 not in self.blobs:
            return None
        size = len(self.blobs[sha256])
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        return File(git_oid(pointer.encode()), size, sha256)

    def files(self, name: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """The bytes of every file at a revision."""
        commit = self.repositories[kind, name].resolve(revision)
        assert commit is not None
        return {path: self.blobs[file.key] for path, file in commit.files.items()}
