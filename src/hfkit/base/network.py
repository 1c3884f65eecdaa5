"""Reaching the Hub: fast when it is there, served from the cache when it is not, one clear message when neither helps.

The Hub's client retries a dead connection for half a minute, cached files or not; here it is tried once, for seconds.
"""

import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from hfkit.base import atomic
from hfkit.base.errors import HfkitError, causes

WAYS_OUT = (
    "run the embedded model and data with --demo; or give local files with --dataset PATH --model FOLDER;"
    " or set HF_ENDPOINT to a mirror (such as https://hf-mirror.com); or, with a filled cache, set HF_HUB_OFFLINE=1"
)


def hub_unreachable(what: str, error: BaseException | str | None = None) -> HfkitError:
    """The one message for a Hub that cannot be reached and a cache that lacks `what` ("data set stanfordnlp/imdb"); the
    first line of what the connection answered is repeated."""
    reason = str(error).strip().splitlines()[0] if error and str(error).strip() else None
    told = f"The Hub cannot be reached, and its cache on this machine does not hold the {what}"
    return HfkitError(told, where=f"{endpoint()} ({reason})" if reason else endpoint(), fix=WAYS_OUT)


def endpoint() -> str:
    """The Hub's address: HF_ENDPOINT, or the Hub itself. Refuses, as an HfkitError, what is no address."""
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        parts = urlsplit(address)
        named = parts.hostname and parts.port != 0 and not re.search(r"\s", address)
        good = parts.scheme in ("http", "https") and named
    except ValueError:  # half of an IPv6 address; a port that is no number
        good = False
    if not good:
        what = f"HF_ENDPOINT is no address: {address!r}"
        raise HfkitError(what, fix="write it whole, as in HF_ENDPOINT=https://hf-mirror.com")
    return address.rstrip("/")


@cache
def hub_reachable(address: str, timeout: float = 4.0) -> bool:
    """Whether something answers at `address` (or at the proxy that leads there); asked once in a process. Only the
    connection is tried: whether the Hub behind it is well is for the request itself to find out."""
    from urllib.request import getproxies, proxy_bypass  # a fifth of what `hfkit --help` would take

    parts = urlsplit(address)
    proxy = getproxies().get(parts.scheme)
    if proxy and parts.hostname and not proxy_bypass(parts.hostname):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=timeout).close()
    except OSError:
        return False
    return True


@contextmanager
def hub_access(what: str) -> Iterator[None]:
    """Surrounds a call that may ask the Hub for `what`: without a connection it is answered from the cache, and this is
    said; a cache that lacks `what`, and what else can go wrong there, is an `HfkitError`."""
    from huggingface_hub import constants

    offline = bool(constants.HF_HUB_OFFLINE)
    reachable = not offline and hub_reachable(endpoint())
    try:
        if offline or reachable:
            yield
        else:
            with _cache_only():
                yield
            print(f"The Hub cannot be reached: the {what} was read from the cache.", file=sys.stderr)
    except HfkitError:
        raise
    except Exception as error:
        if refused := atomic.refusal(error):
            told = f"The {what} cannot be kept in the Hub's cache: {refused.strerror}"
            fix = "set HF_HOME to a folder of your own, on a disk with space; HF_HUB_CACHE moves models alone"
            raise HfkitError(told, where=str(refused.filename or constants.HF_HOME), fix=fix) from error
        names = names_of(error)
        if connection_failed(error) or ("DatasetNotFoundError" in names and not reachable):
            reason = "HF_HUB_OFFLINE is set" if offline else error if reachable else "no connection"
            raise hub_unreachable(what, reason) from error
        refusal = next((words for name, words in _REFUSALS.items() if name in names), None)
        if refusal is None:
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise HfkitError(f"{refusal[0].format(what=what)}: {first}", where=endpoint(), fix=refusal[1]) from error


def or_cached(what: str, fetch: Callable[[], str]) -> Path:
    """The folder that `fetch` brings; from a cache that is not ours to write, the commit that it holds, and a note."""
    try:
        return Path(fetch())
    except Exception as error:
        refused = atomic.refusal(error)
        if refused is None or refused.errno in atomic.FULL:  # what a full disk holds may be half of a commit
            raise
        try:
            with _cache_only():
                folder = Path(fetch())
        except Exception:
            raise error from None
        if not any(folder.glob("*.safetensors")):
            raise
    told = f"The Hub's cache cannot be written ({refused.filename}: {refused.strerror})"
    print(f"{told}: the {what} is taken as it is there, at commit {folder.name}", file=sys.stderr)
    return folder


_PRIVATE = "check the spelling; if it is private, log in with `hf auth login`"

# The libraries' errors by name, so that they need not be imported; the more special before the more general.
_REFUSALS: dict[str, tuple[str, str | None]] = {
    "GatedRepoError": (
        "The Hub guards the {what}, and you must be known to it",
        "accept the terms on its page, then log in with `hf auth login`",
    ),
    "RevisionNotFoundError": ("The {what} has no such revision", "name a commit, tag or branch that exists"),
    "RepositoryNotFoundError": ("The Hub has no {what}", _PRIVATE),
    "DatasetNotFoundError": ("The Hub has no such {what}", _PRIVATE),
    "HfHubHTTPError": ("The Hub did not give the {what}", None),
    "DatasetsError": ("The {what} cannot be read", None),
}


def connection_failed(error: BaseException) -> bool:
    """Whether `error`, or an error that it came from, says that no answer came or that the cache lacks the file."""
    known = (
        "LocalEntryNotFoundError OfflineModeIsEnabled ConnectError ConnectTimeout ReadTimeout ConnectionError"
        " MaxRetryError gaierror"
    )
    told = "\n".join(map(str, causes(error)))
    said = "offline mode is enabled" in told or "couldn't connect to" in told.lower()
    return said or bool(names_of(error) & set(known.split()))


def names_of(error: BaseException) -> set[str]:
    """The names of an error's classes and of those that it came from: the libraries need not be imported."""
    return {kind.__name__ for cause in causes(error) for kind in type(cause).__mro__}


@contextmanager
def _cache_only() -> Iterator[None]:
    """Both clients read their switch once, at import: so it is their constants that are set, and set back."""
    import huggingface_hub.constants

    modules = [huggingface_hub.constants]
    if "datasets" in sys.modules:
        modules.append(sys.modules["datasets"].config)
    before = [module.HF_HUB_OFFLINE for module in modules]
    for module in modules:
        module.HF_HUB_OFFLINE = True  # type: ignore[attr-defined, unused-ignore]
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value  # type: ignore[attr-defined, unused-ignore]
