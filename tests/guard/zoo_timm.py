"""Models of timm with its losses, mixup, optimizers and moving averages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import timm
import torch
from timm.data import Mixup
from timm.loss import (
    AsymmetricLossMultiLabel,
    BinaryCrossEntropy,
    JsdCrossEntropy,
    LabelSmoothingCrossEntropy,
    SoftTargetCrossEntropy,
)
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3, adaptive_clip_grad
from torch import Tensor
from zoo_cases import Case, Criterion, Step

CLASSES = 4  # and as many images, so that both axes collide
SIZE = 64
MODELS = """
resnet10t resnet14t resnet18d resnet26d seresnet18 ecaresnet26t gcresnet33ts resnetv2_18
resnetblur18 resnest14d regnetx_002 regnety_002 regnetz_005 mobilenetv2_035 mobilenetv3_small_050
mobilenetv4_conv_small_035 mobileone_s0 efficientnet_lite0 tinynet_e mnasnet_small spnasnet_100
fbnetc_100 semnasnet_075 hardcorenas_a lcnet_035 ghostnet_050 repghostnet_050 fastvit_t8
repvit_m0_9 mobilevit_xxs mobilevitv2_050 edgenext_xx_small convnext_atto convnextv2_atto
convnext_zepto_rms inception_next_atto poolformer_s12 poolformerv2_s12 vit_tiny_patch16_224
vit_tiny_r_s16_p8_224 vit_wee_patch16_reg1_gap_256 vit_pwee_patch16_reg1_gap_256
deit_tiny_distilled_patch16_224 eva02_tiny_patch14_224 cait_xxs24_224 xcit_nano_12_p16_224
pvt_v2_b0 pit_ti_224 levit_128s tiny_vit_5m_224 efficientvit_b0 efficientvit_m0
efficientformerv2_s0 swin_tiny_patch4_window7_224 swinv2_cr_tiny_ns_224 maxvit_rmlp_pico_rw_256
coatnet_pico_rw_224 coat_lite_tiny convit_tiny crossvit_tiny_240 twins_svt_small
tnt_s_legacy_patch16_224 visformer_tiny mixer_s32_224 resmlp_12_224 gmlp_ti16_224 sequencer2d_s
volo_d1_224 gcvit_xxtiny mambaout_femto starnet_s1 ghostnetv3_050 rdnet_tiny hgnet_tiny hgnetv2_b0
vovnet39a densenet121 dla34 hrnet_w18_small cspresnet50 darknet17 dpn48b mvitv2_tiny
hiera_tiny_224 davit_tiny focalnet_tiny_srf nextvit_small shvit_s1 swiftformer_xs csatv2
convformer_s18 caformer_s18 selecsls42 skresnet18 res2net50_14w_8s tresnet_m
""".split()

RESIZED = set(  # models for one size of image, which take another as an option
    """
vit_tiny_patch16_224 vit_tiny_r_s16_p8_224 vit_wee_patch16_reg1_gap_256
vit_pwee_patch16_reg1_gap_256 deit_tiny_distilled_patch16_224 eva02_tiny_patch14_224
cait_xxs24_224 pit_ti_224 levit_128s efficientformerv2_s0 swin_tiny_patch4_window7_224
swinv2_cr_tiny_ns_224 maxvit_rmlp_pico_rw_256 coatnet_pico_rw_224 coat_lite_tiny convit_tiny
tnt_s_legacy_patch16_224 visformer_tiny mixer_s32_224 resmlp_12_224 gmlp_ti16_224 volo_d1_224
gcvit_xxtiny hiera_tiny_224
""".split()
)


def training(name: str, loss: Callable[[], torch.nn.Module], mixup: bool) -> Step:
    options = {"img_size": SIZE} if name in RESIZED else {}
    model = timm.create_model(name, num_classes=CLASSES, **options).train()
    average = ModelEmaV3(model, decay=0.9)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-4, weight_decay=0.05)
    images, labels = torch.randn(CLASSES, 3, SIZE, SIZE), torch.randint(0, CLASSES, (CLASSES,))
    mix = (
        Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, num_classes=CLASSES, mode="elem")
        if mixup
        else None
    )
    objective = loss()

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        x, y = mix(images.clone(), labels) if mix else (images, labels)
        logits = model(x)
        if isinstance(logits, tuple):  # a distilled model has two heads
            logits = (logits[0] + logits[1]) / 2
        loss = objective(logits, y) + criterion(logits.mean(1))
        loss.backward()
        adaptive_clip_grad(model.parameters(), 0.01)
        optimizer.step()
        average.update(model)
        return loss

    return step


class MultiLabel(torch.nn.Module):
    """The asymmetric loss with one-hot labels."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return AsymmetricLossMultiLabel()(logits, torch.nn.functional.one_hot(labels, CLASSES))


LOSSES: tuple[tuple[Callable[[], torch.nn.Module], bool], ...] = (  # with mixup or not
    (SoftTargetCrossEntropy, True),
    (LabelSmoothingCrossEntropy, False),
    (BinaryCrossEntropy, True),
    (MultiLabel, False),
    (partial(JsdCrossEntropy, num_splits=2), False),
)


def cases() -> Iterator[Case]:
    for number, name in enumerate(MODELS):
        loss, mixup = LOSSES[number % len(LOSSES)]
        yield Case(f"{name}, 4 images of 4 classes", partial(training, name, loss, mixup))
