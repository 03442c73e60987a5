"""What every network is given: a batch of clips, with masks for what a clip may lack."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Clips as tensors. ``b`` clips, ``t`` sound frames, ``n`` pictures.

    Attributes:
        audio: float32 (b, t, coefficients), padded with zeros in front, so that the last row of a
            clip is its last sound frame. None when the recipe has no sound.
        audio_length: int64 (b,), how many of the ``t`` frames are real; 0 without sound.
        has_audio: bool (b,).
        faces: float32 (b, n, channels, size, size) in [0, 1]. ``n`` may be 0 when no clip of the
            batch has a face. None when the recipe has no pictures.
        face_mask: bool (b, n): False is padding, or a picture without a face.
        label: int64 (b,), class index; -1 where it is not known.
    """

    audio: Tensor | None
    audio_length: Tensor
    has_audio: Tensor
    faces: Tensor | None
    face_mask: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.label)

    @property
    def has_faces(self) -> Tensor:
        """Which clips show a face in at least one picture, bool (b,)."""
        return self.face_mask.any(dim=1)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {name: value.to(device) for name, value in given.items() if value is not None}
        return replace(self, **moved)

    def hiding(self, audio: Tensor, faces: Tensor) -> "Batch":
        """The same clips, those marked as if they were silent, or as if nobody were in view.

        Args:
            audio, faces: bool (b,), whose sound and whose faces are hidden.
        """
        return replace(
            self,
            audio_length=torch.where(audio, 0, self.audio_length),
            has_audio=self.has_audio & ~audio,
            face_mask=self.face_mask & ~faces[:, None],
        )

    def without_audio(self) -> "Batch":
        """The same clips as if they were silent: what the pictures alone would say."""
        every = torch.ones_like(self.has_audio)
        return self.hiding(audio=every, faces=~every)

    def without_faces(self) -> "Batch":
        """The same clips as if nobody were in view: what the sound alone would say."""
        every = torch.ones_like(self.has_audio)
        return self.hiding(audio=~every, faces=every)
