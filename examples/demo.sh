#!/usr/bin/env bash
# The demo corpus and the four jobs, one after the other: examples/demo.sh [DIR]
# Everything lands in DIR (out/demo); what an earlier demo left there is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-out/demo}

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

rm -rf "$out"
run python -m examples.demo --out "$out/data"
run python jobs/preprocess.py --recipe examples/demo_recipe.py \
    --corpus "ravdess=$out/data/corpus" --out "$out/features"
run python jobs/train.py --recipe examples/demo_recipe.py --features "$out/features" \
    --split elte --num-workers 2 --out "$out/model"
run python jobs/evaluate.py --model "$out/model" --features "$out/features" \
    --split elte --out "$out/eval"
# the models that come with the package, then the one made here; one of the eight files is no video
# at all, on purpose: an eighth may fail
run python jobs/label.py --videos "$out/data/wild" --out "$out/labels" --max-failed 0.2
run python jobs/label.py --videos "$out/data/wild" --model "$out/model" --out "$out/own-labels" \
    --max-failed 0.2
run python examples/demo_summary.py "$out"
