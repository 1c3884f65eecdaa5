"""An old library runs a stranger's code although it was told not to (CVE-2025-32434, CVE-2026-24747, CVE-2026-4372).

`torch.load(weights_only=True)` did before torch 2.10, and a model's config without `trust_remote_code` before
transformers 5.3. The trap needs those versions, so it is not shown.

Threads: none
"""

import pytest

from hfkit.base import versions
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("old-libraries")


@pytest.mark.parametrize(("name", "version"), [("torch", "2.9.1"), ("transformers", "5.2.0")])
def test_hfkit_does_not_start_beside_one(name: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`import hfkit` calls this; tests/test_floors.py does it with a package that pip left."""
    installed = versions.installed
    monkeypatch.setattr(versions, "installed", lambda asked: version if asked == name else installed(asked))
    with pytest.raises(
        HfkitError, match=rf"{name} {version} is installed(.|\n)*can run code(.|\n)*pip install --upgrade"
    ):
        versions.check()
