"""AlexNet on faces and a network on sound, trained each alone, then joined."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emotion_core.models.networks.alexnet import WIDTH, AlexNetEncoder, Branch, audio_branch
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.faces import dense_head
from emotion_core.models.networks.masking import (
    apply_to_faces,
    apply_where,
    chosen,
    mean_answer,
    mean_where,
    needs_audio,
    needs_video,
)
from emotion_core.recipes.specs import AudioSpec, VideoSpec

FUSIONS = ("concat", "single", "multi")
PHASES = ("audio", "face", "fusion")


def middle(mask: Tensor) -> Tensor:
    """Of the marked places of each row the middle one alone: bool (b, n) -> bool (b, n)."""
    rank = mask.cumsum(dim=1)
    return mask & (rank == mask.sum(dim=1, keepdim=True) // 2 + 1)


class WeightedAnswers(nn.Module):
    """The weighted mean of two answers; the weights, which add up to one, are learned."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, heard: Tensor, seen: Tensor) -> Tensor:
        """Logits (b, classes) twice -> logarithm of the weighted mean of their probabilities."""
        both = torch.stack([heard.log_softmax(dim=1), seen.log_softmax(dim=1)])
        return (both + self.weight.log_softmax(dim=0)[:, None, None]).logsumexp(dim=0)


class ConcatenatedLayers(nn.Module):
    """Two second-last layers side by side, then three dense layers.

    Args:
        inputs: width of both together.
        widths: of the layers before the answering one.
        dropout: behind each of them.
        n_classes: number of outputs.
    """

    def __init__(self, inputs: int, widths: Sequence[int], dropout: float, n_classes: int):
        super().__init__()
        self.layers = dense_head(inputs, widths, [dropout] * len(widths), n_classes)

    def forward(self, heard: Tensor, seen: Tensor) -> Tensor:
        """Float (b, width of sound), (b, width of faces) -> logits (b, classes)."""
        return self.layers(torch.cat([heard, seen], dim=1))


class AlexNetFusion(nn.Module):
    """The network of the recipes ``alexnet-fusion-*``.

    It is trained in the two steps of its author: each modality alone (phases ``audio`` and
    ``face``), then what joins them (phase ``fusion``), with both encoders frozen. A clip with one
    modality is answered by that modality's own head, also afterwards.

    Args:
        audio, video: the recipe's.
        n_classes: number of outputs.
        fusion: ``concat`` (second-last layers, the mean over a clip's faces, through three dense
            layers), ``single`` (a learned weighting of the answers to the sound and to the middle
            face) or ``multi`` (the same with the mean answer to all faces).
        encoder: of sound, ``cnn`` or ``lstm``.
        audio_width, face_width: of the second-last layers; None takes the published one.
        fusion_widths, fusion_dropout: of the layers of ``concat`` before the answering one.
        pretrained: for AlexNet, see ``networks.pretrained``.
        audio_options: other arguments of the encoder of sound.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        fusion: str = "concat",
        encoder: str = "cnn",
        audio_width: int | None = None,
        face_width: int = WIDTH,
        fusion_widths: Sequence[int] = (1024, 256),
        fusion_dropout: float = 0.5,
        pretrained: str | None = None,
        **audio_options: Any,
    ):
        super().__init__()
        name = "alexnet-fusion"
        needs_video(video, name)
        self.kind = chosen("fusion", fusion, FUSIONS)
        self.audio = audio_branch(
            needs_audio(audio, name), n_classes, encoder, audio_width, **audio_options
        )
        self.face = Branch(AlexNetEncoder(face_width, pretrained=pretrained), n_classes)
        width = self.audio.encoder.width + face_width
        self.fusion: ConcatenatedLayers | WeightedAnswers = (
            ConcatenatedLayers(width, fusion_widths, fusion_dropout, n_classes)
            if fusion == "concat"
            else WeightedAnswers()
        )
        self.phase = PHASES[-1]
        self.frozen: tuple[str, ...] = ()

    def needs(self, phase: str) -> tuple[str, ...]:
        """Modalities that a clip of this phase must have."""
        return ("audio", "face") if chosen("phase", phase, PHASES) == "fusion" else (phase,)

    def enter(self, phase: str) -> None:
        """Let only this phase's weights move, and answer as it does."""
        self.phase = chosen("phase", phase, PHASES)
        self.frozen = tuple(part for part in PHASES if part != phase)
        for part in PHASES:
            self.get_submodule(part).requires_grad_(part == phase)
        self.train(self.training)

    def train(self, mode: bool = True) -> "AlexNetFusion":
        """As ever, but what is frozen neither drops anything out nor gathers statistics."""
        super().train(mode)
        for part in self.frozen:
            self.get_submodule(part).eval()
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without the phase's modality."""
        if self.phase == "audio":
            return self.audio.head(self._hear(batch)) * batch.has_audio[:, None]
        if self.phase == "face":
            return self._see(batch, batch.face_mask)[1]
        both = batch.has_audio & batch.has_faces
        mask = batch.face_mask
        if self.kind == "single":  # a silent clip is still answered from all its faces
            mask = torch.where(both[:, None], middle(mask), mask)
        layer_heard = self._hear(batch)
        heard = self.audio.head(layer_heard)
        layer_seen, seen = self._see(batch, mask)
        joined = (layer_heard, layer_seen) if self.kind == "concat" else (heard, seen)
        answer = torch.where(batch.has_audio[:, None], heard, seen)
        return torch.where(both[:, None], apply_where(self.fusion, both, *joined), answer)

    def _hear(self, batch: Batch) -> Tensor:
        """The second-last layer of sound, float (b, width), zeros for a silent clip."""
        assert batch.audio is not None, "the recipe has sound"
        return apply_where(self.audio.encoder, batch.has_audio, batch.audio, batch.audio_length)

    def _see(self, batch: Batch, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Mean second-last layer (b, width) and mean answer (b, n_classes) of these faces."""
        assert batch.faces is not None, "the recipe has pictures"
        layer = apply_to_faces(self.face.encoder, batch.faces, mask)
        return mean_where(layer, mask), mean_answer(self.face.head(layer), mask)
