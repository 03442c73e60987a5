#!/usr/bin/env bash
# Voice and faces of RAVDESS together, which nobody could measure here for want of its videos.
#
#   benchmarks/audiovisual.sh RAVDESS ENCODER OUT
#
# RAVDESS is the folder with the full-AV clips (01-01-...mp4) or a .zip or s3:// URI of it; ENCODER a
# folder with Whisper base, or its name on the hub. Needs pip install 'emotion-core[encoders]'.
# Stopped and started again, it goes on where it was. The figures are in OUT/eval, WAR and UAR over
# the five folds; the training shows each epoch what the sound and the faces alone are worth.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ravdess=$1 encoder=$2 out=$3

python jobs/preprocess.py --recipe fusion --option audio.encoder="$encoder" \
    --corpus ravdess="$ravdess" --out "$out/features"
python jobs/train.py --features "$out/features" --split luna5:all --out "$out/folds"
python jobs/evaluate.py --model "$out/folds" --features "$out/features" --out "$out/eval"
