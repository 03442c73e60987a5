"""A model's answers on labelled features, alone, fold by fold or together with other models."""

from emotion_core.evaluation.answering import (
    Evaluation,
    answers_of,
    assess_all,
    evaluate,
    judged,
    load_matching_features,
    predictions_of,
    require_fit,
)
from emotion_core.evaluation.combining import mean_of_answers, together
from emotion_core.evaluation.folds import FOLDS, FOLDS_KIND, Fold, Shelf, find_folds
from emotion_core.evaluation.questions import Question, ask, open_features, questions
from emotion_core.evaluation.speakers import (
    check_speakers,
    clips_only,
    shared_speakers,
    speakers_of,
    strangers_remark,
)
from emotion_core.evaluation.summary import metrics_of

__all__ = [
    "FOLDS",
    "FOLDS_KIND",
    "Evaluation",
    "Fold",
    "Question",
    "Shelf",
    "answers_of",
    "ask",
    "assess_all",
    "check_speakers",
    "clips_only",
    "evaluate",
    "find_folds",
    "judged",
    "load_matching_features",
    "mean_of_answers",
    "metrics_of",
    "open_features",
    "predictions_of",
    "questions",
    "require_fit",
    "shared_speakers",
    "speakers_of",
    "strangers_remark",
    "together",
]
