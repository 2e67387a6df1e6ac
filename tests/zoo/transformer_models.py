"""Models of transformers with two layers each and random weights, with their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch

ENCODERS = (
    *("bert", "roberta", "distilbert", "albert", "electra", "deberta", "deberta-v2", "xlnet", "mpnet", "convbert"),
    *("funnel", "squeezebert", "mobilebert", "ernie", "camembert", "xlm-roberta", "modernbert", "nystromformer"),
    *("fnet", "roformer", "yoso", "big_bird", "longformer", "layoutlm", "megatron-bert", "xlm", "flaubert", "ibert"),
)
LANGUAGE_MODELS = (
    *("gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe"),
    *("gemma", "gemma2", "gemma3_text", "phi", "phi3", "falcon", "bloom", "mpt", "openai-gpt", "ctrl", "codegen"),
    *("stablelm", "starcoder2", "olmo", "olmo2", "cohere", "granite", "mamba", "smollm3", "xglm", "biogpt"),
)
TO_SEQUENCES = ("t5", "bart", "mbart", "pegasus", "marian", "blenderbot", "mt5", "umt5", "m2m_100", "led")
VISION = (
    *("vit", "deit", "beit", "swin", "swinv2", "convnext", "convnextv2", "resnet", "regnet", "mobilenet_v1"),
    *("mobilenet_v2", "mobilevit", "mobilevitv2", "segformer", "dinov2", "pvt", "pvt_v2", "poolformer", "levit", "cvt"),
    *("focalnet", "efficientnet", "vit_mae", "data2vec-vision", "bit", "glpn", "yolos", "vit_msn", "hiera", "ijepa"),
    *("clip_vision_model", "siglip_vision_model", "dpt", "dinov2_with_registers", "swiftformer", "vitdet"),
)
AUDIO = (
    "wav2vec2",
    "hubert",
    "wavlm",
    "unispeech",
    "sew",
    "whisper",
    "audio-spectrogram-transformer",
    "data2vec-audio",
)
_FEWER = {
    "num_hidden_layers": 2,
    "num_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
}

Build = Callable[[], tuple[torch.nn.Module, Any]]


def transformers() -> Iterator[tuple[str, str, Build]]:
    """Yields the group, the name and the function that builds each model."""
    for group, names in (
        *(("text encoders", ENCODERS), ("language models", LANGUAGE_MODELS), ("sequence to sequence", TO_SEQUENCES)),
        *(("vision", VISION), ("audio", AUDIO)),
    ):
        for name in names:
            yield group, name, lambda g=group, n=name: _build(g, n)


def _config(name: str) -> Any:
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[name]()
    for field, value in _FEWER.items():
        if isinstance(getattr(config, field, None), int) and "layer_types" not in vars(config):
            with suppress(NotImplementedError):  # a derived number, which cannot be set
                setattr(config, field, value)
    config._experts_implementation = "batched_mm"  # the default reads which experts are chosen
    return config


def _build(group: str, name: str) -> tuple[torch.nn.Module, Any]:
    from transformers import AutoModel, AutoModelForCausalLM

    config = _config(name)
    factory = AutoModelForCausalLM if group == "language models" else AutoModel
    with torch.device("meta"):
        module = factory.from_config(config)
    return module.eval(), _input(group, name, config)


def _input(group: str, name: str, config: Any) -> dict[str, torch.Tensor]:
    tokens = torch.zeros(1, 16, dtype=torch.long, device="meta")
    if group == "vision":
        size = getattr(config, "image_size", None) or 224
        height, width = size if isinstance(size, list | tuple) else (size, size)
        return {"pixel_values": torch.zeros(1, getattr(config, "num_channels", 3), height, width, device="meta")}
    if name == "whisper":
        return {"input_features": torch.zeros(1, 80, 3000, device="meta"), "decoder_input_ids": tokens}
    if name == "audio-spectrogram-transformer":
        return {"input_values": torch.zeros(1, config.max_length, config.num_mel_bins, device="meta")}
    if group == "audio":
        return {"input_values": torch.zeros(1, 16000, device="meta")}
    if group == "sequence to sequence":
        return {"input_ids": tokens, "decoder_input_ids": tokens[:, :4]}
    return {"input_ids": tokens}
