"""modules.json: how sentence-transformers writes what becomes of a model's token vectors; read and written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfkit.base.atomic import write_json
from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file

FILE, SIZE, PROMPTS = "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"

MODES = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken"}

MODULES = "sentence_transformers.models."
"""Where every version of the library finds its modules."""


@dataclass(frozen=True)
class Told:
    """What a folder of sentence-transformers says; None where it says nothing."""

    pooling: str | None = None
    normalize: bool | None = None
    max_length: int | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None


def read_modules(folder: Path) -> Told:
    """What a model's folder says of its vectors.

    Raises:
        HfkitError: It asks for a module, or a pooling, that is not done here.
    """
    if not (folder / FILE).is_file():
        return Told()
    pooling, normalize = None, False
    for module in _read(folder / FILE, list):
        kind = str(module.get("type", "")).rpartition(".")[2] if isinstance(module, dict) else ""
        if kind == "Pooling":
            pooling = _pooling(folder / str(module.get("path", "")) / "config.json")
        elif kind not in ("Transformer", "Normalize"):
            fix = "choose a model that is an encoder, a pooling and perhaps a normalisation"
            raise HfkitError(f"The model has a module {kind!r}, which hfkit does not have", where=str(folder), fix=fix)
        normalize |= kind == "Normalize"
    said: dict[str, Any] = _read(folder / PROMPTS, dict) if (folder / PROMPTS).is_file() else {}
    prompts: Any = said.get("prompts") if isinstance(said.get("prompts"), dict) else {}
    size = _read(folder / SIZE, dict).get("max_seq_length") if (folder / SIZE).is_file() else None
    document = next((prompts[name] for name in ("document", "passage") if prompts.get(name)), None)
    return Told(pooling, normalize, size if isinstance(size, int) else None, prompts.get("query") or None, document)


def _read(file: Path, kind: type) -> Any:
    found = read_json_file(file)
    if not isinstance(found, kind):
        raise HfkitError(f"The file holds no {'list' if kind is list else 'object'}", where=str(file))
    return found


def _pooling(file: Path) -> str:
    """The one way in which a Pooling module makes a vector of a text's tokens."""
    if not file.is_file():
        raise HfkitError("The module Pooling has no config.json", where=str(file.parent), fix="fetch the folder again")
    settings = _read(file, dict)
    asked = settings.get("pooling_mode")
    if asked is None:
        on = [name for name, value in settings.items() if name.startswith("pooling_mode_") and value is True]
        asked = next((mode for mode, name in MODES.items() if on == [name]), on)
    mode = {"lasttoken": "last"}.get(asked, asked) if isinstance(asked, str) else asked
    known = isinstance(mode, str) and mode in MODES
    if not known or settings.get("include_prompt") is False:
        what = f"The pooling {mode!r}{' without the prompt' if known else ''} is not done here"
        raise HfkitError(what, where=str(file), fix=f"choose a model with {', '.join(MODES)}")
    return str(mode)


def write_modules(folder: Path, hidden_size: int, said: dict[str, Any]) -> None:
    """Write what sentence-transformers opens a folder by: of `said` the `pooling` and the `max_length`, whether to
    `normalize`, as most do, and the `query_prefix` and `document_prefix`."""
    kinds = ["Transformer", "Pooling", *(["Normalize"] if said.get("normalize", True) else [])]
    paths = ["", *(f"{number}_{kind}" for number, kind in enumerate(kinds) if number)]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": MODULES + kind}
        for number, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    for path in paths[1:]:
        (folder / path).mkdir(exist_ok=True)
    modes = {name: mode == said["pooling"] for mode, name in MODES.items()}
    others = dict.fromkeys(("pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens"), False)
    write_json(folder / paths[1] / "config.json", {"word_embedding_dimension": hidden_size, **modes, **others})
    write_json(folder / SIZE, {"max_seq_length": said["max_length"], "do_lower_case": False})
    prompts = {name: said.get(f"{name}_prefix") or "" for name in ("query", "document")}
    write_json(folder / PROMPTS, {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"})
    write_json(folder / FILE, modules)
