#!/usr/bin/env bash
# All that waits for a GPU, for a machine that is lent for minutes and is sent 64 MiB at a time: the paper's rows that take a CPU days, then the speed
# of steps, then the tests marked gpu. Each command goes on where the one before stopped, begins nothing that would not end within LIMIT seconds, and
# packs all that there is so far after each part, as $OUT/gpu.tar.xz.
#   python -m benchmarks halves pack data/halves                                             # first, where the data are
#   OUT=results HALF=data/halves/cifar10-half-1.tar bash benchmarks/gpu.sh                   # there, with half of the data: unpacks them
#   OUT=results HALF=data/halves/cifar10-half-2.tar bash benchmarks/gpu.sh                   # with the other: the first rows
#   OUT=results bash benchmarks/gpu.sh                                                       # the rest, until it says that nothing is left
# What is kept between commands lies in STATE and in $HPCHECK_DATA (runs/gpu and data, which git ignores).
set -u
OUT=$(mkdir -p "${OUT:-runs/gpu-out}" && cd "${OUT:-runs/gpu-out}" && pwd)
STATE=$(mkdir -p "${STATE:-runs/gpu}" && cd "${STATE:-runs/gpu}" && pwd)
LIMIT=${LIMIT:-270}
DEVICE=${DEVICE:-cuda}
PRECISION=${PRECISION:-bf16}
# The 3-layer network at four times the batch and the same iterations: is the paper's 128 that of one of its four GPUs?
QUESTION=table1-row1,start.total_batch_size=512,budget.epochs=100,name=row1-at-512
# NAME:SECONDS or NAME,KEY=VALUE,...:SECONDS. An H200 took 19 ms a step of ResNet-56 (9,277 steps) and 17 of the wide one (2,441 and 4,883), in bf16
ROWS=${ROWS:-table1-row11:195 table2-wide-25:55 table2-wide-50:100 table1-row19:195 $QUESTION:60}
MORE=${MORE:-}                                                                               # of every row, such as "-s budget.epochs=1"
SPEED=${SPEED:---subjects resnet56,resnet56-parts,wide32-parts --precisions bf16 --modes branches,compiled --members 1,2 --steps 20 --rounds 3}
TESTS=${TESTS:-tests}
HPCHECK_DATA=$(mkdir -p "${HPCHECK_DATA:-data}" && cd "${HPCHECK_DATA:-data}" && pwd)
export HPCHECK_DATA PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
left=()

pack() {
  cp "$STATE/log.txt" "$OUT/log.txt" 2> /dev/null
  tar -cJf "$OUT/gpu.tar.xz" --exclude='*.pt' --exclude='*.done' -C "$STATE" .
}

part() { # part NAME SECONDS COMMAND...: unless it is done, or would not end in time
  local name=$1 seconds=$2 begun=$SECONDS
  shift 2
  if [ -e "$STATE/$name.done" ]; then return; fi
  if [ $((SECONDS + seconds)) -gt "$LIMIT" ]; then
    left+=("$name")
    return
  fi
  if timeout $((LIMIT - SECONDS)) "$@" > "$STATE/$name.txt" 2>&1; then
    touch "$STATE/$name.done"
    echo "$name: done in $((SECONDS - begun)) s" | tee -a "$STATE/log.txt"
  else
    echo "$name: failed or cut after $((SECONDS - begun)) s" | tee -a "$STATE/log.txt"
    left+=("$name")
  fi
  tail -4 "$STATE/$name.txt"
  pack
}

rows() { (cd "$STATE" && python -m benchmarks rows "$1" --device "$DEVICE" --repeats 1 -s run.precision="$PRECISION" $MORE); } # a row's training
export -f rows
export STATE DEVICE PRECISION MORE

if [ -n "${HALF:-}" ] && ! python -m benchmarks halves unpack "$HALF"; then
  exit 0 # the other half is to come
fi
python -m hpcheck doctor > "$STATE/doctor.txt" 2>&1
nvidia-smi > "$STATE/nvidia-smi.txt" 2>&1
for row in $ROWS; do
  part "${row%:*}" "${row#*:}" bash -c "rows ${row%:*}"
done
# shellcheck disable=SC2086
part speed 100 python -m benchmarks gpu --device "$DEVICE" --out "$STATE/speed.jsonl" $SPEED
# shellcheck disable=SC2086
part tests 120 python -m pytest -q -p no:cacheprovider -m gpu $TESTS
if [ ${#left[@]} -gt 0 ]; then
  echo "left: ${left[*]}; the same command without HALF goes on"
else
  echo "nothing is left"
fi
