"""OpenVINO in torch's place: a text classifier's forward pass on a CPU, 1.4 times as fast in bf16, twice in float32
(benchmarks/NOTES.md). The model is traced and compiled anew in each process, which takes some seconds.
"""

import warnings
from threading import Lock
from types import SimpleNamespace
from typing import Any

import torch
import transformers

from hfkit.base.errors import HfkitError
from hfkit.data.text.truncation import MODEL_INPUTS
from hfkit.models.inspection import first_line
from hfkit.models.loading import quiet

HINTS: dict[torch.dtype | None, str] = {None: "f32", torch.bfloat16: "bf16"}
"""What OpenVINO calls the formats in which it computes."""

CLOSE = {"f32": 1e-3, "bf16": 0.025}
"""How far a probability may lie from torch's in float32. In bf16: half of the distance within which a pipeline decides
a label in float32, so labels stay torch's."""


class Converted:
    """A model that OpenVINO computes in `f32` or `bf16`; called as the model is, it answers with `logits` alone.

    `batch` is an example of its inputs, (rows, tokens) each, of several lengths: what depends on padding is traced.
    Raises HfkitError: OpenVINO is not installed, or cannot take the model over."""

    def __init__(self, model: transformers.PreTrainedModel, batch: dict[str, torch.Tensor], hint: str) -> None:
        try:
            import openvino
            from openvino.frontend import FrontEndManager
            from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
        except ImportError as error:
            raise _refused(f"it does not load: {first_line(error)}", "pip install 'hfkit[openvino]'") from error
        self.names, self.lock = list(batch), Lock()
        try:
            with quiet(), warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of tracing, whose result is compared with the model's
                example = tuple(batch.values())
                try:
                    traced = TorchScriptPythonDecoder(_Logits(model, self.names), example_input=example)
                except RuntimeError:  # transformers before 5.10 cannot make its masks while it is traced
                    traced = TorchScriptPythonDecoder(_Logits(model, self.names, wide=True), example_input=example)
                # Not openvino.convert_model, which reports its use to a server.
                frontend = FrontEndManager().load_by_framework("pytorch")
                graph = frontend.convert(frontend.load(traced))
            options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
            self.compiled = openvino.Core().compile_model(graph, "CPU", options)
        except Exception as error:  # whatever its frontend and plugins raise
            why = first_line(error.__cause__ or error)
            raise _refused(f"it cannot take over a {type(model).__name__}: {why}") from error

    def __call__(self, **inputs: torch.Tensor) -> Any:
        with self.lock:  # it has one place for answers, and refuses a second caller
            answers = self.compiled([inputs[name].numpy() for name in self.names])
        return SimpleNamespace(logits=torch.from_numpy(answers[0].copy()))


class _Logits(torch.nn.Module):
    """The model with its inputs by place and `logits` as its only answer, as tracing wants it. With `wide` its mask is
    (rows, 1, tokens, tokens), which transformers takes as it is."""

    def __init__(self, model: torch.nn.Module, names: list[str], wide: bool = False) -> None:
        super().__init__()
        self.model, self.names, self.wide = model, names, wide

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        named = dict(zip(self.names, inputs, strict=True))
        if self.wide:
            mask = named["attention_mask"]
            named["attention_mask"] = mask[:, None, None, :].to(torch.bool).expand(-1, 1, mask.shape[1], -1)
        return self.model(**named).logits


def converted(pipe: Any) -> Converted:
    """The pipeline's model, in the pipeline's precision, compared with torch on texts of other lengths. Raises
    HfkitError: see `Converted`; or its answers are not torch's."""
    hint = HINTS.get(pipe.low_precision)
    if hint is None or pipe.device.type != "cpu":
        raise _refused(f"it computes in bf16 or float32 on a CPU, not in {pipe.low_precision} on {pipe.device}")
    example = {k: v for k, v in pipe.batch_of(["a film", "a film to see twice " * 8]).items() if k in MODEL_INPUTS}
    made: Any = Converted(pipe.model, example, hint)
    for texts in (["a warm and moving film"], ["dull", "an awful film " * 40, "a film that I would see again"]):
        batch = pipe.batch_of(texts)
        with torch.inference_mode():
            theirs, ours = (pipe.reading.logits(model, batch) for model in (made, pipe.model))
        theirs, ours = (pipe.reading.predictions(logits).get("probabilities", logits) for logits in (theirs, ours))
        moved = float((theirs - ours).abs().max())
        if not moved <= CLOSE[hint]:
            raise _refused(f"its answers for a {type(pipe.model).__name__} differ from torch's by {moved:.2g}")
    return made


def _refused(why: str, fix: str = "leave the backend out: torch") -> HfkitError:
    return HfkitError(f"OpenVINO was asked for, and {why}", where="backend='openvino'", fix=fix)
