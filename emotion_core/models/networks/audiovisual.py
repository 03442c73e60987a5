"""Voice and faces joined: an embedding of each, attention over time, neither left to be lazy."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.models.networks.attentive import AttentiveStatistics, EncodedSound
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import (
    apply_to_faces,
    apply_where,
    mean_where,
    needs_audio,
    one_hidden,
)
from emotion_core.models.networks.residual import FACE_BLOCKS, FACE_WIDTHS, FaceEmbedding
from emotion_core.models.networks.spectrogram import SOUND_WIDTHS, Spectrogram
from emotion_core.recipes.specs import AudioSpec, VideoSpec


class AudioVisual(nn.Module):
    """The network of recipe ``fusion``.

    Sound becomes an embedding as in ``voice-encoder`` or, from a log-mel spectrogram, as in
    ``voice-small``; each face becomes one as in ``face-small``, and attention joins those of a
    clip. Parts have the names that they have there, so that ``train --init`` finds their weights.
    A modality that a clip lacks counts as zeros.

    Args:
        audio, video: the recipe's; None leaves that part out, but not both.
        n_classes: number of outputs.
        hidden: width that a step of sound, or a face, is projected to.
        attention: width of the layer that weighs the steps, or the faces.
        dropout: of projected steps and faces, before and after the joining layer.
        modality_dropout: in training, the share of audio-visual clips of which one modality
            (either, at random) is hidden (the idea of "ModDrop", Neverova et al. 2016).
        learn_faces: also train the network behind the embeddings of faces. Without, it stays as it
            began: right where ``--init`` gave it weights, and there are few people to learn from.
        sound_widths: as ``voice-small``'s ``widths``.

    Raises:
        UsageError: neither sound nor pictures, or a kind of sound that it cannot hear.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        hidden: int = 128,
        attention: int = 64,
        dropout: float = 0.3,
        modality_dropout: float = 0.5,
        learn_faces: bool = False,
        sound_widths: Sequence[int] = SOUND_WIDTHS,
    ):
        super().__init__()
        if video is None:
            audio = needs_audio(audio, "fusion")
        self.modality_dropout, self.learn_faces = modality_dropout, learn_faces
        self.dropout = nn.Dropout(dropout)
        self.sound: EncodedSound | Spectrogram | None = None
        if audio and audio.encoded:
            self.sound = EncodedSound(audio, hidden, attention, dropout)
        elif audio:
            self.sound = Spectrogram(audio, sound_widths, hidden, attention, dropout)
        width = self.sound.width if self.sound else 0
        self.frame: FaceEmbedding | None = None
        if video:
            self.frame = FaceEmbedding(1 if video.grey else 3, FACE_WIDTHS, FACE_BLOCKS)
            self.frame.requires_grad_(learn_faces)
            # the ranges of an embedding's numbers differ
            self.norm = nn.LayerNorm(self.frame.width)
            self.project = nn.Linear(self.frame.width, hidden)
            self.pool = AttentiveStatistics(hidden, attention)
            width += 2 * hidden
        self.join = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_classes),
        )

    def train(self, mode: bool = True) -> "AudioVisual":
        """As ever, but a network of faces that does not learn gathers no statistics either."""
        super().train(mode)
        if self.frame is not None and not self.learn_faces:
            self.frame.eval()
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes)."""
        if self.training and self.sound is not None and self.frame is not None:
            batch = one_hidden(batch, self.modality_dropout)
        parts = []
        if self.sound is not None:
            parts.append(self._hear(self.sound, batch))
        if self.frame is not None:
            parts.append(self._see(self.frame, batch))
        return self.join(torch.cat(parts, dim=1))

    def _hear(self, sound: EncodedSound | Spectrogram, batch: Batch) -> Tensor:
        """Embeddings, float (b, width)."""
        assert batch.audio is not None, "the recipe has sound"
        if isinstance(sound, Spectrogram):
            return apply_where(sound, batch.has_audio, batch.audio, batch.audio_length)
        return mean_where(*sound.heard(batch.audio, batch.audio_length))

    def _see(self, frame: FaceEmbedding, batch: Batch) -> Tensor:
        """Mean and deviation over a clip's faces, float (b, 2 * hidden)."""
        assert batch.faces is not None, "the recipe has pictures"
        mask = batch.face_mask
        faces = self.norm(apply_to_faces(frame, batch.faces, mask))
        steps = self.dropout(functional.relu(self.project(faces)))
        there = mask.any(dim=1, keepdim=True)
        return torch.where(there, self.pool(steps, mask | ~there), 0)
