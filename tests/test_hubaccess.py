"""The Hub out of reach: said at once, with every way out, and the cache used where it can be."""

import socket
import time
from collections.abc import Iterator

import huggingface_hub.constants
import pytest

from hfkit.base import network
from hfkit.base.errors import HfkitError
from hfkit.data.load import load_data

WAYS_OUT = ("--demo", "--dataset PATH --model FOLDER", "HF_ENDPOINT", "HF_HUB_OFFLINE=1")


@pytest.fixture
def dead_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address of this machine at which nobody answers, taken for the Hub."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    network.hub_reachable.cache_clear()
    yield address
    network.hub_reachable.cache_clear()


def test_a_card_whose_source_is_out_of_reach_names_the_ways_out(dead_hub: str) -> None:
    began = time.monotonic()
    with pytest.raises(HfkitError) as caught:
        load_data("imdb")
    assert time.monotonic() - began < 5
    message = str(caught.value)
    assert "data set stanfordnlp/imdb" in message and dead_hub in message
    assert all(way in message for way in WAYS_OUT)


def test_offline_by_choice_is_the_same_message() -> None:
    with pytest.raises(HfkitError) as caught:
        load_data("sst2")
    assert "HF_HUB_OFFLINE is set" in str(caught.value)
    assert all(way in str(caught.value) for way in WAYS_OUT)


def test_without_a_connection_the_cache_answers_and_it_is_said(
    dead_hub: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with network.hub_access("model a/b"):
        assert huggingface_hub.constants.HF_HUB_OFFLINE is True
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False
    assert "model a/b was read from the cache" in capsys.readouterr().err


def test_a_missing_cache_entry_of_a_model_is_an_unreachable_hub(dead_hub: str) -> None:
    from huggingface_hub import hf_hub_download

    with (
        pytest.raises(HfkitError, match="cache on this machine does not hold the model a/b"),
        network.hub_access("model a/b"),
    ):
        hf_hub_download("a/b", "config.json")
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False


def test_other_errors_pass_through_untouched() -> None:
    with pytest.raises(ZeroDivisionError), network.hub_access("model a/b"):
        _ = 1 / 0
    with pytest.raises(HfkitError, match=r"^mine$"), network.hub_access("model a/b"):
        raise HfkitError("mine")


def test_a_refusal_is_known_below_the_library_s_own_error() -> None:
    from huggingface_hub.errors import RevisionNotFoundError

    with pytest.raises(HfkitError, match="model a/b has no such revision"), network.hub_access("model a/b"):
        try:
            raise RevisionNotFoundError.__new__(RevisionNotFoundError)
        except RevisionNotFoundError as error:
            raise OSError("v9 is not a valid git identifier") from error


def test_reachable_means_that_something_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert network.hub_reachable(f"http://127.0.0.1:{server.getsockname()[1]}")
    network.hub_reachable.cache_clear()


def test_connection_errors_are_known_by_their_cause() -> None:
    try:
        try:
            raise TimeoutError("read")
        except TimeoutError as inner:
            raise ConnectionError("no") from inner
    except ConnectionError as error:
        wrapped = OSError("We couldn't connect to 'https://huggingface.co'")
        assert network.connection_failed(error) and network.connection_failed(wrapped)
    assert not network.connection_failed(ValueError("bad config"))


@pytest.mark.parametrize(
    "value",
    ["hf-mirror.com", "https//hf-mirror.com", "https://", "", "http://[::1", "http://x:port", "https://a b", "ftp://x"],
)
def test_a_malformed_endpoint_is_called_so(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", value)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(HfkitError, match="HF_ENDPOINT is no address: ") as caught, network.hub_access("model a/b"):
        pass
    assert repr(value) in str(caught.value)
