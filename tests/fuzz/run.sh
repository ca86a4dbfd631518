#!/usr/bin/env bash
# run.sh FOLDER NAME... - run the fuzzers of a folder, each for FUZZ_SECONDS or FUZZ_RUNS
# executions, of inputs up to FUZZ_MAX_LEN bytes. New inputs grow a corpus under build/; a
# finding is written to build/fuzz/found/ and belongs, with its fix, into tests/fuzz/corpus/NAME/.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
shift
seconds=${FUZZ_SECONDS:-60} runs=${FUZZ_RUNS:--1}
[ "$runs" = -1 ] || seconds=0
failed=0
mkdir -p build/fuzz/found
for name in "$@"; do
  mkdir -p "build/fuzz/corpus/$name"
  echo "  FUZZ  $name"
  dictionary=()
  [ ! -e build/release/proto-out/fuzz.dict ] || dictionary=(-dict=build/release/proto-out/fuzz.dict)
  "$folder/fuzz_$name" -max_total_time="$seconds" -runs="$runs" -max_len="${FUZZ_MAX_LEN:-65536}" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/found/$name-" "${dictionary[@]}" -print_final_stats=1 \
    "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" 2>"build/fuzz/$name.log" || failed=1
  grep -E 'stat::number_of_executed_units|ERROR|SUMMARY' "build/fuzz/$name.log" || tail -3 "build/fuzz/$name.log"
done
exit $failed
