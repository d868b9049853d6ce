#!/usr/bin/env bash
# All that needs a GPU, in one go: the tests marked gpu, the speed of steps and grids, then as many of the paper's rows as BUDGET lets.
#   OUT=results BUDGET=15m ARCHIVE=archives/cifar-10-python.tar.gz bash benchmarks/gpu.sh
# Everything is written under $OUT; the table comes last. Without the archive (or data in $HPCHECK_DATA) the paper's rows are left out.
set -u
OUT=${OUT:-runs/gpu}
BUDGET=${BUDGET:-15m}
ARCHIVE=${ARCHIVE:-}
export HPCHECK_DATA=${HPCHECK_DATA:-$OUT/data}
mkdir -p "$OUT" "$HPCHECK_DATA"

if [ -n "$ARCHIVE" ] && [ -f "$ARCHIVE" ]; then
  tar -xf "$ARCHIVE" -C "$HPCHECK_DATA"
fi

python -m hpcheck doctor > "$OUT/doctor.txt" 2>&1
nvidia-smi > "$OUT/nvidia-smi.txt" 2>&1

python -m pytest -q -m gpu tests > "$OUT/tests.txt" 2>&1
tests=$?
python -m benchmarks gpu --out "$OUT/speed.jsonl" > "$OUT/speed.txt" 2>&1
speed=$?
(cd "$OUT" && timeout "${ROWS_TIMEOUT:-20m}" python -m hpcheck reproduce --all --budget "$BUDGET") > "$OUT/reproduce.txt" 2>&1
rows=$?

echo "tests marked gpu (exit $tests): $(tail -1 "$OUT/tests.txt")"
echo "reproduce (exit $rows):"
grep -E "pass|miss" "$OUT/reproduce.txt"
echo "speed (exit $speed):"
cat "$OUT/speed.txt"
[ "$tests" -eq 0 ] && [ "$speed" -eq 0 ]
