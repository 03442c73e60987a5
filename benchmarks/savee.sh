#!/usr/bin/env bash
# SAVEE's four people, each judged by a model of the other three with RAVDESS beside them, three seeds.
#
#   benchmarks/savee.sh CORPORA ENCODER OUT
#
# CORPORA holds ravdess and savee, as folders or .zip; ENCODER is a folder with Whisper base, or its
# name on the hub. Needs pip install 'emotion-core[encoders]'. Stopped and started again, it goes on
# where it was. Half an hour on 2 cores, half of it the encoder's.
set -euo pipefail
corpora=$(realpath "$1") encoder=$2 out=$(realpath -m "$3")
[[ -d $encoder ]] && encoder=$(realpath "$encoder")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
place() { [[ -d $corpora/$1 ]] && echo "$corpora/$1" || echo "$corpora/$1.zip"; }

hear=(--recipe voice-encoder --option audio.encoder="$encoder" --option audio.highpass_hz=100)
learn=(--option recipe.label_set=emotions7 --option hidden=512
    --option 'training.corpus_shares={"savee":0.85}' --split savee4:all+everybody:ravdess --refit)

python jobs/preprocess.py "${hear[@]}" \
    --corpus ravdess="$(place ravdess)" --corpus savee="$(place savee)" --out "$out/heard"
for seed in 0 1 2; do
    python jobs/train.py "${hear[@]}" "${learn[@]}" --seed "$seed" \
        --features "$out/heard" --out "$out/folds-$seed"
    python jobs/evaluate.py --model "$out/folds-$seed" --features "$out/heard" \
        --out "$out/folds-$seed-eval"
done
