#!/bin/bash
# First run of the CUDA kernels: under nine minutes, the most wanted first, each part under its own time limit.
#   OUT=results bash tests/bench/gpu_first_run.sh          in the repository root, on a machine with an NVIDIA GPU
#   OUT=results bash tests/bench/gpu_first_run.sh --toy    tiny sizes on the CPU, in Triton's interpreter: three
#                                                          minutes on idle cores, with a list of what a GPU would run
# Packages that are missing there may stand in a folder on PYTHONPATH. Leaves at most 8 files in $OUT. What was not reached is said in them and in the last lines.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
toy=; [ "$1" = --toy ] && toy=--toy
OUT=${OUT:-gpu_first_run}
mkdir -p "$OUT" || exit 1
rm -f "$OUT"/{results.jsonl,timings.md,timings.json,tests.txt,stderr.txt,profile.txt,summary.txt}
test -d lossctl/kernels || { echo "run this in the repository root" >&2; exit 1; }
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export TRITON_CACHE_DIR=${TRITON_CACHE_DIR:-$(mktemp -d)}
[ $toy ] && export OMP_NUM_THREADS=1  # five processes at once: more threads than cores stop each other
python=${PYTHON:-python3}
run="$here/gpu_first_run.py"
began=$SECONDS
part() { # NAME SECONDS COMMAND...: stopped after so many seconds; says how it ended
    local name=$1 most=$2; shift 2
    [ $toy ] && most=900
    local from=$SECONDS
    timeout --signal=INT --kill-after=8 "$most" "$@"
    local code=$?
    case $code in 124|130|137) local how="STOPPED at its limit of $most s";; *) local how="exit $code";; esac
    echo "== $name: $how, $((SECONDS - from)) s, $((SECONDS - began)) s in all" | tee -a "$OUT/summary.txt"
}

nvidia-smi > "$OUT/summary.txt" 2>&1 || echo "no nvidia-smi" > "$OUT/summary.txt"
grep -q . /proc/cpuinfo && echo "cores: $(nproc)" >> "$OUT/summary.txt"

part facts 45 "$python" "$run" facts --out "$OUT" $toy 2>>"$OUT/stderr.txt"
if [ -z "$toy" ] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "no CUDA device: nothing was checked, nothing was timed" | tee -a "$OUT/summary.txt"; exit 1
fi
touch "$OUT/results.jsonl"

# One process a precision and width: compiling takes the time, and each kernel is compiled by one core. These kernels
# are the ones that are timed below.
check() {
    local ids=()
    for dim in $1; do
        for precision in float64 ieee tf32x3 tf32 bf16; do
            "$python" "$run" check --precision $precision --dim $dim --seconds ${toy:+9}75 --out "$OUT" $toy >/dev/null 2>>"$OUT/stderr.txt" &
            ids+=($!)
        done
    done
    trap 'kill "${ids[@]}" 2>/dev/null' INT TERM
    wait
}
export -f check; export run OUT toy python
part check 100 bash -c 'check "$0"' "$([ $toy ] && echo 17 || echo '128 17 300')"
echo "check: $(grep -c '"status": "ok"' "$OUT/results.jsonl") ok, $(grep -c -E 'WRONG|FAILED' "$OUT/results.jsonl") wrong or failed, $(grep -c 'not reached' "$OUT/results.jsonl") not reached" | tee -a "$OUT/summary.txt"
grep -E 'WRONG|FAILED' "$OUT/results.jsonl" | cut -c1-400 | head -20

# The tests' own shapes are compiled anew, thousands of seconds of one core: as many workers as there are cores.
# No plugin is loaded but these: others may warn, and every warning is an error.
workers=$(( $(nproc) > 12 ? 12 : $(nproc) ))
tests() {
    timeout --signal=INT --kill-after=8 "$1" env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 ${toy:+TRITON_INTERPRET=1} "$python" -m pytest -p xdist.plugin \
        -o addopts= -p no:cacheprovider -W default -n "$workers" --dist worksteal -v --tb=short "${@:2}" >> "$OUT/tests.txt" 2>&1
}
export -f tests; export workers
part "tests of the kernels" 105 bash -c 'tests '${toy:+9}100' "$@"' _ tests/test_kernels.py -k "not interpreter and not hopper and not end_to_end ${toy:+and grid}"
part timings 190 "$python" "$run" timings --seconds ${toy:+9}175 --out "$OUT" $toy 2>>"$OUT/stderr.txt"
part certified 60 "$python" "$run" certified --seconds ${toy:+9}45 --out "$OUT" $toy 2>>"$OUT/stderr.txt"
rest=$(( 525 - (SECONDS - began) )); on_device="most_anchors or kernel_of_batch_all or backend_is_told or emulated or repeated or large_classes or without_the_bound or whole_numbers"
[ $toy ] && rest=900 && on_device="kernel_of_batch_all or emulated or whole_numbers"
[ $rest -gt 20 ] && part "tests of losses on a device" $rest bash -c 'tests '$((rest - 8))' "$@"' _ tests/test_device.py \
    -k "$on_device"

grep -E "^(FAILED|ERROR)|passed|failed" "$OUT/tests.txt" 2>/dev/null | tail -40 | tee -a "$OUT/summary.txt"
echo "not reached: $(grep -c 'not reached' "$OUT/results.jsonl") groups" | tee -a "$OUT/summary.txt"
grep '"part": "certified"' "$OUT/results.jsonl"
find "$OUT" -type f | wc -l | sed 's/$/ files/'
tail -c 6000 "$OUT/timings.md" 2>/dev/null
