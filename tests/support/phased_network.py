"""A network that is trained in phases, as small as can be."""

import torch
from torch import Tensor, nn

from emotion_core.models.networks import Batch
from emotion_core.recipes.specs import AudioSpec, VideoSpec


class Phased(nn.Module):
    """Mean sound -> classes, mean face -> classes, then a weight between both."""

    def __init__(self, audio: AudioSpec, video: VideoSpec, n_classes: int):
        super().__init__()
        self.audio = nn.Linear(audio.coefficients, n_classes)
        self.face = nn.Linear(3 * video.face_size**2, n_classes)
        self.fusion = nn.Linear(2 * n_classes, n_classes)
        self.phase = "fusion"

    def needs(self, phase: str) -> tuple[str, ...]:
        return ("audio", "face") if phase == "fusion" else (phase,)

    def enter(self, phase: str) -> None:
        self.phase = phase
        for name, weight in self.named_parameters():
            weight.requires_grad_(name.startswith(phase))

    def forward(self, batch: Batch) -> Tensor:
        assert batch.audio is not None and batch.faces is not None
        heard = self.audio(batch.audio.sum(dim=1) / batch.audio_length.clamp(min=1)[:, None])
        faces = (batch.faces * batch.face_mask[:, :, None, None, None]).sum(dim=1)
        seen = self.face(faces.flatten(1)) if batch.faces.shape[1] else heard * 0
        if self.phase in ("audio", "face"):
            return heard if self.phase == "audio" else seen
        both = self.fusion(torch.cat([heard, seen], dim=1))
        answer = torch.where(batch.has_audio[:, None], heard, seen)
        return torch.where((batch.has_audio & batch.has_faces)[:, None], both, answer)
