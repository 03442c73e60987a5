"""How videos are labelled: models and options, checked, and as the step that does it."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.faces.detectors import DEFAULT, detector_id, load_detector, named_elsewhere
from emotion_core.faces.types import Detector
from emotion_core.labelling.identity import Identify
from emotion_core.labelling.limits import Limits
from emotion_core.labelling.members import finds_faces, known, load_member, trained_detectors
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.labelling.tables import LabelTables
from emotion_core.labelling.views import samplings
from emotion_core.models.foreign.model import ForeignModel
from emotion_core.models.member import Known, Member
from emotion_core.models.shipped import TERMS
from emotion_core.models.together import Together, combined_id
from emotion_core.sound.speech import speech_model_id


@dataclass(frozen=True)
class Labelling:
    """How videos are labelled.

    Attributes:
        models: what answers together: names of shipped ones, URIs of bundles, or other people's as
            ``models.foreign.places`` has them.
        options: windows and pictures.
        detector: as ``faces.detectors.load_detector`` takes it; it must be the one that the
            bundles' features were made with.
        limits: how long things may take.
        min_confidence: an answer with less is ``unsure``.
        trust_code: networks that are not of this package may be imported.
        encoder: where the speech encoder of the bundles lies; None: where they say. Its weights
            must be those that they were trained with.
        identify: how people are known again within a video; None: they are not.
        model_id: what the models must be, loaded in a worker; None: whatever they are.
    """

    models: tuple[str, ...]
    options: LabelOptions = LabelOptions()
    detector: str | None = None
    limits: Limits = Limits()
    min_confidence: float = 0.0
    trust_code: bool = False
    encoder: str | None = None
    identify: Identify | None = None
    model_id: str | None = None

    @cached_property
    def together(self) -> Together[Known]:
        """What is known of the models, found out once in this process (``members.known``).

        Raises:
            UsageError: one is no model, or they cannot answer together.
        """
        return Together([known(each, self.trust_code, self.encoder) for each in self.models])

    def check(self) -> None:
        """Raises ``UsageError`` for what cannot be done, before anything is written.

        That is models which cannot answer together, another detector than they were trained with,
        and numbers that make no sense.
        """
        for option, number in (("--fps", self.options.fps), ("--min-face", self.options.min_face)):
            if number is not None and not 0 < number < math.inf:
                raise UsageError(f"{option} {number}: a number above 0")
        for seconds in (self.limits.video_s, self.limits.piece_s):
            if not seconds > 0:
                raise UsageError(f"a time limit of {seconds:g} s: give more than 0")
        samplings(self.together.views, self.options.fps)
        views = self.together.views
        if self.options.speakers and not (self.together.hears and views and views[0].detect):
            raise UsageError(
                "--speakers holds voices against faces: it takes models that hear and models that "
                "look for faces, such as voice and face; leave it out"
            )
        trained = trained_detectors(self.together.models)
        if self.identify is not None:
            self.identify.check(any(view.detect for view in self.together.views))
        if not finds_faces(self.together.models):
            return
        if len({each["weights_hash"] for each in trained}) > 1:
            told = " and ".join(_told(each) for each in trained)
            raise UsageError(
                f"the models were trained on faces found by different detectors ({told}): "
                "only models with the same one can be combined"
            )
        found = detector_id(self._detector_spec(trained))
        if trained and found["weights_hash"] != trained[0]["weights_hash"]:
            raise UsageError(
                f"{self.models[0]} was trained on faces found by {_told(trained[0])}, not by "
                f"{_told(found)}: pass that one as --detector"
            )

    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers in the labels, and nothing else."""
        return {
            "schema_version": LABELS_SCHEMA_VERSION,
            "model_id": self.together.model_id,
            "models": [bundle.model_id for bundle in self.together.models],
            "windowing": asdict(self.options.windowing),
            "fps": self.options.fps,
            "min_face": self.options.min_face,
            "exact": self.options.exact,
            "speakers": self.options.speakers,
            "any_sound": self.options.any_sound,
            "speech_model": speech_model_id() if self._looks_for_speech else None,
            "min_confidence": self.min_confidence,
            **({"identify": self.identify.settings()} if self.identify else {}),
            **self._foreign_settings(),
        }

    @property
    def foreign(self) -> list[ForeignModel]:
        """Those of the models that are other people's."""
        return [each for each in self.together.models if isinstance(each, ForeignModel)]

    def terms(self) -> dict[str, str]:
        """On what terms models may be used, by what ``models`` calls them, where that is known."""
        shipped = {name: TERMS[name] for name in self.models if name in TERMS}
        return shipped | {each.place: each.about.licence for each in self.foreign}

    def _foreign_settings(self) -> dict[str, Any]:
        if not self.foreign:
            return {}
        bundles = self.together.models
        trained = trained_detectors(bundles)
        # where a model of this package says with which detector it goes, its model_id does
        finds = finds_faces(bundles) and not trained
        found = detector_id(self._detector_spec(trained))["weights_hash"] if finds else None
        hashes = {each.model_id: each.weights_hash for each in self.foreign}
        return {"foreign_weights": hashes, **({"detector": found} if found else {})}

    @property
    def _looks_for_speech(self) -> bool:
        return self.together.hears and not self.options.any_sound

    def tables(self, out: str) -> LabelTables:
        """The tables that these labels go to."""
        models = self.together
        return LabelTables(
            out, models.labels, models.model_id, self.min_confidence, models.dimensions
        )

    def step(self, device: str = "cpu") -> LabelStep:
        """What labels videos, with models and detector of its own."""
        return self.step_with(*self.loaded(device), device)

    def step_with(
        self, members: Sequence[Member], detector: Detector | None, device: str = "cpu"
    ) -> LabelStep:
        """What labels videos with these models and this detector, wherever they compute."""
        known_by = None if self.identify is None else self.identify.load(device)
        return LabelStep(members, detector, self.options, self.limits, known_by=known_by)

    def loaded(self, device: str) -> tuple[list[Member], Detector | None]:
        """The models, and the detector that they want, if they want one.

        Raises:
            UsageError: they are others than where the job was started, or cannot be had.
        """
        bundles = self._bundles(device)
        if self.model_id not in (None, combined_id(bundles)):
            raise UsageError(
                f"node {platform.node()}: at {' and '.join(self.models)} lie other models than "
                "where the job was started: give places that mean the same on every node"
            )
        trained = trained_detectors(bundles)
        detector = None
        if finds_faces(bundles):
            detector = load_detector(self._detector_spec(trained), device)
        return bundles, detector

    def _bundles(self, device: str) -> list[Member]:
        return [load_member(model, device, self.trust_code, self.encoder) for model in self.models]

    def _detector_spec(self, trained: Sequence[Mapping[str, str]]) -> str:
        """The detector to load: the one asked for, the one that the bundles name, or ours."""
        return self.detector or (named_elsewhere(trained[0]["name"]) if trained else DEFAULT)


def _told(detector: Mapping[str, str]) -> str:
    return f"{detector['name']} (weights {detector['weights_hash'][:12]})"
