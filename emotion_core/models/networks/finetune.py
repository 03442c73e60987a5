"""The upper layers of a pretrained speech encoder, trained too, on stored states of a lower one."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.errors import UsageError
from emotion_core.models.networks.attentive import MixedLayers, at_speeds
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import chosen, mean_answer, needs_audio
from emotion_core.models.networks.sequence import real_steps
from emotion_core.recipes.specs import AudioSpec, VideoSpec
from emotion_core.sound.pretrained import load_encoder, resolve
from emotion_core.sound.upper import upper_weights

NAME = "voice-finetune"
# the one place that ``pretrained`` may name
ENCODER = "encoder"


class UpperLayers(nn.Module):
    """What an encoder makes of the states of one of its layers, from there on.

    Layers are named by their number in the encoder (1 is the lowest), so that weights of one never
    pass for those of another.

    Args:
        spec: of one layer's states; ``depth``, ``heads``, ``inner`` and ``norms`` are known.
        dropout: within the layers, in training.
    """

    def __init__(self, spec: AudioSpec, dropout: float):
        super().__init__()
        assert spec.layers and spec.width and spec.depth and spec.heads and spec.inner
        self.layers = nn.ModuleDict(
            {
                str(number): nn.TransformerEncoderLayer(
                    spec.width, spec.heads, spec.inner, dropout, "gelu",
                    batch_first=True, norm_first=spec.norms != "after",
                )
                for number in range(spec.layers[0] + 1, spec.depth + 1)
            }
        )  # fmt: skip
        self.norm = nn.LayerNorm(spec.width) if spec.norms == "before+end" else nn.Identity()

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        """What went in and what each layer answered, side by side.

        Args:
            states: float (b, t, width).
            real: bool (b, t), at least one a row; the others are not attended to.

        Returns:
            Float (b, t, (1 + layers) * width).
        """
        found = [states]
        for layer in self.layers.values():
            found.append(layer(found[-1], src_key_padding_mask=~real))
        found[-1] = self.norm(found[-1])
        return torch.cat(found, dim=2)


class _Listener(nn.Module):
    """Upper layers and what pools them: (k, t, width), bool (k, t) -> (k, 2 * hidden)."""

    def __init__(self, upper: UpperLayers, sound: MixedLayers):
        super().__init__()
        self.upper, self.sound = upper, sound

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        real = real | ~real.any(dim=1, keepdim=True)  # a blank row, asked for its gradients
        first = int(real.any(dim=0).int().argmax())  # attention costs the square of the length
        states, real = states[:, first:], real[:, first:]
        return self.sound(self.upper(states, real), real)


class VoiceFinetune(nn.Module):
    """The network of recipe ``voice-finetune``: ``VoiceEncoder``, its encoder's upper layers in it.

    The lower layers stay as they are, so that their states are made once, by ``preprocess``. That
    is the partial fine-tuning of Wang, Boumadane and Heba 2021 ("A fine-tuned wav2vec 2.0/HuBERT
    benchmark for speech emotion recognition, ..."), who kept the convolutions, carried further up.

    Args:
        audio: the recipe's, of kind ``encoder``, every position of one layer (``steps`` None).
        video: not used.
        n_classes: number of outputs.
        hidden: width that a position is projected to.
        attention: width of the layer that weighs the positions.
        dropout: of projected positions, and before the answer.
        encoder_dropout: within the encoder's layers.
        pretrained: ``encoder`` begins with the encoder's own weights, None with random ones.

    Raises:
        UsageError: the recipe's sound is not such states, heads that do not share the width evenly,
            or an encoder that cannot be had.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        hidden: int = 256,
        attention: int = 64,
        dropout: float = 0.5,
        encoder_dropout: float = 0.1,
        pretrained: str | None = None,
    ):
        super().__init__()
        spec = _checked(needs_audio(audio, NAME))
        assert spec.layers and spec.width and spec.depth
        self.speeds = len(spec.speeds)
        layers = 1 + spec.depth - spec.layers[0]
        self.listener = _Listener(
            UpperLayers(spec, encoder_dropout),
            MixedLayers(layers, spec.width, hidden, attention, dropout),
        )
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(2 * hidden, n_classes)
        if pretrained is not None:
            chosen("pretrained weights", pretrained, (ENCODER,))
            _, model = load_encoder(resolve(spec))
            self.listener.upper.load_state_dict(upper_weights(model, spec.layers[0]))

    def pretrained_weights(self) -> Iterator[nn.Parameter]:
        """The encoder's, which ``TrainSpec.pretrained_lr`` is for."""
        return self.listener.upper.parameters()

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without sound."""
        assert batch.audio is not None, "the recipe has sound"
        heard, real = self._by_speed(batch.audio, batch.audio_length)
        found, there = at_speeds(self.listener, heard, real)
        return mean_answer(self.answer(self.dropout(found)), there)

    def _by_speed(self, sound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Float (b, t, width), int64 (b,) -> (b, speeds, n, width), bool (b, speeds, n)."""
        # a speed that has fewer positions begins with zeros, which no layer's states are
        real = real_steps(length, sound.shape[1]) & sound.any(dim=2)
        missing = -sound.shape[1] % self.speeds
        sound, real = functional.pad(sound, (0, 0, missing, 0)), functional.pad(real, (missing, 0))
        turns = (-1, self.speeds)
        return sound.unflatten(1, turns).transpose(1, 2), real.unflatten(1, turns).transpose(1, 2)


def _checked(spec: AudioSpec) -> AudioSpec:
    known = spec.width and spec.depth and spec.heads and spec.inner and spec.norms
    if not spec.encoded or spec.steps is not None or len(spec.layers or ()) != 1 or not known:
        raise UsageError(
            f"network {NAME!r} goes on from one layer of an encoder, at every position: make the "
            f"features with --recipe {NAME} (audio.kind=encoder, audio.layers=[N], "
            "audio.steps=null)"
        )
    assert spec.layers and spec.width and spec.depth and spec.heads
    if not 0 <= spec.layers[0] < spec.depth:
        raise UsageError(
            f"network {NAME!r} goes on from layer {spec.layers[0]}, but the encoder's are 0 to "
            f"{spec.depth}, and one of them at least must lie above: --option audio.layers=[N]"
        )
    if spec.width % spec.heads:
        raise UsageError(f"{spec.heads} heads cannot share a width of {spec.width}")
    return spec
