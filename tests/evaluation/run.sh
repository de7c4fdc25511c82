#!/bin/bash
# scripts/evaluate against what sentence-transformers gives, in one host:
#   tests/evaluation/run.sh sqlite|postgresql [FIXTURES [REAL]]
# FIXTURES, REAL: the folders that hold the small models and all-MiniLM-L6-v2, as the host finds them
# (tests/fixtures, models). With the real model and the data beside the project the STS benchmark is run too;
# SEMBED_EVALUATE=all adds its other half and SciFact, which takes minutes.
set -u
host=$1 fixtures=${2:-tests/fixtures} real=${3:-models}
here=tests/evaluation shared=../shared failed=0
output=$(mktemp) || exit
trap 'rm "$output"' EXIT

# figures NAME ARGUMENT...: scripts/evaluate with these gives what is expected.
figures() {
    local name=$1
    shift
    if scripts/evaluate "$host" "$@" >"$output" 2>&1; then
        echo "ok: $name, $host: $(tail -n 1 "$output")"
    else
        echo "FAILED: $name, $host"
        cat "$output"
        failed=1
    fi
}

figures "small models" --model-path "$fixtures" --model tiny-bert --reranker cross-bert \
    --expected $here/expected.json --sts sts=$here/pairs.csv --triplets triplets=$here/triplets.csv \
    --student student=$here/texts.csv --pairs pairs=$here/pairs.csv --ir ir=$here/ir

expected=$shared/reference/minilm_eval.json
if [ ! -f "$expected" ] || [ ! -d "$shared/sts/stsb" ] || [ ! -d models/all-MiniLM-L6-v2 ]; then
    echo "skipped: the STS benchmark (the real model, the data and $expected are not all there)"
    exit $failed
fi
more=()
if [ "${SEMBED_EVALUATE:-}" = all ]; then
    more=(--sts "sts-dev=$shared/sts/stsb/stsb-en-dev.csv" --ir "scifact=$shared/ir/scifact")
fi
figures "all-MiniLM-L6-v2" --model-path "$real" --expected $expected \
    --sts "sts-test=$shared/sts/stsb/stsb-en-test.csv" ${more[@]+"${more[@]}"}
exit $failed
