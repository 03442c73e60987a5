#!/usr/bin/env bash
# How right a model is on corpora that it has never heard, labelled or not.
#
#   benchmarks/across.sh CORPORA ENCODER OUT
#
# CORPORA holds ravdess, savee and tess, as folders or .zip; ENCODER is a folder with Whisper base, or
# its name on the hub. Needs pip install 'emotion-core[encoders]'. Stopped and started again, it goes
# on where it was. Ends with the table; 40 minutes on 2 cores, most of it the encoder's.
set -euo pipefail
corpora=$(realpath "$1") encoder=$2 out=$(realpath -m "$3")
[[ -d $encoder ]] && encoder=$(realpath "$encoder")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
declare -A place
for name in ravdess savee tess; do
    place[$name]=$corpora/$name
    [[ -d ${place[$name]} ]] || place[$name]+=.zip
done

python jobs/preprocess.py --recipe voice-encoder --option audio.encoder="$encoder" \
    --corpus ravdess="${place[ravdess]}" --corpus savee="${place[savee]}" \
    --corpus tess="${place[tess]}" --out "$out/heard"
python jobs/preprocess.py --recipe voice-small \
    --corpus ravdess="${place[ravdess]}" --corpus savee="${place[savee]}" \
    --corpus tess="${place[tess]}" --out "$out/mel"

# model, the split that it learns from, the corpora that it never hears
while read -r model split others; do
    python jobs/train.py --features "$out/heard" --recipe voice-encoder \
        --option recipe.label_set=emotions7 --split "$split" --out "$out/models/$model"
    for other in $others; do
        python jobs/evaluate.py --model "$out/models/$model" --features "$out/heard" \
            --split "everybody:$other" --side train --out "$out/evaluations/$model/$other"
    done
done <<'MODELS'
ravdess everybody:ravdess savee tess
savee everybody:savee ravdess tess
tess everybody:tess ravdess savee
ravdess+savee everybody:ravdess+everybody:savee tess
ravdess+tess everybody:ravdess+everybody:tess savee
savee+tess everybody:savee+everybody:tess ravdess
MODELS

# what ships has learned from RAVDESS
for other in savee tess; do
    python jobs/evaluate.py --model voice --features "$out/mel" \
        --split "everybody:$other" --side train --out "$out/evaluations/voice/$other"
done
python benchmarks/across.py "$out/evaluations"
