"""Pictures of another size than a model was trained for: its position vectors are stretched to the new grid."""

from copy import deepcopy
from math import isqrt

from transformers import AutoModelForImageClassification, PreTrainedModel


def at_size(model: PreTrainedModel, image_size: int) -> PreTrainedModel:
    """The model for pictures of `image_size`: a ViT's positions between those that it learnt, as its authors do it.

    A model without a vector for each place is the same for any size."""
    from timm.layers import resample_abs_pos_embed

    config = deepcopy(model.config)
    config.image_size = image_size
    other: PreTrainedModel = AutoModelForImageClassification.from_config(config)
    weights = model.state_dict()
    for name, value in other.state_dict().items():
        if name.endswith("position_embeddings") and value.shape != weights[name].shape:
            # What stands before the square grid, such as the class token, stays.
            counts = weights[name].shape[1], value.shape[1]
            before = next(extra for extra in range(3) if all(isqrt(n - extra) ** 2 == n - extra for n in counts))
            side = isqrt(counts[1] - before)
            how = {"num_prefix_tokens": before, "antialias": False}
            weights[name] = resample_abs_pos_embed(weights[name], [side, side], **how)
    other.load_state_dict(weights)
    return other
