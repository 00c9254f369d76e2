"""x-transformers: its attention, its positions, its normalisations, and its ways to train."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from x_transformers import (
    AutoregressiveWrapper,
    ContinuousTransformerWrapper,
    CrossAttender,
    Decoder,
    Encoder,
    TransformerWrapper,
    ViTransformerWrapper,
    XTransformer,
)
from zoo_cases import Case, Criterion, Step

LAYERS: dict[str, Any] = {"dim": 32, "depth": 2, "heads": 4, "attn_dim_head": 8}
SIZES = ((4, 4), (3, 8))  # half a head is 4, and there are as many heads

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rotary": {"rotary_pos_emb": True},
    "rotary xpos": {"rotary_xpos": True},
    "ALiBi": {"alibi_pos_bias": True, "alibi_num_heads": 2},
    "relative positions of T5": {"rel_pos_bias": True},
    "dynamic position bias": {"dynamic_pos_bias": True, "dynamic_pos_bias_log_distance": True},
    "data dependent ALiBi": {"attn_data_dependent_alibi": True},
    "polar positions": {"polar_pos_emb": True},
    "memory keys": {"attn_num_mem_kv": 4},
    "one key and value": {"attn_one_kv_head": True},
    "grouped queries": {"attn_kv_heads": 2},
    "talking heads": {"attn_pre_talking_heads": True, "attn_post_talking_heads": True},
    "query and key norms": {"attn_qk_norm": True, "attn_qk_norm_dim_scale": True},
    "sparse top 2": {"attn_sparse_topk": 2},
    "gated values": {"attn_gate_values": True, "attn_value_rmsnorm": True},
    "head scales": {"attn_head_scale": True},
    "sandwich norm": {"sandwich_norm": True},
    "RMSNorm": {"use_rmsnorm": True},
    "ScaleNorm": {"use_scalenorm": True},
    "GLU": {"ff_glu": True, "ff_swish": True},
    "ReLU squared": {"ff_relu_squared": True},
    "gated residuals": {"gate_residual": True},
    "hyper connections": {"num_residual_streams": 4},
    "shifted tokens": {"shift_tokens": 1},
    "macaron": {"macaron": True},
    "layer dropout": {"layer_dropout": 0.2},
    "shared layers": {"weight_tie_layers": True},
    "softclamped attention": {"attn_softclamp_logits": True},
    "value residuals": {"add_value_residual": True, "learned_value_residual_mix": True},
}


def training(model: torch.nn.Module, loss_and_output: Any) -> Step:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        loss, output = loss_and_output(model)
        loss = loss + criterion(output.flatten(1).mean(1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def language_model(options: dict[str, Any], batch: int, length: int) -> Step:
    net = TransformerWrapper(
        num_tokens=64, max_seq_len=16, attn_layers=Decoder(**LAYERS, **options)
    )
    tokens = torch.randint(0, 64, (batch, length + 1))
    return training(
        AutoregressiveWrapper(net),
        lambda model: (model(tokens), model.net(tokens[:, :-1])),
    )


def encoder(options: dict[str, Any], batch: int, length: int) -> Step:
    net = TransformerWrapper(
        num_tokens=64, max_seq_len=16, attn_layers=Encoder(**LAYERS, **options)
    )
    tokens, mask = (
        torch.randint(0, 64, (batch, length)),
        torch.ones(batch, length, dtype=torch.bool),
    )
    mask[0, -1] = False
    return training(net, lambda model: (model(tokens, mask=mask).square().mean(), model(tokens)))


def continuous(batch: int, length: int) -> Step:
    net = ContinuousTransformerWrapper(
        dim_in=4, dim_out=4, max_seq_len=16, attn_layers=Encoder(**LAYERS, rotary_pos_emb=True)
    )
    x, mask = torch.randn(batch, length, 4), torch.ones(batch, length, dtype=torch.bool)
    return training(
        net, lambda model: ((model(x, mask=mask) - x).square().mean(), model(x, mask=mask))
    )


def translation(batch: int, length: int) -> Step:
    net = XTransformer(
        dim=32, enc_num_tokens=64, enc_depth=1, enc_heads=4, enc_max_seq_len=16,
        dec_num_tokens=64, dec_depth=1, dec_heads=4, dec_max_seq_len=16, tie_token_emb=True,
    )  # fmt: skip
    source = torch.randint(0, 64, (batch, length))
    return training(
        net, lambda model: (model(source, source), model.encoder(source, return_embeddings=True))
    )


def images(batch: int) -> Step:
    net = ViTransformerWrapper(
        image_size=16, patch_size=8, num_classes=4, attn_layers=Encoder(**LAYERS)
    )
    pictures, labels = torch.randn(batch, 3, 16, 16), torch.randint(0, 4, (batch,))
    return training(
        net,
        lambda model: (
            torch.nn.functional.cross_entropy(model(pictures), labels),
            model(pictures),
        ),
    )


def cross_attention(batch: int, length: int) -> Step:
    net = CrossAttender(dim=32, depth=2, heads=4)
    x, context = torch.randn(batch, length, 32), torch.randn(batch, length, 32)
    return training(
        net, lambda model: (model(x, context=context).square().mean(), model(x, context=context))
    )


def cases() -> Iterator[Case]:
    for name, options in VARIANTS.items():
        for batch, length in SIZES:
            sizes = f"{batch} sequences of {length}"
            yield Case(
                f"decoder with {name}, {sizes}", partial(language_model, options, batch, length)
            )
    for name in ("plain", "rotary", "ALiBi", "relative positions of T5", "sandwich norm"):
        yield Case(f"encoder with {name}, 4 of 4", partial(encoder, VARIANTS[name], 4, 4))
    yield Case("continuous, 4 of 4", partial(continuous, 4, 4))
    yield Case("translation, 4 of 4", partial(translation, 4, 4))
    yield Case("cross attention, 4 of 4", partial(cross_attention, 4, 4))
    yield Case("ViT, 4 images", partial(images, 4))
