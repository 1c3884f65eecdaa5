"""An anchor-free detector: each place of a grid says which object's middle it is, and how far that one's edges are.

Objects are points, as in CenterNet (Zhou, Wang and Krähenbühl 2019); every place near a middle learns its box, as in
FCOS (Tian et al. 2019), weighed by a Gaussian, as in TTFNet (Liu et al. 2020), which so learns in a tenth of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from hfkit.baselines.vision.configs import DetectorConfig
from hfkit.baselines.vision.resnet import BasicBlock
from hfkit.baselines.vision.timm_maps import timm_maps

SPREAD = 0.54 / 6
"""Deviation of an object's Gaussian, as a share of its sides; it ends at three of them: TTFNet's 0.54 of the box."""

BOXES = 5.0
"""What the loss of boxes counts beside that of classes, as in TTFNet."""

SURE = 0.01
"""What a place says of each class before it has learnt anything (Lin et al. 2017)."""

GROUP = 16
"""Channels that a group norm takes together, where there are so many (Wu and He 2018)."""

NEVER = -30.0
"""The logit of a place that is no peak."""


class Plain(nn.Module):
    """Residual blocks that halve the picture each: (batch, channels, height, width) to maps of strides 2, 4, ..."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        widths = list(config.widths)
        self.stem = nn.Sequential(
            nn.Conv2d(config.num_channels, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.stages = nn.ModuleList(BasicBlock(*pair, stride=2) for pair in pairwise(widths))
        self.channels, self.strides = widths, [2 ** (step + 1) for step in range(len(widths))]

    def forward(self, pixels: Tensor) -> list[Tensor]:
        maps = [self.stem(pixels)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class Detector(nn.Module):
    """Backbone and neck: what coarse maps see is added to the finer ones, down to `stride` (Lin et al. 2017, FPN)."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        if config.backbone:
            self.body, channels, strides = timm_maps(config.backbone, config.backbone_args)
        else:
            self.body = Plain(config)
            channels, strides = self.body.channels, self.body.strides
        self.used = [place for place, stride in enumerate(strides) if stride >= config.stride]
        if not self.used or strides[self.used[0]] != config.stride:
            raise ValueError(f"the backbone has maps of the strides {strides}, and none of {config.stride}")
        width = config.hidden_size
        self.narrow = nn.ModuleList(nn.Conv2d(channels[place], width, 1) for place in self.used)
        self.smooth = nn.Sequential(*_block(width))

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.body(pixels)
        found: Tensor | None = None
        for place, narrow in zip(self.used[::-1], reversed(self.narrow), strict=True):
            here = narrow(maps[place])
            found = here if found is None else here + F.interpolate(found, here.shape[-2:], mode="nearest")
        assert found is not None
        smooth: Tensor = self.smooth(found)
        return smooth


def _block(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


class Head(nn.Module):
    """What each place says of the classes, and of its box: the distances to the four edges in units of the stride."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.classes = nn.Sequential(*_block(width), nn.Dropout2d(config.dropout))
        self.boxes = nn.Sequential(*_block(width), nn.Dropout2d(config.dropout))
        self.class_out = nn.Conv2d(width, config.num_labels or 2, 1)
        self.box_out = nn.Conv2d(width, 4, 1)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        return self.class_out(self.classes(seen)), 4 * F.softplus(self.box_out(self.boxes(seen)).float())


@dataclass
class Found(ModelOutput):
    """What transformers' detectors answer with."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    pred_boxes: Tensor | None = None


class DetectorForObjectDetection(PreTrainedModel):
    """`forward(pixel_values, labels)` takes (batch, channels, height, width) of any size and, as other detectors do, of
    each picture {"class_labels": (boxes,), "boxes": (boxes, 4)}, middle and size as shares of the picture.

    `logits` are (batch, queries, labels), for a sigmoid, and `pred_boxes` (batch, queries, 4): in training of all
    places, else of the surest `num_queries`, where a class keeps its score at a peak alone, so that an object is found
    once. With `labels` there is a loss, a mean over the boxes of the batch."""

    config_class = DetectorConfig
    main_input_name = "pixel_values"
    base_model_prefix = "backbone"
    accepts_loss_kwargs = False  # see ImageBaseline

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__(config)
        self.backbone = Detector(config)
        self.head = Head(config)
        if config.norm == "group":
            _group(self)
        self.post_init()

    def forward(self, pixel_values: Tensor, labels: Sequence[dict[str, Tensor]] | None = None, **kwargs: Any) -> Found:
        size = pixel_values.new_tensor([*pixel_values.shape[:1:-1]] * 2, dtype=torch.float32)  # width, height, twice
        scores, edges = self.head(self.backbone(pixel_values))
        rows, columns = scores.shape[-2:]
        middles = places(rows, columns, self.config.stride, scores.device)
        edges = edges.permute(0, 2, 3, 1) * self.config.stride
        corners = torch.cat([middles - edges[..., :2], middles + edges[..., 2:]], dim=-1)
        loss = None if labels is None else self.learnt(scores.float(), corners, middles, labels, size)
        if not self.training:
            peaks = F.max_pool2d(scores, 3, 1, 1) == scores
            scores = scores.masked_fill(~peaks, NEVER)
        logits, boxes = scores.permute(0, 2, 3, 1).flatten(1, 2), corners.flatten(1, 2) / size
        if not self.training and logits.shape[1] > self.config.num_queries:
            best = logits.amax(2).topk(self.config.num_queries, dim=1).indices[..., None]
            logits, boxes = (one.gather(1, best.expand(-1, -1, one.shape[2])) for one in (logits, boxes))
        boxes = torch.cat([boxes[..., :2] + boxes[..., 2:], 2 * (boxes[..., 2:] - boxes[..., :2])], dim=-1) / 2
        return Found(loss=loss, logits=logits, pred_boxes=boxes)

    def learnt(
        self, scores: Tensor, corners: Tensor, middles: Tensor, labels: Sequence[dict[str, Tensor]], size: Tensor
    ) -> Tensor:
        """The loss: CenterNet's focal loss of classes, and of boxes 1 - their generalised overlap (Rezatofighi et al.
        2019), both sums over objects by their number."""
        loss, count = scores.new_zeros(()), 0
        for seen, found, held in zip(scores, corners, labels, strict=True):
            target = held["boxes"].float() * size
            target = torch.cat([target[:, :2] - target[:, 2:] / 2, target[:, :2] + target[:, 2:] / 2], dim=1)
            heat, weights = gaussians(target, middles)
            wanted = torch.zeros_like(seen)
            for one, kind in zip(heat, held["class_labels"].tolist(), strict=True):
                wanted[kind] = torch.maximum(wanted[kind], one)
            said = seen.sigmoid().clamp(1e-4, 1 - 1e-4)
            right = wanted == 1
            loss = loss - ((1 - said) ** 2 * said.log() * right).sum()
            loss = loss - ((1 - wanted) ** 4 * said**2 * (1 - said).log() * ~right).sum()
            which, *at = weights.nonzero(as_tuple=True)
            apart = generalized_box_iou_loss(found[at[0], at[1]], target[which])
            loss = loss + BOXES * (apart * weights[which, at[0], at[1]]).sum()
            count += len(target)
        return loss / max(count, 1)

    def _init_weights(self, module: nn.Module) -> None:
        """Convolutions start as in He et al. 2015; the outputs so that no place claims anything yet."""
        if module is self.head.class_out:
            init.normal_(self.head.class_out.weight, std=0.01)
            init.constant_(self.head.class_out.bias, float(torch.logit(torch.tensor(SURE))))  # type: ignore[arg-type]
        elif module is self.head.box_out:
            init.normal_(self.head.box_out.weight, std=0.01)
            init.zeros_(self.head.box_out.bias)  # type: ignore[arg-type]
        elif isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)
        else:
            super()._init_weights(module)


def _group(module: nn.Module) -> None:
    """Put group norms in the place of batch norms, which see one picture at a time; not into a body of timm's."""
    for name, part in module.named_children():
        if isinstance(part, nn.BatchNorm2d):
            setattr(module, name, nn.GroupNorm(max(1, part.num_features // GROUP), part.num_features))
        elif name != "body" or isinstance(part, Plain):
            _group(part)


def places(rows: int, columns: int, stride: int, device: torch.device) -> Tensor:
    """(rows, columns, 2) the middle of each place in pixels, x before y."""
    y, x = ((torch.arange(number, device=device) + 0.5) * stride for number in (rows, columns))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def gaussians(boxes: Tensor, middles: Tensor) -> tuple[Tensor, Tensor]:
    """Of each box, (boxes, rows, columns), how much each place is its middle, 1 at the nearest one; and what each
    place's own box counts when it is learnt, 1 in all: where boxes share a place, it is the smallest one's."""
    rows, columns = middles.shape[:2]
    stride = float(middles[0, 0, 0]) * 2
    at = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).long()
    x, y = at[:, 0].clamp(0, columns - 1), at[:, 1].clamp(0, rows - 1)
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    apart = (middles[None] - middles[y, x][:, None, None]).abs() / (SPREAD * sides).clamp(min=0.1)[:, None, None]
    heat = torch.exp(-(apart**2).sum(-1) / 2) * (apart <= 3).all(-1)
    owners = torch.where(heat > 0, sides.prod(1)[:, None, None], torch.inf)
    own = owners.argmin(0) if len(boxes) else torch.zeros(rows, columns, dtype=torch.long, device=boxes.device)
    mine = heat * (own[None] == torch.arange(len(boxes), device=boxes.device)[:, None, None])
    return heat, mine / mine.sum((1, 2), keepdim=True).clamp(min=1e-6)
