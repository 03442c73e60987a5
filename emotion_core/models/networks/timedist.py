"""An encoder of sound, a frame network joined over time for faces, one fusion layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import chosen, one_hidden
from emotion_core.models.networks.sequence import AudioBLSTM, AudioMean
from emotion_core.models.networks.visual import FRAMES, over_time
from emotion_core.recipes.specs import AudioSpec, VideoSpec

SOUNDS = ("blstm", "mean")


class TimeDistBLSTM(nn.Module):
    """The network of recipe ``timedist-blstm`` and its variants.

    A modality that a clip lacks counts as zeros after its encoder, so that the answer does not
    depend on what stands in its place in the tensors.

    Args:
        audio, video: the recipe's; None leaves that encoder out.
        n_classes: number of outputs.
        hidden: units of each direction of both BLSTM layers.
        dropout: between the BLSTM layers.
        fusion: width of the layer that joins the modalities.
        fusion_dropout: before and after that layer.
        modality_dropout: in training, the share of audio-visual clips of which one modality
            (either, at random) is hidden, so that the network also answers from one alone (the
            idea of "ModDrop", Neverova et al. 2016).
        pool: how the BLSTM's steps become one vector (``sequence.POOLS``).
        frame_widths: channels of each step of the frame network.
        sound: ``blstm``, or ``mean``: the mean feature vector and a dense layer.
        frame: ``vgg`` or ``residual``.
        time: what joins the faces of a clip: ``max``, ``gru`` or ``lstm``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        hidden: int = 64,
        dropout: float = 0.5,
        fusion: int = 256,
        fusion_dropout: float = 0.5,
        modality_dropout: float = 0.3,
        pool: str = "last",
        frame_widths: Sequence[int] = (16, 32, 64, 128),
        sound: str = "blstm",
        frame: str = "vgg",
        time: str = "max",
    ):
        super().__init__()
        width = 128
        self.audio: nn.Module | None = None
        if audio and chosen("encoder of sound", sound, SOUNDS) == "blstm":
            self.audio = AudioBLSTM(audio.coefficients, hidden, width, dropout, pool)
        elif audio:
            self.audio = AudioMean(audio.coefficients, width, dropout)
        self.video: nn.Module | None = None
        if video:
            kind = FRAMES[chosen("network of faces", frame, tuple(FRAMES))]
            faces = kind(1 if video.grey else 3, width, frame_widths)
            self.video = over_time(time, faces, width)
        self.fusion = nn.Sequential(
            nn.Dropout(fusion_dropout),
            nn.Linear(width * sum(part is not None for part in (self.audio, self.video)), fusion),
            nn.ReLU(),
            nn.Dropout(fusion_dropout),
            nn.Linear(fusion, n_classes),
        )
        self.modality_dropout = modality_dropout

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes)."""
        if self.training and self.audio is not None and self.video is not None:
            batch = one_hidden(batch, self.modality_dropout)
        parts = []
        if self.audio is not None and batch.audio is not None:
            encoded = self.audio(batch.audio, batch.audio_length)
            parts.append(torch.where(batch.has_audio[:, None], encoded, 0))
        if self.video is not None and batch.faces is not None:
            parts.append(self.video(batch.faces, batch.face_mask))
        return self.fusion(torch.cat(parts, dim=1))
