#!/usr/bin/env bash
# Everything that docs/results.md tells, from the corpora to its table.
#
#   benchmarks/results.sh CORPORA OUT        CORPORA holds ravdess, savee, tess, fer2013: folders or .zip
#
# Stopped and started again, it goes on where it was. Folds train side by side. Hours on 2 cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
corpora=$1 out=$2

features_as() { # NAME RECIPE CORPUS...
    local given=()
    for corpus in "${@:3}"; do
        local place=$corpora/$corpus
        [[ -d $place ]] || place+=.zip
        given+=(--corpus "$corpus=$place")
    done
    python jobs/preprocess.py --recipe "$2" "${given[@]}" --out "$out/features/$1"
}

features() { # RECIPE CORPUS...
    features_as "$1" "$@"
}

measure() { # NAME FEATURES OPTIONS-OF-TRAINING...
    python jobs/train.py --features "$out/features/$2" --out "$out/models/$1" "${@:3}"
    python jobs/evaluate.py --model "$out/models/$1" --features "$out/features/$2" \
        --out "$out/evaluations/$1"
}

features alexnet-audio-cnn ravdess savee
features timedist-blstm ravdess savee
features timedist-blstm-logmel ravdess savee
features timedist-mean-mfcc ravdess savee
features strip-cnn-lstm ravdess savee
features audio-cnn1d ravdess savee
features_as audio-cnn1d-tess audio-cnn1d ravdess tess
features fer-cnn fer2013

# as published: the same people train and are tested
measure alexnet-audio-cnn-random alexnet-audio-cnn --recipe alexnet-audio-cnn --split random --epochs 26
measure alexnet-audio-lstm-random alexnet-audio-cnn --recipe alexnet-audio-lstm --split random
measure audio-cnn1d-random audio-cnn1d --recipe audio-cnn1d --split random
measure audio-cnn1d-tess audio-cnn1d-tess --recipe audio-cnn1d --split random --epochs 40
measure fer-cnn fer-cnn --recipe fer-cnn --epochs 8
# 112 pixels, not 128: three quarters of the work
measure fer-inception-resnet fer-cnn --recipe fer-inception-resnet --option size=112 \
    --batch-size 32 --epochs 1

# people kept apart
measure alexnet-audio-cnn-apart alexnet-audio-cnn --recipe alexnet-audio-cnn
measure alexnet-audio-lstm-apart alexnet-audio-cnn --recipe alexnet-audio-lstm --epochs 25
measure audio-cnn1d-apart audio-cnn1d --recipe audio-cnn1d --split luna5:3+savee4:2
measure timedist-blstm-elte timedist-blstm --recipe timedist-blstm
measure timedist-blstm-logmel timedist-blstm-logmel --recipe timedist-blstm-logmel
measure timedist-mean-mfcc timedist-mean-mfcc --recipe timedist-mean-mfcc
measure timedist-blstm-luna5 timedist-blstm --recipe timedist-blstm --split luna5:all
measure timedist-blstm-emobox6 timedist-blstm --recipe timedist-blstm --split emobox6:all
measure timedist-blstm-savee4 timedist-blstm --recipe timedist-blstm --split savee4:all
measure strip-cnn-lstm-luna5 strip-cnn-lstm --recipe strip-cnn-lstm --split luna5:all
measure strip-cnn-lstm-emobox6 strip-cnn-lstm --recipe strip-cnn-lstm --split emobox6:all

# how far two runs differ: the same seed twice, other seeds, two workers
elte=(timedist-blstm --recipe timedist-blstm --split elte --epochs 8)
measure elte-again "${elte[@]}" --num-workers 1
for seed in 0 1 2; do
    measure "elte-seed-$seed" "${elte[@]}" --num-workers 1 --seed "$seed"
    measure "elte-seed-$seed-2-workers" "${elte[@]}" --num-workers 2 --seed "$seed"
done

python benchmarks/results.py "$out/evaluations"
