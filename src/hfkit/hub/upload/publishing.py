"""push: a finished run becomes a repository on the Hub, in one commit, looked through before and verified after."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfkit.base.errors import HfkitError
from hfkit.base.network import endpoint, hub_reachable
from hfkit.hub import bases, editions, verification
from hfkit.hub.refusals import LOGIN, unreachable
from hfkit.hub.upload import commits
from hfkit.hub.upload.bundle import bundle
from hfkit.hub.upload.readme import README
from hfkit.hub.upload.secrets import Secrets
from hfkit.runs.run import Run, reading

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Published:
    """What a push made.

    Attributes:
        repository: `user/name`.
        commit: The commit's full name: `hfkit.pipeline(repository, revision=commit)` is this model for ever.
        url: Its page.
        verified: Rows whose logits were compared; 0 where that was not wanted.
    """

    repository: str
    commit: str
    url: str
    verified: int


def push(
    run: Run | str | Path,
    repository: str,
    *,
    private: bool = False,
    revision: str = "main",
    tag: str | None = None,
    message: str | None = None,
    merged: bool = False,
    with_base: str | bool = False,
    overwrite_card: bool = False,
    dry_run: bool = False,
    verify: bool = True,
) -> Published | None:
    """Publish a finished run, and prove that it opens and answers as here.

    The repository is made where there is none. All files go into one commit on the branch's newest state, so nobody
    ever sees half a model. Then that commit is downloaded into an empty cache by a new process, opened as the card
    says, and its logits on stored examples are compared with the run's, bit for bit. The run is only read.

    The token is the Hub login's (`hf auth login`) or HF_TOKEN; HF_ENDPOINT leads to another Hub.

    Args:
        run: A finished run.
        repository: `user/name` or `organization/name`.
        private: Make a new repository private.
        revision: The branch, which is made where there is none.
        tag: A name for the commit, such as v1.
        message: The commit's.
        merged: Publish an adapter and its base as one model.
        with_base: Publish the adapter's base first, where it is not on the Hub: under this name, or with True as
            `<repository>-base`.
        overwrite_card: Put the card in the place of a README.md that was edited there; else what people wrote is kept.
        dry_run: List the files and show the card; no network.
        verify: Open and compare afterwards.

    Returns:
        What was published; None for a dry run.

    Raises:
        HfkitError: The run is not finished or damaged; a file holds a token or a private path; the Hub refuses; or
            what was published does not answer as the run, in which case the commit stands.
    """
    run = run if isinstance(run, Run) else Run(run)
    check_name(repository)
    base = f"{repository}-base" if with_base is True else with_base or None
    if base is not None:
        check_name(base)
    secrets = Secrets(_token(), [Path.cwd(), run.path])
    with ExitStack() as stack:
        with reading(run):
            made = editions.edition(run, stack, merged)
            if made.adapter:
                made.stand_on(*bases.planned(made.model, repository, base))
            files = bundle(made, repository, secrets)
        files.check(secrets)
        if dry_run:
            print(f"{repository} would get, in one commit:\n{files.listing()}\n\n{files.read('README.md').decode()}")
            return None
        api = connect(repository)
        stack.enter_context(_quiet())
        prepare(api, repository, private, revision, tag)
        if made.adapter:
            made.stand_on(*bases.publish(api, made.model, base, private, secrets))
            files = bundle(made, repository, secrets)
            files.check(secrets)
        print(f"{run.path} -> {repository}:\n{files.listing()}", flush=True)
        title = message or f"{run.info['name']}, by hfkit push"
        commit = commits.commit(api, repository, files, title, revision, overwrite_card=overwrite_card)
        return _proven(api, repository, commit, tag, made if verify else None)


def _proven(api: "HfApi", repository: str, commit: str, tag: str | None, made: "editions.Edition | None") -> Published:
    """What was published, tagged, and opened again as `made` answers; None is taken at its word."""
    if tag:
        commits.persist(lambda: api.create_tag(repository, tag=tag, revision=commit), repository)
    url = f"{api.endpoint}/{repository}"
    print(f"Published: {url} at {commit}", flush=True)
    return Published(repository, commit, url, _verified(made, api, repository, commit) if made else 0)


def check_name(repository: str) -> None:
    """Refuse what is no Hub id.

    Raises:
        HfkitError: It is not of the form owner/name.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
        if repository.count("/") != 1:
            raise HFValidationError("it has no owner")
    except HFValidationError as error:
        raise HfkitError(
            f"{repository!r} is no name for a repository", fix="a Hub id looks like owner/name, such as anna/bert_imdb"
        ) from error


def connect(repository: str) -> "HfApi":
    """The Hub, with a token that may write to `repository`.

    Raises:
        HfkitError: Nobody answers, there is no token, or it is unknown, may only read, or is of nobody who may write
            there.
    """
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE or not hub_reachable(endpoint()):
        raise unreachable(repository)
    api = HfApi(endpoint=endpoint())

    def ask() -> Any:
        return api.whoami()

    who = commits.persist(ask, repository)
    token = (who.get("auth") or {}).get("accessToken") or {}
    if token.get("role") == "read":
        raise HfkitError(f"the token of {who.get('name')} may only read, and {repository} would be written", fix=LOGIN)
    owner = repository.split("/")[0]
    organizations = {entry.get("name"): entry.get("roleInOrg") for entry in who.get("orgs") or []}
    if owner != who.get("name") and (owner not in organizations or organizations[owner] == "read"):
        why = "only read there" if owner in organizations else "no member of it"
        raise HfkitError(
            f"{who.get('name')} may not write to {owner}: {why}",
            fix=f"publish as {who.get('name')}/{repository.split('/')[1]}, or ask {owner} for the right to write",
        )
    return api


def prepare(
    api: "HfApi",
    repository: str,
    private: bool = False,
    revision: str = "main",
    tag: str | None = None,
    kind: str = "model",
) -> None:
    """Make repository and branch where there are none, and ask to send a file: what a token may do is known by trying.

    Nothing is sent. A token's role says little: a fine-grained one may write to some repositories, or to none.

    Raises:
        HfkitError: The token may not write there; there is a repository of this name and another kind; it is public
            and was to be private; the tag is taken; or the Hub refuses.
    """
    from huggingface_hub import CommitOperationAdd

    def make() -> None:
        if not api.repo_exists(repository, repo_type=kind):
            for other in {"model", "dataset", "space"} - {kind}:
                if api.repo_exists(repository, repo_type=other):
                    raise HfkitError(
                        f"{repository} is a repository of the kind {other}, and a {kind} would be published",
                        fix="choose another name: links to the two would be taken for each other",
                    )
            sdk = "gradio" if kind == "space" else None
            api.create_repo(repository, private=private or None, repo_type=kind, exist_ok=True, space_sdk=sdk)
        elif private and not api.repo_info(repository, repo_type=kind).private:
            raise HfkitError(
                f"{repository} is public, and was to be private",
                fix="make it private in its settings, or choose another name",
            )
        refs = api.list_repo_refs(repository, repo_type=kind)
        if tag and any(ref.name == tag for ref in refs.tags):
            raise HfkitError(f"{repository} has a tag {tag}", fix="choose another: a tag that moves is no tag")
        if revision not in ("main", *(ref.name for ref in refs.branches)):
            api.create_branch(repository, branch=revision, repo_type=kind, exist_ok=True)
        first = CommitOperationAdd(path_in_repo=README, path_or_fileobj=b"#")
        api.preupload_lfs_files(repository, [first], repo_type=kind, revision=revision)

    commits.persist(make, repository)


def _verified(made: editions.Edition, api: "HfApi", repository: str, commit: str) -> int:
    ways = " and with ".join(verification.NAMES[way] for way in made.ways)
    print(f"Opening it from an empty cache with {ways} ...", flush=True)
    rows = verification.verify(made, repository, commit, _token(), api.endpoint)
    print(f"It answers as the run does: the logits of {rows} examples are equal, bit for bit.")
    return rows


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's own warnings of each retry: a push says in the end what became of it."""
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
