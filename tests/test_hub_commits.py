"""One commit or none: whatever the network and others do, a head is the old state or the whole new one."""

import threading
from typing import Any

import pytest
from hub_faults import CUT, LOST, MOVED, SLOW, Fault
from hub_store import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hfkit.base.errors import HfkitError
from hfkit.hub.upload import commits
from hfkit.hub.upload.bundle import Bundle
from hfkit.hub.upload.publishing import connect, prepare

NAME = "tester/model"
COMMIT, PREUPLOAD, BATCH, PUT, HEAD = (
    "POST .*/commit/",
    "POST .*/preupload/",
    "POST .*/batch",
    "PUT /_lfs",
    "GET .*/tree/",
)


def files(number: int) -> Bundle:
    """A model in which every file tells which one it is."""
    mark = f"model {number}\n".encode()
    weights = mark + bytes(range(256)) * 20
    return Bundle({"config.json": b"{}" + mark, "model.safetensors": weights, "README.md": b"# " + mark})


def sent(number: int) -> dict[str, bytes]:
    return {path: content for path, content in files(number).files.items() if isinstance(content, bytes)}


@pytest.fixture
def api(hub: Any) -> Any:
    found = connect(NAME)
    prepare(found, NAME)
    return found


def test_one_commit_on_the_head_and_nothing_sent_twice(hub: Any, api: Any) -> None:
    first = commits.commit(api, NAME, files(1), "one")
    changed = files(1)
    changed.files["config.json"] = b"{}changed"
    hub.requests.clear()
    second = commits.commit(api, NAME, changed, "two")
    repository = hub.store.repositories["model", NAME]
    assert [commit.sha for commit in repository.history("main")][:2] == [second, first]
    assert not [line for line in hub.requests if line.startswith("PUT")], "the weights are there already"
    assert commits.commit(api, NAME, changed, "three") == second, "nothing changed, so there is no commit"


def test_model_files_of_an_earlier_push_go_and_other_peoples_stay(hub: Any, api: Any) -> None:
    older = Bundle({"adapter_model.safetensors": b"a" * 2000, "adapter_config.json": b"{}", "LICENSE": b"mine"})
    commits.commit(api, NAME, older, "an adapter")
    commits.commit(api, NAME, files(1), "a whole model")
    assert hub.store.files(NAME) == sent(1) | {"LICENSE": b"mine"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(COMMIT, 412),
        Fault(COMMIT, 409, times=3),
        Fault(COMMIT, 500, times=2),
        Fault(COMMIT, 503),
        Fault(COMMIT, LOST),
        Fault(COMMIT, CUT),
        Fault(PREUPLOAD, 429, headers={"Retry-After": "3"}),
        Fault(BATCH, 502),
        Fault(PUT, CUT, times=2),
        Fault(PUT, LOST),
        Fault(PUT, SLOW),
        Fault(HEAD, 500),
    ],
    ids=lambda fault: f"{fault.on[-8:]} {fault.what}",
)
def test_a_passing_fault_passes(hub: Any, api: Any, fault: Fault) -> None:
    hub.order(fault)
    commits.commit(api, NAME, files(1), "one")
    assert hub.store.files(NAME) == sent(1)
    assert len(hub.store.repositories["model", NAME].commits) == 2, "a commit whose answer got lost is not made twice"
    assert hub.faults.struck[fault.what] == fault.times or fault.times == 0


def test_the_hubs_wish_to_wait_is_followed(hub: Any, api: Any) -> None:
    hub.order(Fault(COMMIT, 429, headers={"Retry-After": "7"}))
    commits.commit(api, NAME, files(1), "one")
    assert 7.0 in hub.waits


def test_what_does_not_pass_is_told_and_nothing_is_published(hub: Any, api: Any) -> None:
    hub.order(Fault(COMMIT, 500, times=1000, message="the Hub is ill"))
    with pytest.raises(HfkitError, match="the Hub is ill"):
        commits.commit(api, NAME, files(1), "one")
    assert hub.faults.struck[500] == commits.FAULTS + 1
    hub.faults.ordered.clear()
    hub.order(Fault(COMMIT, 412, times=1000))
    with pytest.raises(HfkitError):
        commits.commit(api, NAME, files(1), "one")
    assert hub.faults.struck[412] == commits.CONFLICTS + 1
    assert hub.store.files(NAME) == {}


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (None, "does not know the token"),
        (Account("tester", role="read"), "may only read"),
        (Account("somebody"), "somebody may not write to tester: no member"),
    ],
)
def test_a_token_that_may_not_is_told_before_anything_is_sent(hub: Any, account: Any, said: str) -> None:
    hub.accounts = {} if account is None else {"hf_test": account}
    with pytest.raises(HfkitError, match=said):
        connect(NAME)
    assert not hub.store.repositories


def test_no_token_no_space_no_type(hub: Any, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.space = 100
    with pytest.raises(HfkitError, match="no space left"):
        commits.commit(api, NAME, files(1), "one")
    assert hub.store.files(NAME) == {}
    hub.store.create("dataset", "tester/data")
    with pytest.raises(HfkitError, match="is a repository of the kind dataset"):
        prepare(api, "tester/data")
    with pytest.raises(HfkitError, match="is public"):
        prepare(api, NAME, private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HfkitError, match=r"no token .*(?s:.*)hf auth login"):
        connect(NAME)


FAULTS = st.builds(
    Fault,
    on=st.sampled_from([COMMIT, PREUPLOAD, BATCH, PUT, HEAD, "/verify", "GET .*/revision/"]),
    what=st.sampled_from([409, 412, 429, 500, 503, 401, 403, CUT, LOST, MOVED]),
    times=st.integers(1, 4),
)


@pytest.mark.pain("push-conflict")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FAULTS, max_size=5))
def test_after_any_faults_the_head_is_the_old_commit_or_the_whole_new_one(hub: Any, faults: list[Fault]) -> None:
    hub.store.repositories.clear()
    hub.store.blobs.clear()
    hub.faults.ordered.clear()
    api = connect(NAME)
    prepare(api, NAME)
    repository = hub.store.repositories["model", NAME]
    others: list[str] = []

    def somebody_else() -> None:
        with hub.store.lock:
            made = repository.commit(
                "main", "else", {**repository.resolve("main").files, "NOTES": hub.store.keep(b"x")}
            )
            others.append(made.sha)

    for fault in faults:
        fault.act = somebody_else
    hub.order(*faults)
    try:
        made = commits.commit(api, NAME, files(2), "two")
    except HfkitError:
        made = None
    for commit in repository.history("main"):
        there = {path: hub.store.blobs[file.key] for path, file in commit.files.items() if path != "NOTES"}
        assert there in ({}, sent(2)), "half a model was seen"
    if made is not None:
        assert hub.store.files(NAME).items() >= sent(2).items()
    ours = [commit for commit in repository.history("main") if commit.title == "two"]
    assert len(ours) <= 1 + len(others), "a commit was made twice"


@pytest.mark.pain("push-conflict")
def test_twenty_pushes_at_once_are_twenty_whole_commits_or_refusals(hub: Any, api: Any) -> None:
    refused: list[int] = []

    def push(number: int) -> None:
        try:
            commits.commit(api, NAME, files(number), f"push {number}")
        except HfkitError:
            refused.append(number)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = hub.store.repositories["model", NAME].history("main")
    whole = [sent(number) for number in range(20)]
    for commit in history[:-1]:
        there = {path: hub.store.blobs[file.key] for path, file in commit.files.items()}
        assert there in whole, "a mixture of two models"
    titles = {commit.title for commit in history[:-1]}
    assert titles | {f"push {number}" for number in refused} == {f"push {number}" for number in range(20)}
