"""A second as one strip of five faces and one sequence of sound (spatio-temporal strip CNN)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import apply_where
from emotion_core.models.networks.sequence import AudioLSTM
from emotion_core.models.networks.visual import group_norm
from emotion_core.recipes.specs import AudioSpec, VideoSpec

PICTURES = 5
WIDTH = 200


def strips(faces: Tensor, mask: Tensor, pictures: int = PICTURES) -> Tensor:
    """Crops side by side, in order of time; a place without a face is black.

    Args:
        faces: float (b, n, channels, size, size).
        mask: bool (b, n).
        pictures: how many a strip has. Of more, this many at regular intervals are taken; behind
            fewer the strip is black.

    Returns:
        Float (b, channels, size, pictures * size).
    """
    clips, count, channels, size, _ = faces.shape
    black = torch.where(mask[:, :, None, None, None], faces, 0)
    if count > pictures:
        black = black[:, torch.linspace(0, count - 1, pictures).round().long()]
    elif count < pictures:
        missing = faces.new_zeros(clips, pictures - count, channels, size, size)
        black = torch.cat([black, missing], dim=1)
    return black.permute(0, 2, 3, 1, 4).flatten(3)


class StripCNN(nn.Module):
    """Three convolutions, each with max-pooling, then a dense layer: one vector a strip.

    Args:
        channels: 3 for RGB, 1 for grey.
        height, length: of the strip, pixels.
        out: width of the answer.
        widths: channels of the convolutions.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        length: int,
        out: int = WIDTH,
        widths: Sequence[int] = (32, 32, 32),
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for place, width in enumerate(widths):
            kernel = 5 if place else 3
            layers += [
                nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False),
                nn.MaxPool2d(2),
                group_norm(width),
                nn.ReLU(inplace=True),
            ]
            channels, height, length = width, height // 2, length // 2
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(channels * height * length, out)

    def forward(self, strip: Tensor) -> Tensor:
        """Float (k, channels, height, length) in [0, 1] -> float (k, out), not negative."""
        return torch.relu(self.dense(self.layers(2 * strip - 1).flatten(1)))


class SoundLSTM(nn.Module):
    """LSTM, its last hidden state, a dense layer.

    Args:
        coefficients: width of the feature matrix.
        hidden: units of the LSTM.
        out: width of the answer.
    """

    def __init__(self, coefficients: int, hidden: int = WIDTH, out: int = WIDTH):
        super().__init__()
        self.lstm = AudioLSTM(coefficients, hidden)
        self.dense = nn.Linear(hidden, out)

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        """Float (b, t, coefficients) padded in front, int64 (b,) -> float (b, out)."""
        return torch.relu(self.dense(self.lstm(audio, length)))


class StripCNNLSTM(nn.Module):
    """The network of recipe ``strip-cnn-lstm``: 200 of the strip and 200 of the sound -> classes.

    A sample is one second (``Recipe.segment_s``). After its repository
    (github.com/abhishekyana/Emotion-Recognition-using-Spatio-Temporal-Data); normalisation and
    dropout are additions.

    Args:
        audio, video: the recipe's; a modality that it lacks, or a clip lacks, counts as zeros.
        n_classes: number of outputs.
        width: of each modality's vector, and of the layer behind both.
        hidden: units of the LSTM.
        dropout: before and after that layer.
        frame_widths: channels of the convolutions.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        width: int = WIDTH,
        hidden: int = WIDTH,
        dropout: float = 0.5,
        frame_widths: Sequence[int] = (32, 32, 32),
    ):
        super().__init__()
        self.width = width
        self.audio = SoundLSTM(audio.coefficients, hidden, width) if audio else None
        self.video: StripCNN | None = None
        if video:
            size, channels = video.face_size, 1 if video.grey else 3
            self.video = StripCNN(channels, size, PICTURES * size, width, frame_widths)
        self.fusion = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, n_classes),
        )

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes)."""
        heard = seen = torch.zeros(len(batch), self.width, device=batch.label.device)
        if self.audio is not None and batch.audio is not None:
            heard = apply_where(self.audio, batch.has_audio, batch.audio, batch.audio_length)
        if self.video is not None and batch.faces is not None:
            strip = strips(batch.faces, batch.face_mask)
            seen = apply_where(self.video, batch.has_faces, strip)
        return self.fusion(torch.cat([seen, heard], dim=1))
