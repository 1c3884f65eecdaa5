"""The command summary: the layers of a model as a table, and drawn."""

from pathlib import Path
from typing import Any

from hfkit.cli import add_command
from hfkit.cli.use import TRUST_HELP


def summary_command(commands: Any) -> None:
    what = "the layers of a model: shapes, parameters, work, and a drawing; its weights are not read"
    parser = add_command(commands, "summary", _summary, what)
    parser.add_argument(
        "model", metavar="MODEL", help="a run, a model folder, baseline:NAME or a Hub id; an adapter's base is shown"
    )
    parser.add_argument("--graph", type=Path, metavar="FILE.svg", help="draw which layer reads what others made")
    parser.add_argument("--tokens", type=int, default=128, help="of the text it is shown (default: %(default)s)")
    parser.add_argument("--image_size", type=int, help="pixels a side of the picture it is shown (default: as it says)")
    parser.add_argument("--revision", help="commit, tag or branch of a Hub model")
    parser.add_argument("--trust_remote_code", action="store_true", help=TRUST_HELP)


def _summary(model: str, graph: Path | None, **options: Any) -> None:
    from hfkit.base.atomic import write_text, writing
    from hfkit.base.errors import HfkitError
    from hfkit.cli.launch import quiet_libraries
    from hfkit.evaluation import wording
    from hfkit.models.names import check_name

    if graph and graph.suffix != ".svg":
        raise HfkitError(f"{graph} is no SVG", where="--graph", fix="give the file the ending .svg")
    if not model.startswith("baseline:"):
        check_name(model)
    quiet_libraries()
    from hfkit.models.anatomy.shape import summary_of

    found = summary_of(model, **options)
    rows = [["layer", "kind", "output", "parameters", "FLOPs"]]
    for layer in found.layers:
        shape = " x ".join(map(str, layer.shape)) or "-"
        held = f"{layer.parameters:,}" if layer.parameters else "-"
        rows.append([layer.name, layer.kind, shape, held, wording.big(layer.flops) if layer.flops else "-"])
    print("\n".join(wording.aligned(rows)))
    kinds = {layer.kind for layer in found.layers}
    recurrent = "; not those of recurrent layers" if kinds & {"RNN", "GRU", "LSTM"} else ""
    sums = (
        f"{found.parameters:,} parameters in {len(found.layers)} layers, {found.depth} with weights on the longest way"
    )
    print(f"\n{sums}; {wording.big(found.flops)} FLOPs an example{recurrent}")
    if graph:
        from hfkit.models.anatomy.drawing import drawing_of

        with writing(graph, "name another file"):
            write_text(graph, drawing_of(found))
        print(f"drawn: {graph}")
