"""What ``metrics.json`` of an evaluation holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from emotion_core.evaluation.answering import Evaluation, assess_all
from emotion_core.evaluation.channels import channels_of
from emotion_core.evaluation.fold_queries import FoldQuery
from emotion_core.evaluation.metrics import SHARES, STD_OF, Assessment, mean_and_std


def metrics_of(
    queries: Sequence[FoldQuery],
    answered: Sequence[Evaluation],
    found: Assessment,
    side: str,
    folded: str | None = None,
    alone: Sequence[Mapping[str, Evaluation]] = (),
) -> dict[str, Any]:
    """Figures of all answers at top level, and which models gave them for whom.

    Args:
        queries, answered: one query and its answers per fold (one where there are no folds).
        found: of all answers.
        side: which clips of the split.
        folded: the protocol of all folds (``luna5:all``); adds ``folds``, each with its figures,
            their ``mean`` and their sample standard deviation ``std``. None: no folds.
        alone: of each query, the answers of a fusion to one modality; adds ``alone``, which has
            ``n``, ``war`` and ``uar`` of each.
    """
    first = queries[0]
    metrics = {
        **found.to_json(),
        "model_id": first.model_id if folded is None else None,
        "recipe": first.name,
        "split": first.split if folded is None else folded,
        "side": side,
        "seed": first.infos[0].seed,
        "channels": channels_of([each.clips for each in answered]),
        "speakers": sorted({name for query in queries for name in query.speakers}),
        "speakers_known_to_model": sorted({name for each in queries for name in each.known}),
        "models": [model for query in queries for model in _models(query)],
    }
    if each := _alone(alone):
        metrics["alone"] = each
    if folded is None:
        return metrics
    folds = [
        {"split": query.fold.name, "model_id": query.model_id, **assess_all([one]).to_json()}
        for query, one in zip(queries, answered, strict=True)
    ]
    mean, std = mean_and_std(folds, (*SHARES, "ece"))
    return {**metrics, "folds": folds, "mean": mean, "std": std, "std_of": STD_OF}


def _alone(alone: Sequence[Mapping[str, Evaluation]]) -> dict[str, Any]:
    found = {}
    for name in ("audio", "face"):
        if answers := [each[name] for each in alone if name in each]:
            figures = assess_all(answers).figures
            found[name] = {"n": figures.n, "war": figures.war, "uar": figures.uar}
    return found


def _models(query: FoldQuery) -> list[dict[str, Any]]:
    """Each model of a query, how many clips it judged, and what its features left out."""
    return [
        {
            "fold": query.fold.name or None,
            "model_id": model_id,
            "recipe": info.recipe.name,
            "clips": len(rows),
            "left_out": features.left_out,
        }
        for model_id, info, rows, features in zip(
            query.model_ids, query.infos, query.rows, query.features, strict=True
        )
    ]
