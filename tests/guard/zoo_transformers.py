"""Architectures of transformers, tiny and random, with sizes that collide."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers.models.auto import modeling_auto
from zoo_cases import Case, Criterion, Step

transformers.logging.set_verbosity_error()

TINY: dict[str, Any] = {
    "vocab_size": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 1, "max_position_embeddings": 64, "n_positions": 64,
    "hidden_size": 32, "d_model": 32, "n_embd": 32, "embedding_size": 16, "dim": 32,
    "hidden_dim": 64, "hidden_sizes": [16, 32], "embed_dim": 32,
    "num_hidden_layers": 2, "num_layers": 2, "n_layer": 2, "n_layers": 2,
    "encoder_layers": 2, "decoder_layers": 2, "num_decoder_layers": 2, "num_encoder_layers": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 8, "d_kv": 8, "attention_head_size": 8,
    "intermediate_size": 48, "d_ff": 48, "n_inner": 48, "ffn_dim": 48, "ffn_hidden_size": 48,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "n_group": 1, "topk_group": 1, "n_shared_experts": 1,
    "shared_expert_intermediate_size": 16, "moe_num_experts": 4, "moe_k": 2,
    "kv_lora_rank": 8, "q_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
    "v_head_dim": 8, "state_size": 4, "mamba_d_state": 4, "mamba_n_heads": 4, "mamba_d_head": 16,
    "image_size": 32, "patch_size": 8, "num_channels": 3,
    "conv_dim": (16, 16),
    "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
    "num_queries": 6,
}  # fmt: skip


# Half a head is 4, and so are the heads, in the first sizes the batch and the sequence, too.
SIZES = ((4, 4), (3, 8))

DECODERS = """
afmoe apertus arcee aria_text biogpt bitnet bloom cohere cohere2 cpmant ctrl deepseek_v4 diffllama
doge dots1 ernie4_5 ernie4_5_moe exaone4 exaone_moe falcon falcon_mamba flex_olmo gemma gemma2
gemma3_text glm glm4 glm4_moe gpt2 gpt_bigcode gpt_neox gpt_neox_japanese gpt_oss granite granitemoe
granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe jais2 jetmoe lfm2 llama llama4_text mamba
mimo_v2_flash minimax minimax_m2 ministral ministral3 mistral mixtral modernbert-decoder moshi mpt
nanochat nemotron nemotron_h olmo olmo2 olmo3 olmo_hybrid olmoe openai-gpt opt persimmon phi phi3
phimoe qwen2 qwen2_moe qwen3 qwen3_moe rwkv seed_oss smollm3 solar_open stablelm starcoder2
vaultgemma xglm xlnet
""".split()

ENCODERS = """
albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie
esm eurobert flaubert fnet funnel ibert layoutlm longformer megatron-bert mobilebert modernbert
mpnet mra nomic_bert nystromformer rembert roberta roberta-prelayernorm roformer tapas xlm
xlm-roberta xlm-roberta-xl yoso
""".split()

TRANSLATORS = """
bart bigbird_pegasus blenderbot led longt5 m2m_100 marian mbart mt5 mvp nllb-moe pegasus pegasus_x
plbart prophetnet switch_transformers t5 umt5
""".split()

CLASSIFIERS = """
beit convnext convnextv2 data2vec-vision deit dinov2 dinov2_with_registers focalnet ijepa
mobilenet_v1 mobilenet_v2 regnet resnet swiftformer vit vit_msn
""".split()

DETECTORS = """
conditional_detr dab-detr deformable_detr detr rt_detr yolos
""".split()

LISTENERS = """
data2vec-audio hubert sew unispeech unispeech-sat wav2vec2 wav2vec2-conformer wavlm
""".split()

FORECASTERS = """
autoformer informer patchtsmixer patchtst time_series_transformer
""".split()


# ---- models --------------------------------------------------------------------------------------


def tiny_config(architecture: str, **changes: Any) -> Any:
    """The configuration of an architecture, with those of the sizes above that it has."""
    defaults = transformers.AutoConfig.for_model(architecture)
    known = {*vars(defaults), *defaults.attribute_map}
    for base in type(defaults).__mro__:
        known |= {
            *inspect.signature(base.__init__).parameters,
            *getattr(base, "__annotations__", ()),
        }
    sizes = {name: value for name, value in TINY.items() if name in known}
    return transformers.AutoConfig.for_model(architecture, **{"num_labels": 3, **sizes, **changes})


def model_of(task: str, architecture: str, **changes: Any) -> torch.nn.Module:
    """A model with random weights; `task` as in transformers' MODEL_FOR_..._MAPPING_NAMES."""
    named = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES")[architecture]
    name = named if isinstance(named, str) else named[0]
    return getattr(transformers, name)(tiny_config(architecture, **changes)).train()


def training(model: torch.nn.Module, inputs: dict[str, Any], output: str = "logits") -> Step:
    """A step on these inputs, which has the loss of the model and that of the mean output."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        result = model(**inputs)
        values = result[output]
        values = values[0] if isinstance(values, tuple) else values
        loss = result.loss.sum() + criterion(values.flatten(1).mean(1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return step


def text(task: str, architecture: str, batch: int, length: int) -> Step:
    tokens = torch.randint(3, 60, (batch, length))
    inputs = {"input_ids": tokens, "labels": tokens}
    if task != "CAUSAL_LM":
        mask = torch.ones_like(tokens)
        mask[0, -1] = 0  # one row is padded
        inputs["attention_mask"] = mask
    changes = {"decoder_start_token_id": 1} if task == "SEQ_TO_SEQ_CAUSAL_LM" else {}
    return training(model_of(task, architecture, **changes), inputs)


def regression(architecture: str, batch: int, length: int) -> Step:
    """A sequence classifier that transformers trains with its MSE, for one label a row."""
    tokens = torch.randint(3, 60, (batch, length))
    model = model_of("SEQUENCE_CLASSIFICATION", architecture, num_labels=1)
    return training(model, {"input_ids": tokens, "labels": torch.rand(batch)})


def images(architecture: str, batch: int) -> Step:
    inputs = {
        "pixel_values": torch.randn(batch, 3, 32, 32),
        "labels": torch.randint(0, 3, (batch,)),
    }
    return training(model_of("IMAGE_CLASSIFICATION", architecture), inputs)


def detection(architecture: str, batch: int, boxes: int) -> Step:
    """Boxes matched to queries; there can be as many of them as queries."""
    labels = [
        {"class_labels": torch.randint(0, 3, (boxes,)), "boxes": 0.3 + 0.3 * torch.rand(boxes, 4)}
        for _ in range(batch)
    ]
    changes: dict[str, Any] = {"image_size": [64, 64], "num_detection_tokens": 6}
    if architecture != "yolos":
        several = architecture in ("deformable_detr", "rt_detr")
        stages = ["stage2", "stage3", "stage4"] if several else ["stage4"]
        kind = "RTDetrResNetConfig" if architecture == "rt_detr" else "ResNetConfig"
        changes = {
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone": None,
            "backbone_config": getattr(transformers, kind)(
                embedding_size=8,
                hidden_sizes=[8, 16, 24, 32],
                depths=[1, 1, 1, 1],
                out_features=stages,
            ),
        }
    inputs = {"pixel_values": torch.randn(batch, 3, 64, 64), "labels": labels}
    return training(model_of("OBJECT_DETECTION", architecture, **changes), inputs)


def sound(architecture: str, batch: int) -> Step:
    """Speech recognition with the CTC loss."""
    inputs = {"input_values": torch.randn(batch, 400), "labels": torch.randint(3, 9, (batch, 3))}
    kernels = {"conv_kernel": (8, 4), "conv_stride": (4, 2)}
    return training(model_of("CTC", architecture, **kernels), inputs)


def forecast(architecture: str, batch: int) -> Step:
    """The next 4 values of as many series, from their past."""
    past = torch.rand(batch, 16, 4)
    changes: dict[str, Any] = {"prediction_length": 4, "context_length": 12}
    inputs = {"past_values": past, "past_observed_mask": torch.ones_like(past)}
    if architecture.startswith("patch"):
        changes |= {"num_input_channels": 4, "patch_length": 4, "patch_stride": 4}
        inputs = {"past_values": past[:, -12:], "future_values": torch.rand(batch, 4, 4)}
        name = f"{'PatchTST' if architecture == 'patchtst' else 'PatchTSMixer'}ForPrediction"
    else:
        changes |= {
            "lags_sequence": [1, 2, 3, 4],
            "num_time_features": 1,
            "num_parallel_samples": 2,
        }
        inputs = {
            "past_values": past[..., 0],
            "past_time_features": torch.rand(batch, 16, 1),
            "past_observed_mask": torch.ones(batch, 16),
            "future_values": torch.rand(batch, 4),
            "future_time_features": torch.rand(batch, 4, 1),
        }
        camel = "".join(word.title() for word in architecture.split("_"))
        name = f"{camel}ForPrediction"
    model = getattr(transformers, name)(tiny_config(architecture, **changes)).train()
    return training(model, inputs, "prediction_outputs" if "patch" in architecture else "params")


def cases() -> Iterator[Case]:
    kinds = {"CAUSAL_LM": DECODERS, "MASKED_LM": ENCODERS, "SEQ_TO_SEQ_CAUSAL_LM": TRANSLATORS}
    for task, architectures in kinds.items():
        for architecture in architectures:
            for batch, length in SIZES[architecture == "funnel" :]:  # which halves the sequence
                name = f"{architecture}, {batch} sequences of {length}"
                yield Case(name, partial(text, task, architecture, batch, length))
    for architecture in ("bert", "roberta", "electra", "llama", "gpt2", "opt"):
        yield Case(f"{architecture}, regression", partial(regression, architecture, 4, 4))
    for architecture in CLASSIFIERS:
        yield Case(f"{architecture}, 4 images", partial(images, architecture, 4))
    for architecture in DETECTORS:
        for boxes in (6, 2):
            yield Case(f"{architecture}, {boxes} boxes", partial(detection, architecture, 6, boxes))
    for architecture in LISTENERS:
        yield Case(f"{architecture}, 4 recordings", partial(sound, architecture, 4))
    for architecture in FORECASTERS:
        yield Case(f"{architecture}, 4 series of 4", partial(forecast, architecture, 4))
