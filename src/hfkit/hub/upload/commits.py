"""Commits: files into a repository, all at once or not at all, whatever the network and other people do."""

import hashlib
import io
import logging
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.hf_api import RepoFile

from hfkit.base.errors import HfkitError
from hfkit.hub.refusals import broken, refusal, retry_after, status_of
from hfkit.hub.upload import readme
from hfkit.hub.upload.bundle import Bundle

Result = TypeVar("Result")

FAULTS = 8
"""Faults of network or Hub in a row after which a push gives up. Waiting doubles from half a second: over a minute."""

CONFLICTS = 40
"""Commits of others that may come between: with twenty people pushing at once, the last waits for nineteen."""

LONGEST_WAIT = 60.0

# Of an older push in the same repository: weights of another kind beside ours would be a model that nobody trained.
_OURS = {
    "model": re.compile(
        r"[^/]+\.(safetensors|json|jinja|model|py|parquet|bin|h5|msgpack)|(vocab|merges)\.txt|report\.html"
    ),
    "dataset": re.compile(r"data/[^/]+\.parquet"),
    "space": re.compile(r"(model|examples)/[^/]+"),
}


def commit(
    api: HfApi,
    repository: str,
    files: Bundle,
    message: str,
    revision: str = "main",
    kind: str = "model",
    overwrite_card: bool = False,
) -> str:
    """Make the branch `revision` hold `files`, in one commit on its newest state. Returns the commit's name.

    A head that moved (412) or is locked (409) is read anew and built upon. A broken connection, 429 and 5xx are tried
    again after a wait, what has arrived is not sent twice, and an answer that got lost is looked for: a commit is not
    made twice. Model files of an earlier push that are not in `files` are deleted, other people's files stay, and so
    does, unless `overwrite_card`, what people wrote into README.md at the Hub (`hfkit.hub.upload.readme`), which is
    said. `kind` is model, dataset or space; the repository and the branch exist. Raises HfkitError: the Hub refuses, or
    faults and conflicts do not end."""
    digests = {path: _digests(content) for path, content in files.files.items()}

    def attempt() -> str:
        head = str(api.repo_info(repository, revision=revision, repo_type=kind).sha)
        there = tree(api, repository, head, kind)
        if readme.WRITTEN in files.files and not overwrite_card:
            ours = files.read(readme.WRITTEN).decode()
            text, said = readme.merged(ours, *readme.at_the_hub(api, repository, there, head, kind))
            files.files[readme.README] = text.encode()
            digests[readme.README] = _digests(text.encode())
            if said and said not in files.said:
                files.said.append(said)
                print(said, flush=True)
        stale = [path for path in there if path not in files.files and _OURS[kind].fullmatch(path)]
        if not stale and _holds(there, digests):
            return head
        operations: list[Any] = [CommitOperationDelete(path_in_repo=path) for path in stale]
        for path, content in sorted(files.files.items()):
            operations.append(CommitOperationAdd(path_in_repo=path, path_or_fileobj=content))
            # Known: a large file is not read again on each try.
            operations[-1].upload_info.sha256 = bytes.fromhex(digests[path]["sha256"])
        where: dict[str, Any] = {"revision": revision, "parent_commit": head, "repo_type": kind}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")  # the answers
            made = str(api.create_commit(repository, operations, commit_message=message, **where).oid)
        if not _holds(tree(api, repository, made, kind), digests):
            fix = "give the same command again; if it stays so, the Hub or the mirror is at fault"
            raise HfkitError(f"commit {made} of {repository} does not hold what was sent", fix=fix)
        return made

    return persist(attempt, repository)


def persist(attempt: Callable[[], Result], repository: str) -> Result:
    """Call `attempt` until it gives a result, within FAULTS and CONFLICTS. Raises HfkitError: what the Hub refuses for
    good, or the last fault."""
    faults = conflicts = 0
    while True:
        try:
            with _quiet():
                return attempt()
        except HfkitError:
            raise
        except Exception as error:
            status = status_of(error)
            moved = status in (409, 412)
            passing = status == 429 or (status or 0) >= 500 or (status is None and broken(error))
            conflicts, faults = conflicts + moved, faults + (passing and not moved)
            if not (moved or passing) or faults > FAULTS or conflicts > CONFLICTS or status == 507:
                raise refusal(error, repository) from error
            asked = retry_after(error)
            # Each waits for a time of its own, or those who met once meet again.
            wait = random.uniform(0.05, 0.5) * min(conflicts, 8) if moved else 0.5 * 2**faults * random.uniform(0.5, 1)
            time.sleep(min(wait if asked is None else asked, LONGEST_WAIT))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's own warnings of each retry: the end says what became of it."""
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def tree(api: HfApi, repository: str, revision: str, kind: str = "model") -> dict[str, str]:
    """The files at a revision: their path -> sha256 of large ones, git's object id of others."""
    entries = api.list_repo_tree(repository, recursive=True, revision=revision, repo_type=kind)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    return {file.path: str(file.lfs.sha256) if file.lfs else file.blob_id for file in files}


def matches(there: str | None, content: bytes | Path) -> bool:
    """Whether a file at the Hub, by what `tree` says of it, has the bytes of `content`."""
    return there in _digests(content).values()


def _holds(there: dict[str, str], digests: dict[str, dict[str, str]]) -> bool:
    return all(there.get(path) in digest.values() for path, digest in digests.items())


def _digests(content: bytes | Path) -> dict[str, str]:
    """Both names that a Hub may give a file, in one pass."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        while chunk := file.read(2**20):
            sha256.update(chunk)
            git.update(chunk)
    return {"sha256": sha256.hexdigest(), "git": git.hexdigest()}
