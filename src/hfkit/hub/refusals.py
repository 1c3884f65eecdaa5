"""Refusals: what the Hub says no to, each as one message with the way out."""

import re
from typing import Any

from hfkit.base.errors import HfkitError, causes
from hfkit.base.network import connection_failed, endpoint, names_of

LOGIN = (
    "log in with `hf auth login`, or set HF_TOKEN, with a token of role write (https://huggingface.co/settings/tokens)"
)


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error, or one that it came from, is about."""
    return next((int(answer.status_code) for answer in _answers(error) if answer.status_code), None)


def retry_after(error: BaseException) -> float | None:
    """The seconds that the Hub asks to wait for."""
    asked = [answer.headers.get("Retry-After", "") for answer in _answers(error)]
    return next((float(seconds) for seconds in asked if re.fullmatch(r"\d+", seconds)), None)


def broken(error: BaseException) -> bool:
    """Whether the connection ended before an answer came."""
    return bool(names_of(error) & {"TransportError", "TimeoutException", "ConnectionError", "IncompleteRead"})


def refusal(error: BaseException, repository: str) -> HfkitError:
    """The message for what the Hub answered; for what is no answer of the Hub, the error's own first line."""
    status, said, names = status_of(error), _said(error), names_of(error)
    fix = LOGIN
    if "LocalTokenNotFoundError" in names:
        what = "there is no token for the Hub on this machine"
    elif status == 401 and "RepositoryNotFoundError" not in names:
        what = f"the Hub does not know the token: it is mistyped, expired or revoked ({said})"
    elif status in (402, 413, 507) or (status == 403 and "storage" in said.lower()):
        what = f"the Hub has no space left for {repository}: {said}"
        fix = "delete what you no longer need there, or have the limit raised; the commit was not made"
    elif status == 403:
        what = f"the token may not write to {repository}: {said}"
        fix = (
            "a token of role read cannot publish, a fine-grained one needs write access to this repository; of an"
            " organization you must be a member who may write. https://huggingface.co/settings/tokens"
        )
    elif status == 404 or "RepositoryNotFoundError" in names:
        what = f"the Hub has no {repository}, or the token may not see it: {said}"
    elif status is None and (broken(error) or connection_failed(error)):
        what = f"the connection to the Hub broke while {repository} was sent: {said}"
        fix = "give the same command again: what has arrived is not sent twice"
    else:
        return HfkitError(f"the Hub refused {repository}: {said}", where=f"{endpoint()}, status {status}")
    return HfkitError(what, where=endpoint(), fix=fix)


def unreachable() -> HfkitError:
    """The message before anything is tried at an address where nobody answers."""
    fix = "give the same command again when there is a connection; or set HF_ENDPOINT to a mirror that takes uploads"
    return HfkitError("the Hub cannot be reached, and nothing was sent", where=endpoint(), fix=fix)


def _answers(error: BaseException) -> list[Any]:
    """The Hub's responses that an error, or those that it came from, are about."""
    found = [getattr(cause, "response", None) for cause in causes(error)]
    return [response for response in found if hasattr(response, "status_code")]


def _said(error: BaseException) -> str:
    """What the Hub says in its own words, else the error's first line."""
    for answer in _answers(error):
        if said := answer.headers.get("X-Error-Message"):
            return str(said)
    last = list(causes(error))[-1]
    lines = [line.strip() for line in str(last).splitlines() if line.strip()]
    return lines[0] if lines else type(last).__name__
