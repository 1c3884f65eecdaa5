"""An adapter's base has a name that others can open, and a commit that does not move."""

import json
from pathlib import Path
from typing import Any

import pytest

from hfkit.base.errors import HfkitError
from hfkit.hub import bases
from hfkit.hub.upload.publishing import connect
from hfkit.hub.upload.secrets import Secrets


@pytest.fixture
def adapter(tmp_path: Path) -> Any:
    def make(base: str, revision: str | None = None) -> Path:
        folder = tmp_path / "adapter"
        folder.mkdir(exist_ok=True)
        (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "revision": revision}))
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        return folder

    return make


def test_a_base_on_the_hub_is_pinned_to_the_commit_of_today(hub: Any, adapter: Any) -> None:
    repository = hub.store.create("model", "org/base")
    first = repository.branches["main"]
    api = connect("tester/adapter")
    folder = adapter("org/base")
    assert bases.planned(folder, "tester/adapter", None) == ("org/base", None)
    assert bases.publish(api, folder, None, False, Secrets()) == ("org/base", first)
    repository.commit("main", "moved on", {})
    assert bases.publish(api, adapter("org/base", first), None, False, Secrets()) == ("org/base", first)
    with pytest.raises(HfkitError, match="org/nothing"):
        bases.publish(api, adapter("org/nothing"), None, False, Secrets())


@pytest.mark.parametrize("base", ["demo:minilm", "/home/anna/models/bert"])
def test_a_base_that_nobody_else_has_is_refused(adapter: Any, base: str) -> None:
    with pytest.raises(HfkitError, match=r"nobody could open it(?s:.*)--with_base(?s:.*)--merged") as caught:
        bases.planned(adapter(base), "tester/adapter", None)
    assert "/home/anna" not in str(caught.value)
    assert bases.planned(adapter(base), "tester/adapter", "tester/base") == ("tester/base", None)
    with pytest.raises(HfkitError, match="cannot be one repository"):
        bases.planned(adapter(base), "tester/adapter", "tester/adapter")


def test_a_folder_with_a_hub_like_name_is_a_folder(adapter: Any, tmp_path: Path) -> None:
    (tmp_path / "org" / "base").mkdir(parents=True)
    with pytest.raises(HfkitError, match="the folder base"):
        bases.planned(adapter("org/base"), "tester/adapter", None)


def test_the_published_config_names_base_and_commit(adapter: Any) -> None:
    folder = adapter("/home/anna/models/bert")
    written = json.loads(bases.pinned(folder, "tester/base", "0" * 40))
    assert written == {"base_model_name_or_path": "tester/base", "revision": "0" * 40}
