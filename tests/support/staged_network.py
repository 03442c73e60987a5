"""A network that is trained in stages, as small as can be."""

import torch
from torch import Tensor, nn

from emotion_core.models.networks import Batch
from emotion_core.recipes.specs import AudioSpec, VideoSpec


class Staged(nn.Module):
    """Mean sound -> classes, mean face -> classes, then a weight between both."""

    def __init__(self, audio: AudioSpec, video: VideoSpec, n_classes: int):
        super().__init__()
        self.audio = nn.Linear(audio.coefficients, n_classes)
        self.face = nn.Linear(3 * video.face_size**2, n_classes)
        self.fusion = nn.Linear(2 * n_classes, n_classes)
        self.stage = "fusion"

    def needs(self, stage: str) -> tuple[str, ...]:
        return ("audio", "face") if stage == "fusion" else (stage,)

    def enter(self, stage: str) -> None:
        self.stage = stage
        for name, weight in self.named_parameters():
            weight.requires_grad_(name.startswith(stage))

    def forward(self, batch: Batch) -> Tensor:
        assert batch.audio is not None and batch.faces is not None
        heard = self.audio(batch.audio.sum(dim=1) / batch.audio_length.clamp(min=1)[:, None])
        faces = (batch.faces * batch.face_mask[:, :, None, None, None]).sum(dim=1)
        seen = self.face(faces.flatten(1)) if batch.faces.shape[1] else heard * 0
        if self.stage in ("audio", "face"):
            return heard if self.stage == "audio" else seen
        both = self.fusion(torch.cat([heard, seen], dim=1))
        answer = torch.where(batch.has_audio[:, None], heard, seen)
        return torch.where((batch.has_audio & batch.has_faces)[:, None], both, answer)
