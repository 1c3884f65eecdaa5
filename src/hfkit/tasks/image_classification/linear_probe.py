"""Linear probe: the head alone learns, on features that the frozen model computes once."""

import datasets
import numpy as np
import pyarrow as pa
import torch
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from torch import nn
from transformers.modeling_outputs import ImageClassifierOutput

from hfkit.evaluation.predict import Tensors, evaluate
from hfkit.tasks import Task
from hfkit.tasks.base import Asked
from hfkit.tasks.image_classification.config import Config
from hfkit.tasks.image_classification.models import head_of


class Probe(nn.Module):
    """A model's head, called with features as the model is with pictures. It is the model's own: what it learns, the
    model knows."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: torch.Tensor) -> ImageClassifierOutput:
        """(rows, width) -> `.logits` (rows, labels)."""
        return ImageClassifierOutput(logits=self.head(features))


def computed(
    config: Config, task: Task, model: nn.Module, encoded: DatasetDict, accelerator: Accelerator
) -> tuple[Probe, DatasetDict]:
    """The head as a model of its own, and the training and validation splits with features in the place of pictures:
    what the last layer gets to see, without augmentation and with dropout off. The head learns what it would learn
    under a frozen backbone, in a thousandth of the time. They stay in memory: 0.4 GB for 50,000 pictures and a
    ResNet-50. Raises HfkitError: the model's head is not one linear layer."""
    _, head = head_of(model)
    seen: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))

    def features(whole: nn.Module, batch: Tensors) -> Tensors:
        whole(pixel_values=batch["pixel_values"])
        return {"prediction": seen.pop().float()}

    model.to(accelerator.device)
    splits = {}
    for name in [name for name in ("train", "validation") if name in encoded]:
        found = evaluate(accelerator, Asked(task, features), model, encoded[name], config, f"features of {name}")
        splits[name] = _with_features(encoded[name], found["prediction"])
    hook.remove()
    return Probe(head), DatasetDict(splits)


def _with_features(split: Dataset, features: np.ndarray) -> Dataset:
    width = features.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(features.reshape(-1)), width)
    kind = datasets.Features(features=datasets.List(datasets.Value("float32"), length=width))
    cached = Dataset(pa.table({"features": column}), info=datasets.DatasetInfo(features=kind))
    return datasets.concatenate_datasets([split.remove_columns("image"), cached], axis=1).with_format("numpy")
