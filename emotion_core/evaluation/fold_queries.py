"""Which models predict which clips, settled and checked before any of them does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_core.corpora.splits import assign_split, expand, plain
from emotion_core.errors import UsageError
from emotion_core.evaluation.answering import Evaluation, evaluate, judged, require_fit
from emotion_core.evaluation.combining import together
from emotion_core.evaluation.folds import Fold, ModelCache
from emotion_core.evaluation.speakers import check_speakers, speakers_of
from emotion_core.models.bundle import Bundle, BundleInfo
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.together import require_one_label_set
from emotion_core.recipes.specs import Recipe

ALL = "all"


@dataclass(frozen=True)
class FoldQuery:
    """The models of one fold, and the clips that they predict.

    Attributes:
        fold: whose models.
        split: the protocol that chose the clips, None without one.
        features: one set per model (the same object where they share one).
        rows: int64, one array per model: the clips of its features that it predicts.
        infos, model_ids: of the models.
        speakers: ``corpus/speaker`` of everybody in these clips.
        known: those of them whom a model learned from.
    """

    fold: Fold
    split: str | None
    features: tuple[FeatureSet, ...]
    rows: tuple[np.ndarray, ...]
    infos: tuple[BundleInfo, ...]
    model_ids: tuple[str, ...]
    speakers: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def model_id(self) -> str:
        """Those of its models, joined by ``+``."""
        return "+".join(self.model_ids)

    @property
    def name(self) -> str:
        """The recipes."""
        return " + ".join(info.recipe.name for info in self.infos)


def fold_queries(
    folds: Sequence[Fold],
    cache: ModelCache,
    uris: Sequence[str],
    split: str | None = None,
    side: str = "test",
) -> list[FoldQuery]:
    """One query per fold, to models that fit the features and each other.

    Args:
        folds: as ``find_folds`` gives them.
        cache: loads the models.
        uris: features: one for all models of a fold, or one for each of them.
        split: a protocol for all folds; None takes each model's own.
        side: ``train``, ``validation`` or ``test``; ``all`` takes every clip, without a split.

    Raises:
        UsageError: what does not fit, and what would (see ``require_fit``, ``check_speakers``).
    """
    opened: tuple[FeatureSet, ...] = ()
    recipes: list[Recipe] = []
    queries = []
    for fold in folds:
        bundles = cache.bundles(fold)
        if not opened:
            recipes = [bundle.recipe for bundle in bundles]
            opened = open_features(bundles, uris)
        elif [bundle.recipe for bundle in bundles] != recipes:
            raise UsageError(f"--model: fold {fold.name} was trained with another recipe")
        queries.append(_fold_query(fold, bundles, opened, split, side))
    return queries


def open_features(bundles: Sequence[Bundle], uris: Sequence[str]) -> tuple[FeatureSet, ...]:
    """The features of each model; read once where several models see them alike.

    Raises:
        UsageError: another number of features than of models, or features that do not fit.
    """
    if len(uris) not in (1, len(bundles)):
        raise UsageError(
            f"--features: {len(uris)} of them for {len(bundles)} --model: give one that fits all "
            "models, or one for each, in the same order"
        )
    places = list(uris) * (len(bundles) if len(uris) == 1 else 1)
    found: list[tuple[object, FeatureSet]] = []
    opened = []
    for bundle, uri in zip(bundles, places, strict=True):
        recipe = bundle.recipe
        seen = (uri, recipe.audio, recipe.video, recipe.label_set)
        features = next((each for key, each in found if key == seen), None)
        if features is None:
            features = load_features(uri, recipe)
            found.append((seen, features))
        require_fit(bundle, features, uri)
        opened.append(features)
    return tuple(opened)


def _fold_query(
    fold: Fold,
    bundles: Sequence[Bundle],
    features: tuple[FeatureSet, ...],
    split: str | None,
    side: str,
) -> FoldQuery:
    infos = tuple(bundle.info for bundle in bundles)
    require_one_label_set([info.label_set for info in infos])
    if side != ALL:
        _require_one_protocol(infos)
    spec = None if side == ALL else plain(split or infos[0].split)
    if spec is not None and expand(spec, features[0].clips) != [spec]:
        raise UsageError(
            f"--split {spec} is several folds, each with a model of its own: give the folder that "
            f"jobs/train.py --split {spec} wrote as --model, or one fold here"
        )
    masks = _masks(features, spec, infos[0].seed, side)
    rows = tuple(
        np.flatnonzero(mask & judged(bundle, each))
        for bundle, each, mask in zip(bundles, features, masks, strict=True)
    )
    if not any(map(len, rows)):
        raise UsageError(
            f"the {side} side of split {spec} has no clip with "
            f"{' or '.join(sorted({m for info in infos for m in info.modalities}))}, and that is "
            "all that the model learned from"
        )
    speakers = sorted(
        {s for each, chosen in zip(features, rows, strict=True) for s in speakers_of(each, chosen)}
    )
    known = sorted({s for info in infos for s in check_speakers(info, speakers, spec)})
    ids = tuple(bundle.model_id for bundle in bundles)
    return FoldQuery(fold, spec, features, rows, infos, ids, tuple(speakers), tuple(known))


def _require_one_protocol(infos: Sequence[BundleInfo]) -> None:
    ways = {(info.split, info.seed) for info in infos}
    if len(ways) > 1:
        told = ", ".join(sorted(f"{split} seed {seed}" for split, seed in ways))
        raise UsageError(
            f"the models were trained under different protocols ({told}): train them under one, or "
            "use --side all on clips of other people"
        )


def _masks(
    features: Sequence[FeatureSet], spec: str | None, seed: int, side: str
) -> list[np.ndarray]:
    """Which clips of each features the models predict, bool (clips,).

    Sides are those that training saw: of all clips, also of those that the model cannot judge. A
    clip that another model's features have on another side is left out, for that model has learned
    from it (this can be so under ``random``, where the sides depend on which clips there are).
    """
    if spec is None:
        return [np.ones(len(each), bool) for each in features]
    assigned = [assign_split(spec, each.clips, seed) for each in features]
    if len(features) == 1:
        return [assigned[0] == side]
    keys = [_keys(each) for each in features]
    elsewhere = {
        key
        for names, sides in zip(keys, assigned, strict=True)
        for key, found in zip(names, sides, strict=True)
        if found != side
    }
    return [np.array([key not in elsewhere for key in names], bool) for names in keys]


def _keys(features: FeatureSet) -> list[tuple[str, str | None]]:
    return list(zip(*(features.clips[name].to_pylist() for name in ("uri", "member")), strict=True))


def predict_alone(query: FoldQuery, cache: ModelCache) -> dict[str, Evaluation]:
    """What a fusion says of each modality with the other hidden: ``audio``, ``face`` -> answers.

    Of the clips that have the modality. Empty where the model learned from one, or several models
    answer together.
    """
    if len(query.infos) > 1 or len(query.infos[0].modalities) < 2:
        return {}
    (bundle,), features = cache.bundles(query.fold), query.features[0].select(query.rows[0])
    sides = (("audio", features.has_audio, "face"), ("face", features.has_faces, "audio"))
    return {
        name: evaluate(bundle, features.select(np.flatnonzero(has)), query.fold.name, (hidden,))
        for name, has, hidden in sides
        if has.any()
    }


def predict(query: FoldQuery, cache: ModelCache) -> Evaluation:
    """The answers to a query: of the one model, or the mean of several (see ``together``)."""
    members = zip(cache.bundles(query.fold), query.features, query.rows, strict=True)
    return together(
        [
            evaluate(bundle, features.select(rows), query.fold.name)
            for bundle, features, rows in members
            if len(rows)
        ]
    )
