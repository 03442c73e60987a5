"""Step 1: a file becomes pictures and sound."""

from functools import partial

from emotion_core.clips.clip import fetched, stretch_of
from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork, Outcome
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan, Media
from emotion_core.recipes.specs import AudioSpec, VideoSpec
from emotion_core.sound.features import is_silent

NEEDS = Needs(cpus=1, memory_bytes=250 << 20)


def decode_step(
    audio: AudioSpec | None, video: VideoSpec | None, decoder: str, timeout_s: float
) -> DeclaredStep:
    """Decoding, which keeps a CPU busy; the arguments are ``DecodeStep``'s."""
    return DeclaredStep(Variant(partial(DecodeStep, audio, video, decoder, timeout_s), NEEDS))


class DecodeStep:
    """Fetches each clip and decodes it in a child process that may be killed.

    Args:
        audio, video: the recipe's specs; None: that modality is not decoded.
        decoder: ``auto``, ``decord`` or ``pyav``.
        timeout_s: the longest that decoding one clip may take.
    """

    def __init__(
        self, audio: AudioSpec | None, video: VideoSpec | None, decoder: str, timeout_s: float
    ):
        self.audio = audio
        self.video = video
        self.decoder_name = decoder
        self.decoder = IsolatedDecoder(timeout_s)

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return each(works, "decode", self._decode)

    def _decode(self, work: ClipWork) -> ClipWork:
        clip = work.clip
        start_s, end_s = stretch_of(clip["member"]) or (0.0, None)
        plan = DecodePlan(
            video=None if clip["modality"] == "audio" else self.video,
            sample_rate=self.audio.sample_rate if self.audio else None,
            decoder=self.decoder_name,
            start_s=start_s,
            end_s=end_s,
        )
        with fetched(clip) as path:
            media = self.decoder.decode(str(path), plan)
        return work.with_(
            media=media,
            outcome=judge(work.outcome, media, plan, clip["modality"]),
            duration_s=_length_s(media, plan),
            decoder=media.decoder or None,
        )


def _length_s(media: Media, plan: DecodePlan) -> float:
    """Seconds of the file, or of the stretch of it that was asked for, as far as there is one."""
    whole_s = media.info.duration_s
    if plan.end_s is None and plan.start_s == 0:
        return whole_s
    return max(0.0, min(whole_s, plan.end_s or whole_s) - plan.start_s)


def judge(outcome: Outcome, media: Media, plan: DecodePlan, modality: str | None) -> Outcome:
    """What decoding says of a clip: nothing usable, something missing, or all there.

    A clip that its corpus declares silent (``modality`` ``video``) misses nothing without sound;
    a clip of unknown modality that has pictures is expected to have sound.
    """
    wants_sound = plan.sample_rate is not None
    silent = is_silent(media.audio)
    if media.frames.shape[0] == 0 and silent:
        held = f"{media.info.kind}, {media.info.duration_s:.1f} s"
        return outcome.fail("decode", "empty", f"empty: no picture and no sound to use ({held})")
    for warning in media.warnings:
        # which decoder did the work has its own column: nothing is missing
        if not warning.startswith("decoder:"):
            outcome = outcome.degrade("decode", "cut", warning)
    declared_silent = modality in ("video", "image", "face") or media.info.kind == "image"
    if wants_sound and silent and not declared_silent:
        held = "nothing but silence" if media.audio.size else "no sound"
        outcome = outcome.degrade("decode", "no_audio", f"no_audio: the video has {held}")
    return outcome
