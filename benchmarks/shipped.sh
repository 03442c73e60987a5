#!/usr/bin/env bash
# The two models that come with the package, from the corpora to their folders.
#
#   benchmarks/shipped.sh CORPORA ENCODER OUT
#
# CORPORA holds ravdess and fer2013, as folders or .zip; ENCODER is a folder with Whisper base, or its
# name on the hub. Needs pip install 'emotion-core[encoders]'. Stopped and started again, it goes on
# where it was. Hours on 2 cores; OUT/voice and OUT/face are what emotion_core/models/shipped holds.
set -euo pipefail
corpora=$(realpath "$1") encoder=$2 out=$(realpath -m "$3")
[[ -d $encoder ]] && encoder=$(realpath "$encoder")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ravdess=$corpora/ravdess fer=$corpora/fer2013
[[ -d $ravdess ]] || ravdess+=.zip
[[ -d $fer ]] || fer+=.zip

seven=(--option recipe.label_set=emotions7)
quick=(--option training.precision=bfloat16)

# --- voice: a teacher who hears through Whisper, without hum as voice-small does, and the small
# student who ships
hear=(--recipe voice-encoder --option audio.encoder="$encoder" --option audio.highpass_hz=100)
python jobs/preprocess.py "${hear[@]}" --corpus ravdess="$ravdess" --out "$out/heard"
python jobs/preprocess.py --recipe voice-small --corpus ravdess="$ravdess" --out "$out/mel"
teach=(--features "$out/heard" "${hear[@]}" "${seven[@]}")
# the recipe has 60 epochs; what ships learned 30
learn=(--features "$out/mel" --recipe voice-small "${seven[@]}" "${quick[@]}" --epochs 30
    --teacher-features "$out/heard")
# folds first: what is told of the model is what each fold says of people it has not met
python jobs/train.py "${teach[@]}" --split emobox6:all --refit --out "$out/teachers"
python jobs/train.py "${learn[@]}" --split emobox6:all --teacher "$out/teachers" \
    --out "$out/students"
python jobs/evaluate.py --model "$out/students" --features "$out/mel" --out "$out/students-eval"
python jobs/train.py "${teach[@]}" --split everybody:ravdess --out "$out/teacher"
python jobs/train.py "${learn[@]}" --split everybody:ravdess --teacher "$out/teacher" \
    --figures "$out/students-eval" --out "$out/voice"

# --- face: FER2013's training pictures, told by its PublicTest
python jobs/preprocess.py --recipe face-small --corpus fer2013="$fer" --out "$out/faces"
see=(--features "$out/faces" --recipe face-small "${quick[@]}")
python jobs/train.py "${see[@]}" --out "$out/face-first"
# some more, slowly, and then with the pictures that had validated
python jobs/train.py "${see[@]}" --init "$out/face-first" --refit --epochs 8 --lr 6e-4 --out "$out/face"
python jobs/evaluate.py --model "$out/face" --features "$out/faces" --out "$out/face-eval"
