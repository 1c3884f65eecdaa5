"""The Hub's HTTP API as huggingface_hub 2.4 calls it: a request and what is kept -> an answer."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from hub_store import Account, Commit, File, Repository, Store

LARGE = (".safetensors", ".bin", ".pt", ".onnx", ".parquet", ".h5", ".msgpack")
_ID = r"([^/]+/[^/]+)"


@dataclass
class Request:
    method: str
    path: str
    query: str
    body: bytes
    token: str | None
    base: str

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"


class Refusal(Exception):
    """An error answer: its status, the sentence and the code that huggingface_hub reads."""

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}

    def answer(self) -> Answer:
        headers = {"X-Error-Message": self.message, **self.headers}
        if self.code:
            headers["X-Error-Code"] = self.code
        return Answer({"error": self.message}, self.status, headers)


def route(
    store: Store, accounts: dict[str, Account], request: Request, lfs_above: int, space: int | None = None
) -> Answer:
    """What the Hub answers."""
    account = accounts.get(request.token or "")
    if request.token and account is None:
        raise Refusal(401, "Invalid credentials in Authorization header")
    path = request.path
    if path == "/api/whoami-v2":
        return _whoami(account)
    if path == "/api/validate-yaml":
        return Answer({"errors": [], "warnings": []})
    if path == "/api/repos/create":
        return _create(store, account, request)
    if found := re.fullmatch(r"/_lfs/([0-9a-f]{64})(/verify)?", path):
        return _lfs_object(store, request, found[1], bool(found[2]), space)
    if found := re.fullmatch(rf"/(?:(datasets|spaces)/)?{_ID}\.git/info/lfs/objects/batch", path):
        _writable(store, account, (found[1] or "models")[:-1], found[2])
        return _lfs_batch(store, request)
    if found := re.fullmatch(rf"/(?:(datasets|spaces)/)?{_ID}/resolve/([^/]+)/(.+)", path):
        repository = _readable(store, account, (found[1] or "models")[:-1], found[2])
        return _resolve(store, repository, unquote(found[3]), unquote(found[4]))
    found = re.fullmatch(rf"/api/(models|datasets|spaces)/{_ID}(?:/([a-z-]+)(?:/([^/]+)(?:/(.*))?)?)?", path)
    if not found:
        raise Refusal(404, f"not a part of this Hub: {request.method} {path}")
    kind, name, verb = found[1][:-1], found[2], found[3] or "revision"
    revision, rest = unquote(found[4] or "main"), unquote(found[5] or "")
    if verb in ("preupload", "commit", "branch", "tag"):
        repository = _writable(store, account, kind, name)
        return _CHANGES[verb](store, repository, request, revision, lfs_above)
    return _read(_readable(store, account, kind, name), name, verb, revision, rest, request)


def _whoami(account: Account | None) -> Answer:
    if account is None:
        raise Refusal(401, "Invalid credentials in Authorization header")
    token = {"displayName": "a test's token", "role": account.role}
    organizations = [{"type": "org", "name": name} for name in account.organizations]
    who = {"type": "user", "id": "1", "name": account.name, "fullname": account.name, "orgs": organizations}
    return Answer(who | {"auth": {"type": "access_token", "accessToken": token}})


def _create(store: Store, account: Account | None, request: Request) -> Answer:
    asked = request.json()
    if account is None:
        raise Refusal(401, "Invalid credentials in Authorization header")
    kind = asked.get("type") or "model"
    name = f"{asked.get('organization') or account.name}/{asked['name']}"
    if not account.may_write(name):
        raise Refusal(403, f"You don't have the rights to create a {kind} under the namespace {name.split('/')[0]!r}")
    url = f"{request.base}/{'' if kind == 'model' else kind + 's/'}{name}"
    if (kind, name) in store.repositories:
        return Answer({"error": f"You already created this {kind} repo", "url": url}, 409)
    hidden = asked.get("visibility") == "private" or bool(asked.get("private"))  # clients before and after 2.0
    store.create(kind, name, private=hidden)
    return Answer({"url": url, "name": name, "id": "0" * 24})


def _readable(store: Store, account: Account | None, kind: str, name: str) -> Repository:
    repository = store.repositories.get((kind, name))
    hidden = repository is not None and repository.private and account is None
    if repository is None or hidden:
        raise Refusal(404 if account else 401, "Repository not found", "RepoNotFound")
    return repository


def _writable(store: Store, account: Account | None, kind: str, name: str) -> Repository:
    repository = _readable(store, account, kind, name)
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    if not account.may_write(name):
        raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
    return repository


def _commit_of(repository: Repository, revision: str) -> Commit:
    commit = repository.resolve(revision)
    if commit is None:
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return commit


# Large files


def _lfs_batch(store: Store, request: Request) -> Answer:
    objects = []
    for asked in request.json()["objects"]:
        entry = {"oid": asked["oid"], "size": asked["size"]}
        if asked["oid"] not in store.blobs:
            href = f"{request.base}/_lfs/{asked['oid']}"
            entry["actions"] = {name: {"href": href + end} for name, end in (("upload", ""), ("verify", "/verify"))}
        objects.append(entry)
    return Answer({"transfer": "basic", "objects": objects}, kind="application/vnd.git-lfs+json")


def _lfs_object(store: Store, request: Request, oid: str, verify: bool, space: int | None) -> Answer:
    if verify:
        whole = len(store.blobs.get(oid, b"")) == request.json()["size"]
        return Answer({"success": whole}, 200 if whole else 404)
    if space is not None and sum(map(len, store.blobs.values())) + len(request.body) > space:
        raise Refusal(403, "Storage limit reached, please upgrade your plan to increase your private storage limit.")
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise Refusal(422, "the bytes do not have this sha256")
    store.blobs[oid] = request.body
    return Answer(headers={"ETag": f'"{oid}"'})


def _resolve(store: Store, repository: Repository, revision: str, path: str) -> Answer:
    commit = _commit_of(repository, revision)
    headers = {"X-Repo-Commit": commit.sha}
    file = commit.files.get(path)
    if file is None:
        raise Refusal(404, "Entry not found", "EntryNotFound", headers)
    headers |= {"ETag": f'"{file.key}"', "Accept-Ranges": "bytes"}
    if file.sha256:
        headers |= {"X-Linked-Size": str(file.size), "X-Linked-Etag": f'"{file.sha256}"'}
    return Answer(store.blobs[file.key], headers=headers, kind="application/octet-stream")


# What changes a repository


def _preupload(store: Store, repository: Repository, request: Request, revision: str, lfs_above: int) -> Answer:
    there = _commit_of(repository, revision).files
    found = []
    for asked in request.json()["files"]:
        large = asked["size"] > 0 and (asked["path"].endswith(LARGE) or asked["size"] > lfs_above)
        known = there.get(asked["path"])
        entry = {"path": asked["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        found.append(entry | {"oid": known.key if known else None})
    return Answer({"files": found})


def _commit(store: Store, repository: Repository, request: Request, revision: str, lfs_above: int) -> Answer:
    if revision not in repository.branches:
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    head = _commit_of(repository, revision)
    files, header = dict(head.files), {}
    for line in request.body.splitlines():
        entry = json.loads(line)
        key, value = entry["key"], entry["value"]
        if key == "header":
            header = value
        elif key == "file":
            files[value["path"]] = store.keep(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            large = store.lfs(value["oid"])
            if large is None:
                raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
            files[value["path"]] = large
        elif key == "deletedFile" and files.pop(value["path"], None) is None:
            raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
    if header.get("parentCommit") not in (None, head.sha):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    made = repository.commit(revision, header.get("summary", ""), files)
    page = request.path.split("/commit/")[0].removeprefix("/api/").removeprefix("models/")
    return Answer({"success": True, "commitOid": made.sha, "commitUrl": f"{request.base}/{page}/commit/{made.sha}"})


def _branch(store: Store, repository: Repository, request: Request, revision: str, lfs_above: int) -> Answer:
    if revision in repository.branches:
        raise Refusal(409, "Reference already exists")
    start = request.json().get("startingPoint", "main")
    repository.branches[revision] = _commit_of(repository, start).sha
    return Answer({"success": True})


def _tag(store: Store, repository: Repository, request: Request, revision: str, lfs_above: int) -> Answer:
    name = request.json()["tag"]
    if name in repository.tags:
        raise Refusal(409, "Tag reference exists already")
    repository.tags[name] = _commit_of(repository, revision).sha
    return Answer({})


_CHANGES = {"preupload": _preupload, "commit": _commit, "branch": _branch, "tag": _tag}


# What is only read


def _read(repository: Repository, name: str, verb: str, revision: str, rest: str, request: Request) -> Answer:
    if verb == "refs":
        pairs = {"branches": ("heads", repository.branches), "tags": ("tags", repository.tags)}
        refs = {
            key: [{"name": ref, "ref": f"refs/{folder}/{ref}", "targetCommit": sha} for ref, sha in known.items()]
            for key, (folder, known) in pairs.items()
        }
        return Answer(refs | {"converts": [], "pullRequests": []})
    commit = _commit_of(repository, revision)
    if verb == "revision":
        return Answer(_info(repository, name, commit, "blobs" in parse_qs(request.query)))
    if verb == "commits":
        history = repository.history(revision)
        rows = [{"id": one.sha, "title": one.title, "message": "", "date": one.date, "authors": []} for one in history]
        return Answer(rows)
    if verb == "tree":
        inside = {path: file for path, file in commit.files.items() if path.startswith(rest)}
        return Answer([_entry(path, file) for path, file in sorted(inside.items())])
    if verb == "paths-info":
        paths = parse_qs(request.body.decode()).get("paths", [])
        return Answer([_entry(path, commit.files[path]) for path in paths if path in commit.files])
    raise Refusal(404, f"not a part of this Hub: {verb}")


def _info(repository: Repository, name: str, commit: Commit, blobs: bool) -> dict[str, Any]:
    siblings = []
    for path, file in sorted(commit.files.items()):
        entry: dict[str, Any] = {"rfilename": path}
        if blobs:
            entry |= {"size": file.size, "blobId": file.oid}
            entry |= {"lfs": {"sha256": file.sha256, "size": file.size, "pointerSize": 134}} if file.sha256 else {}
        siblings.append(entry)
    dates = {"lastModified": commit.date, "createdAt": commit.date}
    counts = {"downloads": 0, "likes": 0, "tags": [], "gated": False, "disabled": False}
    names = {"_id": "0" * 24, "id": name, "modelId": name, "author": name.split("/")[0], "sha": commit.sha}
    return names | dates | counts | {"private": repository.private, "siblings": siblings}


def _entry(path: str, file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": file.size, "oid": file.oid}
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
    return entry
