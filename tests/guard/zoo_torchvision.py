"""torchvision: models, detection, losses of boxes, and transforms of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchvision import models, ops
from torchvision.models import detection, segmentation
from torchvision.transforms import v2
from zoo_cases import Case, Criterion, Step

CLASSES = 4  # and as many images, boxes and anchors, so that the axes collide

CLASSIFIERS = """
alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet mnasnet0_5
mobilenet_v2 mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnet50 resnext50_32x4d
shufflenet_v2_x0_5 squeezenet1_1 swin_t swin_v2_t vgg11_bn vit_b_32 wide_resnet50_2
""".split()

TRANSFORMS: dict[str, Callable[[], torch.nn.Module]] = {
    "ColorJitter": lambda: v2.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "GaussianBlur": lambda: v2.GaussianBlur(3),
    "GaussianNoise": v2.GaussianNoise,
    "ElasticTransform": v2.ElasticTransform,
    "RandomPerspective": lambda: v2.RandomPerspective(p=1.0),
    "RandomAffine": lambda: v2.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 10),
    "RandomRotation": lambda: v2.RandomRotation(30),
    "RandomResizedCrop": lambda: v2.RandomResizedCrop(16, antialias=True),
    "RandomErasing": lambda: v2.RandomErasing(p=1.0),
    "RandomGrayscale": lambda: v2.RandomGrayscale(p=1.0),
    "RandomPhotometricDistort": lambda: v2.RandomPhotometricDistort(p=1.0),
    "RandomAdjustSharpness": lambda: v2.RandomAdjustSharpness(2.0, p=1.0),
    "RandomAutocontrast": lambda: v2.RandomAutocontrast(p=1.0),
    "Normalize": lambda: v2.Normalize([0.5, 0.5, 0.5], [0.2, 0.2, 0.2]),
    "RandAugment": v2.RandAugment,
    "TrivialAugmentWide": v2.TrivialAugmentWide,
    "AugMix": v2.AugMix,
    "AutoAugment": v2.AutoAugment,
}


def nms(boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Suppression in Python, for where torchvision's compiled operators do not load."""
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        if not kept or ops.box_iou(boxes[index : index + 1], boxes[kept]).max() <= iou:
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long)


try:
    torch.ops.torchvision.nms(torch.rand(0, 4), torch.rand(0), 0.5)
except NotImplementedError:
    torch.library.impl("torchvision::nms", "CPU", nms)


def classifier(name: str) -> Step:
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    size = {"vit_b_32": 224, "alexnet": 96}.get(name, 64)
    model = models.get_model(name, weights=None, num_classes=CLASSES, **options).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images, labels = torch.rand(CLASSES, 3, size, size), torch.arange(CLASSES)
    mix = v2.RandomChoice([v2.MixUp(num_classes=CLASSES), v2.CutMix(num_classes=CLASSES)])

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        x, y = mix(images, labels)
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.1)
        loss = loss + criterion(logits.mean(1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def segmenter(name: str) -> Step:
    model = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=CLASSES)
    model.train()
    images = torch.rand(CLASSES, 3, 32, 32)
    labels = torch.randint(0, CLASSES, (CLASSES, 32, 32))

    def step(criterion: Criterion) -> Tensor:
        logits = model(images)["out"]
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss = loss + criterion(logits.flatten(1).mean(1))
        loss.backward()
        return loss

    return step


def detector(name: str, boxes: int) -> Step:
    options: dict[str, Any] = {"min_size": 96, "max_size": 96} if "320" not in name else {}
    model = getattr(detection, name)(
        weights=None, weights_backbone=None, num_classes=CLASSES, **options
    ).train()
    images = [torch.rand(3, 96, 96) for _ in range(2)]
    corners = 10 + 30 * torch.rand(boxes, 2)
    targets = [
        {
            "boxes": torch.cat([corners, corners + 30], 1),
            "labels": torch.randint(1, CLASSES, (boxes,)),
            "masks": torch.ones(boxes, 96, 96, dtype=torch.uint8),
        }
        for _ in images
    ]

    def step(criterion: Criterion) -> Tensor:
        losses = torch.stack(list(model(images, targets).values()))
        loss = losses.sum() + criterion(losses)
        loss.backward()
        return loss

    return step


def box_losses(boxes: int) -> Step:
    """The losses of boxes, and all pairs of as many boxes."""
    first = torch.rand(boxes, 4).cumsum(1).requires_grad_()
    second = torch.rand(boxes, 4).cumsum(1)

    def step(criterion: Criterion) -> Tensor:
        each = ops.generalized_box_iou_loss(first, second) + ops.complete_box_iou_loss(
            first, second
        )
        each = each + ops.distance_box_iou_loss(first, second)
        pairs = ops.box_iou(first, second) + ops.generalized_box_iou(first, second)
        pairs = pairs + ops.complete_box_iou(first, second) + ops.distance_box_iou(first, second)
        focal = ops.sigmoid_focal_loss(first, second.gt(1).float(), reduction="mean")
        loss = pairs.mean() + focal + criterion(each)
        loss.backward()
        return loss

    return step


def transform(name: str) -> Step:
    """A transform of images, and a regression on what comes out."""
    change, net = TRANSFORMS[name](), torch.nn.LazyLinear(1)
    images = torch.rand(3, 3, 16, 16)  # as many images as channels
    if name in ("RandAugment", "TrivialAugmentWide", "AugMix", "AutoAugment"):
        images = (255 * images).to(torch.uint8)

    def step(criterion: Criterion) -> Tensor:
        loss = criterion(net(change(images).float().flatten(1)).squeeze(-1))
        loss.backward()
        return loss

    return step


def cases() -> Iterator[Case]:
    for name in CLASSIFIERS:
        yield Case(f"{name}, 4 images of 4 classes", partial(classifier, name))
    for name in ("fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        yield Case(f"{name}, 4 images", partial(segmenter, name))
    for name in (
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "retinanet_resnet50_fpn",
        "fcos_resnet50_fpn",
        "ssdlite320_mobilenet_v3_large",
        "maskrcnn_resnet50_fpn",
    ):
        yield Case(f"{name}, 4 boxes", partial(detector, name, 4))
    for boxes in (4, 7):
        yield Case(f"losses of boxes, {boxes} and {boxes}", partial(box_losses, boxes))
    for name in TRANSFORMS:
        yield Case(f"{name}, 3 images", partial(transform, name))
