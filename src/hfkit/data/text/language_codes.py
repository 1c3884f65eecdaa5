"""Language codes: how multilingual models (mBART, M2M100, NLLB) are told what they read and what they are to write."""

from typing import Any

from hfkit.base.errors import HfkitError, nearest


def codes_of(tokenizer: Any) -> dict[str, int]:
    """The codes that a tokenizer has, each with its token; of one without languages (T5, BART, Marian) none."""
    if not hasattr(tokenizer, "src_lang"):
        return {}
    if written := getattr(tokenizer, "lang_code_to_token", None):  # M2M100: en is the token __en__
        return {code: tokenizer.convert_tokens_to_ids(token) for code, token in written.items()}
    if known := getattr(tokenizer, "lang_code_to_id", None):
        return dict(known)
    roles = {getattr(tokenizer, f"{role}_token") for role in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}
    codes = [token for token in tokenizer.all_special_tokens if token not in roles]
    return {code: tokenizer.convert_tokens_to_ids(code) for code in codes}


def code_of(tokenizer: Any, language: str, where: str) -> str:
    """The tokenizer's code of a language: what was said, or the only code that begins so (en is en_XX); an HfkitError
    where it has no such language."""
    known = codes_of(tokenizer)
    begun = [code for code in known if code.startswith(f"{language}_")]
    if language not in known and len(begun) != 1:
        raise HfkitError(f"The model has no language {language!r}", where=where, fix=nearest(language, begun or known))
    return language if language in known else begun[0]


def set_languages(tokenizer: Any, source: str | None, target: str | None) -> int | None:
    """Have the tokenizer, and every copy that is saved of it, read one language and write another. Returns the token of
    the language to write in; None where the tokenizer has no languages. Raises HfkitError: it has languages, and not
    that one, or none was said to write in."""
    if not (known := codes_of(tokenizer)):
        return None
    target = target or getattr(tokenizer, "tgt_lang", None)
    if target is None:
        fix = f"such as --source_lang {next(iter(known))} --target_lang {list(known)[-1]}"
        raise HfkitError(f"The model writes {len(known)} languages, and none was said", where="--target_lang", fix=fix)
    source = code_of(tokenizer, source or tokenizer.src_lang, "--source_lang")
    target = code_of(tokenizer, target, "--target_lang")
    tokenizer.src_lang, tokenizer.tgt_lang = source, target
    tokenizer.init_kwargs |= {"src_lang": source, "tgt_lang": target}  # or save_pretrained leaves them out
    return known[target]
