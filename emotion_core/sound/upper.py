"""The upper layers of a speech encoder in torch's own words: ``nn.TransformerEncoderLayer``.

Whisper's layers, and those of wav2vec2, HuBERT and data2vec, are that layer of Vaswani et al. 2017
under other names. So a network that holds them is built from a few numbers, without the encoder at
hand and without ``transformers``. WavLM's attention has gates of its own, which torch's has not.
"""

from typing import Any

import torch
from torch import Tensor, nn

from emotion_core.errors import UsageError

FAMILIES = ("data2vec-audio", "hubert", "wav2vec2", "whisper")

# what torch's layer takes for granted
_ACTIVATION, _EPS = "gelu", 1e-5

_WHISPER = {
    "self_attn": "self_attn", "self_attn_layer_norm": "norm1",
    "fc1": "linear1", "fc2": "linear2", "final_layer_norm": "norm2",
}  # fmt: skip
_OTHERS = {
    "attention": "self_attn", "layer_norm": "norm1",
    "feed_forward.intermediate_dense": "linear1", "feed_forward.output_dense": "linear2",
    "final_layer_norm": "norm2",
}  # fmt: skip


def shape_of(config: Any, encoder: str | None) -> dict[str, Any]:
    """``depth``, ``heads``, ``inner`` and ``norms`` of ``AudioSpec``.

    Args:
        config: the encoder's, of ``transformers``.
        encoder: its name, for messages.

    Raises:
        UsageError: its layers are not torch's.
    """
    whisper = config.model_type == "whisper"
    activation = config.activation_function if whisper else config.hidden_act
    eps = _EPS if whisper else config.layer_norm_eps
    other = getattr(config, "adapter_attn_dim", None) is not None
    if config.model_type not in FAMILIES or (activation, eps) != (_ACTIVATION, _EPS) or other:
        raise UsageError(
            f"encoder {encoder!r} is a {config.model_type} whose upper layers cannot be trained: "
            f"that works with {', '.join(FAMILIES)} as they were published; --recipe voice-encoder "
            "takes any, frozen"
        )
    first = getattr(config, "do_stable_layer_norm", False)
    return {
        "depth": int(config.num_hidden_layers),
        "heads": int(config.encoder_attention_heads if whisper else config.num_attention_heads),
        "inner": int(config.encoder_ffn_dim if whisper else config.intermediate_size),
        "norms": "before+end" if whisper else "before" if first else "after",
    }


def layers_of(model: Any) -> nn.ModuleList:
    """The transformer layers of an encoder, lowest first."""
    return model.layers if model.config.model_type == "whisper" else model.encoder.layers


def stop_at(model: Any, last: int) -> None:
    """Cut off what lies above layer ``last``, so that it is neither computed nor kept in memory.

    The states of the layers that stay are what they were: only those of Whisper's last layer are
    normalised, and without it nothing is. One layer stays in any case, for its input.
    """
    layers = layers_of(model)
    if last < len(layers) and model.config.model_type == "whisper":
        model.layer_norm = nn.Identity()
    del layers[max(last, 1) :]


def upper_weights(model: Any, above: int) -> dict[str, Tensor]:
    """Weights of the layers above layer ``above``, and of the norm after the last.

    Args:
        model: an encoder of one of ``FAMILIES``.
        above: 0 gives all layers.

    Returns:
        Float32 by torch's names: ``layers.3.linear1.weight`` of the third layer (layer 1 is the
        lowest), and ``norm.weight`` of Whisper's last norm.
    """
    whisper = model.config.model_type == "whisper"
    names = _WHISPER if whisper else _OTHERS
    found = {
        f"layers.{number}.{key}": value
        for number, layer in enumerate(layers_of(model), start=1)
        if number > above
        for key, value in _layer(layer.state_dict(), names).items()
    }
    norm = model.layer_norm.state_dict() if whisper else {}
    return {**found, **{f"norm.{key}": value for key, value in norm.items()}}


def _layer(given: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """One layer's weights by torch's names, queries, keys and values stacked as torch has them."""
    ours = {}
    for theirs, here in names.items():
        for part in ("weight", "bias"):
            if here == "self_attn":
                ours[f"{here}.in_proj_{part}"] = _stacked(given, theirs, part)
                ours[f"{here}.out_proj.{part}"] = given[f"{theirs}.out_proj.{part}"]
            else:
                ours[f"{here}.{part}"] = given[f"{theirs}.{part}"]
    return ours


def _stacked(given: dict[str, Tensor], attention: str, part: str) -> Tensor:
    query, value = (given[f"{attention}.{kind}_proj.{part}"] for kind in "qv")
    # Whisper's keys have no bias: it would raise all scores of a query alike, and change nothing
    key = given.get(f"{attention}.k_proj.{part}", torch.zeros_like(query))
    return torch.cat([query, key, value])
