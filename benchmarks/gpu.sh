#!/usr/bin/env bash
# All that needs a GPU, in one go: the tests marked gpu, the speed of steps and grids, then as many of the paper's rows as BUDGET seconds let
# begin, the cheapest first.
#   OUT=results BUDGET=900 ARCHIVE=archives/cifar-10-python.tar.gz bash benchmarks/gpu.sh
# Everything is written under $OUT, its records packed after each set of rows; the table comes last. Without the archive the data are looked for
# in $HPCHECK_DATA; DATA says which copy of CIFAR-10, such as DATA="-s data.name=image-folder -s data.folder=cifar10-jpg".
set -u
OUT=$(mkdir -p "${OUT:-runs/gpu}" && cd "${OUT:-runs/gpu}" && pwd)
BUDGET=${BUDGET:-900}
ARCHIVE=${ARCHIVE:-}
DATA=${DATA:-}
WORK=$(mktemp -d)
export HPCHECK_DATA=${HPCHECK_DATA:-$WORK/data} PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$HPCHECK_DATA"

if [ -n "$ARCHIVE" ] && [ -f "$ARCHIVE" ]; then
  tar -xf "$ARCHIVE" -C "$HPCHECK_DATA"
fi

python -m hpcheck doctor > "$OUT/doctor.txt" 2>&1
nvidia-smi > "$OUT/nvidia-smi.txt" 2>&1

python -m pytest -q -m gpu tests > "$OUT/tests.txt" 2>&1
tests=$?
{
  python -m benchmarks gpu --subjects lenet,shallow3 --out "$OUT/speed.jsonl" --profile "$OUT/kernels.txt" &&
    python -m benchmarks gpu --subjects resnet56,resnet56-parts --precisions bf16 --modes branches,compiled --members 1,2,4 --steps 20 \
      --rounds 3 --out "$OUT/speed.jsonl" --profile "$OUT/kernels.txt"
} > "$OUT/speed.txt" 2>&1
speed=$?

begun=$SECONDS
rows() {
  if [ $((SECONDS - begun)) -lt "$BUDGET" ]; then
    # shellcheck disable=SC2086
    (cd "$WORK" && python -m benchmarks rows "$@") >> "$OUT/rows.txt" 2>&1
    tar -cJf "$OUT/records.tar.xz" -C "$WORK" runs 2> /dev/null
  fi
}
# shellcheck disable=SC2086
{
  rows table2-lenet-25 table2-lenet-50 table2-lenet-85
  rows table1-row{1,2,3,4,5,6,7,8,9,10} --repeats 2 $DATA
  rows velocity-cifar10 --repeats 2 $DATA
  rows table2-lenet-step-85 table2-lenet-inv-85
  rows table2-wide-25 --repeats 1 $DATA -s run.precision=bf16
  rows table1-row{11,19} --repeats 1 $DATA -s run.precision=bf16
  rows table2-wide-50 table2-wide-step-100 --repeats 1 $DATA -s run.precision=bf16
}
(cd "$WORK" && python -m hpcheck reproduce --list --json) > "$OUT/reproduce.json" 2> /dev/null

echo "tests marked gpu (exit $tests): $(tail -1 "$OUT/tests.txt")"
echo "speed (exit $speed):"
cat "$OUT/speed.txt"
echo "rows:"
cat "$OUT/rows.txt"
[ "$tests" -eq 0 ] && [ "$speed" -eq 0 ]
