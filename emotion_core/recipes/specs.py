"""What decides features, network and training, as frozen data.

A recipe (``emotion_core.recipes``) is an instance of ``Recipe`` below. It holds names and numbers
only, so that it can be written to ``recipe.json`` inside a model bundle and read back years later
without running anybody's code.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from emotion_core.errors import UsageError

# Pictures of one clip that are held in memory where none may be left out: a minute and a half at
# five a second, half a gigabyte at 640 x 480.
MOST_COUNTED = 500


@dataclass(frozen=True)
class AudioSpec:
    """How sound becomes a feature matrix of shape (frames, coefficients), float32.

    Attributes:
        kind: ``mfcc``, ``logmel``, ``mfcc+logmel`` (both side by side), or ``encoder``: what a
            pretrained speech encoder makes of the sound (``sound.encoder``), float16, chosen layers
            side by side. It alone uses the settings from ``encoder`` to ``norms``, and of the
            others ``sample_rate``, ``trim_db`` and ``highpass_hz`` only. ``waveform``, the sound
            itself, is what other people's models are played (``models.foreign``): no recipe to
            train has it.
        sample_rate: Hz; sound is mixed to mono and resampled to it.
        n_mfcc: coefficients (unused by ``logmel``).
        n_mels: mel bands.
        n_fft, hop_length: samples.
        trim_db: silence at both ends more than this below the peak is cut (librosa's ``top_db``);
            None keeps it.
        highpass_hz: what is deeper is taken away before anything else is done with the sound
            (Butterworth, fourth order, forwards and backwards): hum and rumble say nothing of a
            voice, yet an encoder measures all it hears by the loudest. None keeps it.
        scale: ``standardise`` (subtract each coefficient's mean over the clip, divide by its
            deviation), ``minmax`` (each coefficient of the clip to [0, 1]) or ``none``.
        max_frames: longer clips are cut to the last ``max_frames``; None: the longest clip of the
            training side decides.
        encoder: name on the Hugging Face hub, or a local folder in the layout of ``transformers``.
        revision: branch, tag or commit of the hub; once features are made, the commit.
        weights_hash: SHA-256 of the weights. With one, no other weights are taken.
        width: of a layer. What the weights and their width are is filled in when features are
            made (``sound.pretrained.resolve``); a recipe may leave both out.
        layers: which layers' states: 0 is what the first layer is fed with. None: all.
        steps: rows of a clip, whatever its length: means over that many equal stretches of it.
            None: every position of one layer below the last, for a network that goes on from there
            itself; of a clip longer than the encoder hears at once (30 s) the end.
        speeds: how fast the encoder hears the sound, pitch and all (speed perturbation, Ko et al.
            2015), 1 as it is. One speed's rows stand behind the other's; without ``steps`` they
            take turns instead, and end together: a speed that has fewer begins with zeros.
        depth, heads, inner, norms: what the encoder's layers are, filled in as ``width`` is where
            ``steps`` is None: how many, attention heads of each, width of its feed-forward part,
            and where it normalises: ``after`` each part, ``before`` it, or ``before+end``, which
            is the same and once more after the last layer.
    """

    kind: str = "mfcc"
    sample_rate: int = 16000
    n_mfcc: int = 24
    n_mels: int = 64
    n_fft: int = 512
    hop_length: int = 256
    trim_db: float | None = None
    scale: str = "standardise"
    max_frames: int | None = None
    encoder: str | None = None
    revision: str | None = None
    weights_hash: str | None = None
    width: int | None = None
    layers: tuple[int, ...] | None = None
    steps: int | None = 24
    speeds: tuple[float, ...] = (1.0,)
    depth: int | None = None
    heads: int | None = None
    inner: int | None = None
    norms: str | None = None
    highpass_hz: float | None = None

    def __post_init__(self) -> None:
        # lists, in JSON
        object.__setattr__(self, "speeds", tuple(self.speeds))
        # no hum lies below, and the filter's own rounding would be louder than what it takes away
        if self.highpass_hz is not None and not 10 <= self.highpass_hz < self.sample_rate / 2:
            raise UsageError(
                f"audio highpass_hz {self.highpass_hz:g}: at least 10 and below "
                f"{self.sample_rate / 2:g}, half the sample rate"
            )
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))

    @property
    def encoded(self) -> bool:
        """Whether a pretrained encoder makes the features."""
        return self.kind == "encoder"

    @property
    def column(self) -> str:
        """Where a table of features holds these."""
        return "encoder_features" if self.encoded else "audio_features"

    @property
    def coefficients(self) -> int:
        """Width of the feature matrix; of an encoder that nobody has looked at yet it is 0."""
        if self.encoded:
            return len(self.layers or ()) * (self.width or 0)
        return {"mfcc": self.n_mfcc, "logmel": self.n_mels}.get(
            self.kind, self.n_mfcc + self.n_mels
        )


@dataclass(frozen=True)
class VideoSpec:
    """Which pictures are taken from a clip and how faces are cut from them.

    Attributes:
        sampling: ``uniform`` (``count`` pictures at the middles of equal parts of the clip),
            ``stride`` (every ``every``-th picture by the stream's mean frame rate) or ``fps``
            (``fps`` pictures a second).
        count, every, fps: the number that the sampling uses.
        max_frames: an upper bound for ``stride`` and ``fps`` (the network's input size).
        max_side: decoded pictures are scaled down so that the longer side has at most this many
            pixels before anything else sees them.
        face_size: crops are ``face_size`` x ``face_size`` pixels.
        margin: the square crop is this much wider than the longer side of the detected box.
        grey: crops are one channel instead of RGB.
        detect: False takes the whole picture as the face.
        min_score, min_face: a detection below this score, or smaller than this many pixels of the
            scaled picture, is no face.
    """

    sampling: str = "uniform"
    count: int = 6
    every: int = 10
    fps: float = 5.0
    max_frames: int = 64
    max_side: int = 640
    face_size: int = 64
    margin: float = 0.2
    grey: bool = False
    detect: bool = True
    min_score: float = 0.5
    min_face: int = 16


@dataclass(frozen=True)
class TrainSpec:
    """Optimisation with AdamW, a linear rise over one epoch, then a cosine down to nearly zero.

    Attributes:
        epochs: at most, in each phase.
        batch_size: over all workers together.
        lr: highest learning rate.
        pretrained_lr: the same for weights that the network names as pretrained; None: they have no
            rate of their own.
        weight_decay: AdamW's.
        patience: epochs without a better validation UAR before a phase ends early.
        keep: which weights count: ``best`` (of the epoch with the highest validation UAR) or
            ``last``. The learning rate has come down by then, and the best of many epochs on the
            clips of a few speakers is a matter of luck too. With ``last`` no phase ends early.
        class_weights: classes count alike in the loss, however often they occur.
        balance: corpora count alike in the loss, however many clips each has.
        corpus_shares: how much of an epoch is drawn from a corpus, by its name: ``{"savee": 0.8}``.
            Clips of those that are not named have what is left, all alike. An epoch is as long as
            ever, so clips of a small corpus with a large share come several times, and clips that a
            phase has no use for count among them. Corpora are not weighed then, whatever
            ``balance`` says; classes are, by what is drawn.
        clip_grad_norm: longest gradient.
        augment: training clips are changed at random (``training.augment``), but for what an
            encoder heard.
        label_smoothing: share of the label that is spread over all classes.
        mixup: clips are learned in pairs, mixed with their labels (Zhang et al. 2018), the share of
            each drawn from a beta distribution of this parameter; 0: clip by clip.
        rotation, zoom: with ``augment``, faces are turned by up to this many degrees either way,
            and made larger or smaller by up to this share.
        erasing: with ``augment``, how often a rectangle of a clip's faces is hidden (random
            erasing, Zhong et al. 2020).
        ema: decay of the running mean of the weights over steps, which then answers instead of the
            last step's; 0: the last step's do.
        labels_from: ``intended``, the emotion that was to be played, or ``votes``: what people took
            the clip for, as a soft label, where a clip has votes on what the network gets of it.
            Figures and the choice of the epoch are against the intended emotion with both.
        teacher_share: with a teacher, how much of what is learned is his answer; the rest is the
            label.
        hint: with a teacher who mixes an encoder's layers, how much it counts to guess that mix,
            step by step, beside the answer (hints, Romero et al. 2015, "FitNets"); 0: not at all,
            nor with ``mixup``.
        precision: ``auto`` (bfloat16 where a GPU computes in it, else float32), ``float32`` or
            ``bfloat16``: forward passes in that, under torch's autocast.
        init: the model whose weights a training begins with where ``--init`` names none: a bundle,
            or the name of a shipped model; None: random weights.
        phases: names that the network's ``enter`` takes, trained one after the other, each from the
            best weights of the one before; empty: everything at once.
    """

    epochs: int = 60
    batch_size: int = 32
    lr: float = 1e-3
    pretrained_lr: float | None = None
    weight_decay: float = 1e-4
    patience: int = 12
    keep: str = "best"
    class_weights: bool = True
    balance: bool = False
    corpus_shares: dict[str, float] = field(default_factory=dict)
    clip_grad_norm: float = 1.0
    augment: bool = True
    label_smoothing: float = 0.0
    mixup: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    erasing: float = 0.0
    ema: float = 0.0
    labels_from: str = "intended"
    teacher_share: float = 0.7
    hint: float = 0.0
    precision: str = "auto"
    init: str | None = None
    phases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(self.phases))  # a list, in JSON
        if self.keep not in ("best", "last"):
            raise UsageError(f"training keep {self.keep!r}: choose one of best, last")
        if self.labels_from not in ("intended", "votes"):
            raise UsageError(f"labels from {self.labels_from!r}: choose one of intended, votes")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise UsageError(
                f"training precision {self.precision!r}: choose one of auto, float32, bfloat16"
            )
        for name, share in self.corpus_shares.items():
            if type(share) not in (int, float) or not 0 < share <= 1:
                raise UsageError(
                    f"training corpus_shares {name} {share}: a number above 0, at most 1"
                )
        if not 0 < self.lr < math.inf:
            raise UsageError(f"training lr {self.lr}: a number above 0")
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(f"training label_smoothing {self.label_smoothing}: from 0 to below 1")
        if not self.clip_grad_norm > 0:
            raise UsageError(f"training clip_grad_norm {self.clip_grad_norm}: a number above 0")
        if not 0 <= self.teacher_share <= 1:
            raise UsageError(f"training teacher_share {self.teacher_share}: from 0 to 1")
        if not 0 <= self.ema < 1:
            raise UsageError(f"training ema {self.ema}: a decay from 0 to below 1, such as 0.999")


@dataclass(frozen=True)
class Recipe:
    """One system.

    Attributes:
        name: what ``--recipe`` takes.
        summary: one line for ``--list-recipes``.
        source: paper or repository the system comes from.
        label_set: a key of ``emotions.LABEL_SETS``.
        split: the protocol its authors used, as ``--split`` takes it.
        audio, video: None when the system does not use that modality.
        network: a key of ``networks.NETWORKS``, or ``module:NAME`` of a user's own class.
        network_options: keyword arguments for that class.
        training: optimisation.
        published: the figure its authors give, in words; None when they give none.
        segment_s: a sample of the network is this many seconds, not a whole clip: a clip is cut
            into segments, which are trained on one by one, and its answer is the mean of theirs.
            Sound must not be trimmed then, and pictures be sampled by ``fps``, so that both are cut
            alike: not thinned by ``VideoSpec.max_frames`` (``Recipe.view``).
        channel: what of a corpus with songs its authors took, as ``preprocess --channel`` does:
            ``speech``, ``song`` or ``all``.
    """

    name: str
    summary: str
    source: str
    label_set: str
    split: str
    audio: AudioSpec | None
    video: VideoSpec | None
    network: str
    network_options: dict[str, Any] = field(default_factory=dict)
    training: TrainSpec = TrainSpec()
    published: str | None = None
    segment_s: float | None = None
    channel: str = "speech"

    @property
    def view(self) -> VideoSpec | None:
        """The pictures that features are made of, in preprocessing and in labelling alike.

        That is ``video``, but for a system whose clips are cut into segments by counting pictures:
        it gets all of them as far as memory allows, since thinned ones would lie beside another
        segment's sound.
        """
        if self.video is None or self.segment_s is None:
            return self.video
        return replace(self.video, max_frames=max(self.video.max_frames, MOST_COUNTED))
