"""push: a finished run becomes a repository on the Hub, in one commit, looked through before and verified after."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from hfkit.base.errors import HfkitError
from hfkit.base.network import endpoint, hub_reachable
from hfkit.hub import bases, editions, verification
from hfkit.hub.refusals import LOGIN, unreachable
from hfkit.hub.upload import commits
from hfkit.hub.upload.bundle import Bundle, bundle
from hfkit.hub.upload.readme import README
from hfkit.hub.upload.secrets import Secrets
from hfkit.runs.run import Run, reading


@dataclass(frozen=True)
class Published:
    """What a push made."""

    repository: str  # `user/name`
    commit: str  # its full name: `hfkit.pipeline(repository, revision=commit)` is this model for ever
    url: str  # its page
    verified: int  # rows whose logits were compared; 0 where that was not wanted


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
    pictures: bool = True,
    dry_run: bool = False,
    verify: bool = True,
) -> Published | None:
    """Publish a finished run, and prove that it opens and answers as here.

    All files go into one commit on the branch's newest state, so nobody ever sees half a model. Then that commit is
    downloaded into an empty cache by a new process, opened as the card says, and its logits on stored examples are
    compared with the run's, bit for bit. The run is only read. The token is the Hub login's (`hf auth login`) or
    HF_TOKEN; HF_ENDPOINT leads to another Hub.

    Args:
        run: A finished run.
        repository: `user/name` or `organization/name`, made where there is none.
        private: Make a new repository private.
        revision: The branch, made where there is none.
        tag: A name for the commit, such as v1.
        message: The commit's.
        merged: Publish an adapter and its base as one model.
        with_base: Publish the adapter's base first, where it is not on the Hub: under this name, or with True as
            `<repository>-base`.
        overwrite_card: Put the card in the place of a README.md that was edited there; else what people wrote is kept.
        pictures: Publish the report as it is, and a card with a row of pictures; else without pictures of the data.
        dry_run: List the files and show the card, without a network; the answer is None.
        verify: Open and compare afterwards.

    Raises:
        HfkitError: The run is not finished or damaged; a file holds a token or a private path; the Hub refuses; or
            what was published does not answer as the run, in which case the commit stands."""
    run = run if isinstance(run, Run) else Run(run)
    base = f"{repository}-base" if with_base is True else with_base or None
    check_name(repository)
    if base:
        check_name(base)
    secrets = Secrets(get_token(), [Path.cwd(), run.path])
    with ExitStack() as stack:
        made, files = _planned(run, repository, base, secrets, stack, merged=merged, pictures=pictures)
        if dry_run:
            show(files, repository)
            return None
        api = connect(repository)
        prepare(api, repository, private, revision, tag)
        if made.adapter:
            made.stand_on(*bases.publish(api, made.model, base, private, secrets))
            files = bundle(made, repository, secrets)
        message = message or f"{run.info['name']}, by hfkit push"
        commit = send(api, files, repository, run.path, message, revision, tag=tag, overwrite_card=overwrite_card)
        rows = _verified(made, api, repository, commit) if verify else 0
    return Published(repository, commit, f"{api.endpoint}/{repository}", rows)


def _planned(
    run: Run, repository: str, base: str | None, secrets: Secrets, stack: ExitStack, **form: bool
) -> tuple["editions.Edition", Bundle]:
    """What will be sent, as far as it is known without a Hub."""
    with reading(run):
        made = editions.edition(run, stack, **form)
        if made.adapter:
            made.stand_on(*bases.planned(made.model, repository, base))
        return made, bundle(made, repository, secrets)


def publish(
    files: Bundle, repository: str, source: Any, message: str, kind: str, private: bool, overwrite: bool, dry_run: bool
) -> str | None:
    """Make `repository` where there is none, and send it the files of a data set or a Space; the commit's name."""
    if dry_run:
        show(files, repository)
        return None
    api = connect(repository)
    prepare(api, repository, private, kind=kind)
    return send(api, files, repository, source, message, kind=kind, overwrite_card=overwrite)


def show(files: Bundle, repository: str) -> None:
    """What a dry run prints."""
    print(f"{repository} would get, in one commit:\n{files.listing()}\n\n{files.read(README).decode()}")


def send(
    api: HfApi,
    files: Bundle,
    repository: str,
    source: Any,
    message: str,
    revision: str = "main",
    *,
    kind: str = "model",
    tag: str | None = None,
    overwrite_card: bool = False,
) -> str:
    """One commit, told before and after; its name."""
    print(f"{source} -> {repository}:\n{files.listing()}", flush=True)
    commit = commits.commit(api, repository, files, message, revision, kind, overwrite_card)
    if tag:
        commits.persist(lambda: api.create_tag(repository, tag=tag, revision=commit), repository)
    place = {"model": "", "dataset": "datasets/", "space": "spaces/"}[kind]
    print(f"Published: {api.endpoint}/{place}{repository} at {commit}", flush=True)
    return commit


def check_name(repository: str) -> None:
    """Refuse what is no Hub id. Raises HfkitError: it is not of the form owner/name."""
    try:
        validate_repo_id(repository)
        if repository.count("/") != 1:
            raise HFValidationError("it has no owner")
    except HFValidationError as error:
        what = f"{repository!r} is no name for a repository"
        raise HfkitError(what, fix="a Hub id looks like owner/name, such as anna/bert_imdb") from error


def connect(repository: str) -> HfApi:
    """The Hub, with a token that may write to `repository`. Raises HfkitError: nobody answers, there is no token, or it
    is unknown, may only read, or is of nobody who may write there."""
    if constants.HF_HUB_OFFLINE or not hub_reachable(endpoint()):
        raise unreachable()
    api = HfApi(endpoint=endpoint())
    who: Any = commits.persist(lambda: api.whoami(), repository)
    token = (who.get("auth") or {}).get("accessToken") or {}
    if token.get("role") == "read":
        raise HfkitError(f"the token of {who.get('name')} may only read, and {repository} would be written", fix=LOGIN)
    owner = repository.split("/")[0]
    organizations = {entry.get("name"): entry.get("roleInOrg") for entry in who.get("orgs") or []}
    if owner != who.get("name") and (owner not in organizations or organizations[owner] == "read"):
        why = "only read there" if owner in organizations else "no member of it"
        fix = f"publish as {who.get('name')}/{repository.split('/')[1]}, or ask {owner} for the right to write"
        raise HfkitError(f"{who.get('name')} may not write to {owner}: {why}", fix=fix)
    return api


def prepare(
    api: HfApi,
    repository: str,
    private: bool = False,
    revision: str = "main",
    tag: str | None = None,
    kind: str = "model",
) -> None:
    """Make repository and branch where there are none, and ask to send a file, without sending it: a token's role says
    little. Raises HfkitError: the token may not write there; there is a repository of this name and another kind; it is
    public and was to be private; the tag is taken; or the Hub refuses."""

    def make() -> None:
        if not api.repo_exists(repository, repo_type=kind):
            for other in {"model", "dataset", "space"} - {kind}:
                if api.repo_exists(repository, repo_type=other):
                    what = f"{repository} is a repository of the kind {other}, and a {kind} would be published"
                    raise HfkitError(what, fix="choose another name: links to the two would be taken for each other")
            sdk = "gradio" if kind == "space" else None
            api.create_repo(repository, private=private or None, repo_type=kind, exist_ok=True, space_sdk=sdk)
        elif private and not api.repo_info(repository, repo_type=kind).private:
            fix = "make it private in its settings, or choose another name"
            raise HfkitError(f"{repository} is public, and was to be private", fix=fix)
        refs = api.list_repo_refs(repository, repo_type=kind)
        if tag and any(ref.name == tag for ref in refs.tags):
            raise HfkitError(f"{repository} has a tag {tag}", fix="choose another: a tag that moves is no tag")
        if revision not in ("main", *(ref.name for ref in refs.branches)):
            api.create_branch(repository, branch=revision, repo_type=kind, exist_ok=True)
        first = CommitOperationAdd(path_in_repo=README, path_or_fileobj=b"#")
        api.preupload_lfs_files(repository, [first], repo_type=kind, revision=revision)

    commits.persist(make, repository)


def _verified(made: editions.Edition, api: HfApi, repository: str, commit: str) -> int:
    ways = " and with ".join(verification.NAMES[way] for way in made.ways)
    print(f"Opening it from an empty cache with {ways} ...", flush=True)
    rows = verification.verify(made, repository, commit, get_token(), api.endpoint)
    print(f"It answers as the run does: the logits of {rows} examples are equal, bit for bit.")
    return rows
