"""Pictures of another size than a model was trained for: its position vectors are stretched to the new grid."""

from copy import deepcopy
from math import isqrt

import torch
from transformers import AutoModelForImageClassification, PreTrainedModel


def at_size(model: PreTrainedModel, image_size: int) -> PreTrainedModel:
    """The model for pictures of `image_size`: a ViT's positions between those that it learnt, as its authors do it.

    A model without a vector for each place is the same for any size."""
    config = deepcopy(model.config)
    config.image_size = image_size
    other: PreTrainedModel = AutoModelForImageClassification.from_config(config)
    weights = model.state_dict()
    for name, value in other.state_dict().items():
        if name.endswith("position_embeddings") and value.shape != weights[name].shape:
            weights[name] = _stretched(weights[name], value.shape[1])
    other.load_state_dict(weights)
    return other


def _stretched(vectors: torch.Tensor, count: int) -> torch.Tensor:
    """(1, places, size) -> (1, count, size): the square grid is resampled, and what stands before it, such as the
    class token, stays."""
    old, new = vectors.shape[1], count
    extra = next(
        extra for extra in range(3) if all(isqrt(places - extra) ** 2 == places - extra for places in (old, new))
    )
    sides = isqrt(old - extra), isqrt(new - extra)
    grid = vectors[:, extra:].unflatten(1, (sides[0], sides[0])).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(sides[1], sides[1]), mode="bicubic", align_corners=False)
    return torch.cat([vectors[:, :extra], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
