"""The benchmark: what it counts, how it judges answers, what it does when something goes wrong. No claim is timed."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import ROOT, run_lossctl

from lossctl.bench import cases, clocks, measuring
from lossctl.bench.answers import Correctness
from lossctl.bench.cases import Case, Schedule, bytes_needed, check, parse_share, parse_sizes, seconds_expected
from lossctl.bench.contenders import Contender, Unavailable, contender
from lossctl.bench.inputs import copies, make
from lossctl.bench.peers import peer
from lossctl.bench.records import Measurement, as_json, read_baseline
from lossctl.errors import DataError, DeviceError, FileError, UsageError
from lossctl.kernels import devices
from lossctl.show import bench as show

SMALL = Case("batch-hard", "panel", "cpu", 67, 5, 4, "float32")
TINY = ("bench", "batch-hard", "--device", "cpu", "--n", "60", "--dim", "4", "--impl", "panel", "--min-time", "0")

# --- cases


@pytest.mark.parametrize(("text", "sizes"), [("4096", (4096,)), ("1k,4k", (1000, 4000)), ("1.5K,1M", (1500, 1000_000))])
def test_sizes_are_written_as_people_write_them(text, sizes):
    assert parse_sizes(text, "--n") == sizes


@pytest.mark.parametrize("text", ["", "4,", "1.5", "-1", "1g", "1e3", "k"])
def test_what_is_no_size_is_an_error(text):
    with pytest.raises(UsageError, match="--n"):
        parse_sizes(text, "--n")


def test_shares_are_percent_or_parts():
    assert parse_share("10%", "-") == parse_share("0.1", "-") == 0.1
    for text in ("", "%", "-1%", "nan", "inf"):
        with pytest.raises(UsageError):
            parse_share(text, "-")


@pytest.mark.parametrize(("n", "k"), [(9, 2), (12, 4), (14, 5), (11, 10)])
def test_triplets_are_counted_as_the_data_has_them(n, k):
    case = SMALL._replace(kernel="batch-all", n=n, k=k)
    labels = make(case, 0).labels
    same = labels[:, None] == labels
    count = sum((same[a].sum() - 1) * (~same[a]).sum() for a in range(n))
    assert case.work == (count, "triplets")
    assert SMALL.work == (67 * 66, "pairs")


def test_a_group_holds_what_is_compared_and_its_products():
    schedule = Schedule(kernels=("semi-hard",), devices=("cpu", "cuda:0"), sizes=(64, 32), peers=True)
    groups = list(schedule.groups())
    assert [group[0].n for group in groups] == [32, 64]
    named = [(case.kernel, case.implementation, case.device) for case in groups[0]]
    assert named == [
        ("product", "blocked", "cpu"), ("product", "blocked", "cuda:0"),
        ("semi-hard", "naive", "cpu"), ("semi-hard", "naive", "cuda:0"),
        ("semi-hard", "panel", "cpu"), ("semi-hard", "panel", "cuda:0"),
        ("semi-hard", "triton", "cuda:0"),
        ("semi-hard", "sentence-transformers", "cpu"), ("semi-hard", "sentence-transformers", "cuda:0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(kernels=("batch-soft",)), Schedule(implementations=("cuda",)),
        Schedule(dtypes=("fp8",)), Schedule(ks=(1,)),
        Schedule(dims=(0,)), Schedule(sizes=(4,), ks=(4,)), Schedule(time_limit=0.0), Schedule(min_time=-1.0),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused(schedule):
    with pytest.raises(UsageError):
        check(schedule)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["batch-all", "semi-hard"])
def test_the_memory_of_the_broadcast_is_foreseen(kernel):
    case = SMALL._replace(kernel=kernel, implementation="naive", n=200)
    made = contender(case)
    placed = made.place(make(case, 0))
    made.run(placed)
    peak, _ = clocks.weighed(lambda: made.run(placed), "cpu")
    if peak is None:
        pytest.skip("this system does not tell the peak of the memory")
    assert case.n**3 < peak < 1.2 * bytes_needed(case) + 2**24


def test_times_are_foretold_from_the_largest_smaller_size():
    naive = SMALL._replace(implementation="naive", kernel="batch-all")
    known = [(naive._replace(n=10), 1.0), (naive._replace(n=20), 5.0), (SMALL._replace(n=20), 2.0)]
    assert seconds_expected(naive._replace(n=40), known) == 40
    assert seconds_expected(SMALL._replace(n=40), known) == 8
    assert seconds_expected(SMALL._replace(n=40, dtype="float64"), known) == 0


# --- data and answers


def test_data_is_random_and_the_same_every_time():
    one, again, other = make(SMALL, 1), make(SMALL, 1), make(SMALL, 2)
    assert np.array_equal(one.embeddings, again.embeddings) and not np.array_equal(one.embeddings, other.embeddings)
    assert one.embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(one.embeddings, axis=1), 1, atol=1e-6)
    assert sorted(np.bincount(one.labels)) == [3] + [4] * 16


def test_inputs_are_rotated_past_the_cache():
    assert copies(1 << 20, cache_bytes=10 << 20) == 20
    assert copies(1 << 29, cache_bytes=10 << 20) == 2


fused_claim = pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="test_offload.py starts it again")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("implementation", ["naive", "panel", pytest.param("triton", marks=fused_claim)])
@pytest.mark.parametrize("kernel", cases.KERNELS)
def test_our_own_answers_are_right(kernel, implementation, dtype):
    case = SMALL._replace(kernel=kernel, implementation=implementation, dtype=dtype)
    made, inputs = contender(case), make(case, 3)
    correctness = made.judge(inputs, made.run(made.place(inputs)))
    assert correctness.checked > 100
    assert (correctness.wrong, correctness.error < (1e-14 if dtype == "float64" else 1e-6)) == (0, True)


@pytest.mark.parametrize("implementation", ["naive", "panel"])
@pytest.mark.parametrize("kernel", cases.KERNELS)
def test_wrong_answers_are_found(kernel, implementation):
    """The answer for other points, of which every third is farther out."""
    case = SMALL._replace(kernel=kernel, implementation=implementation)
    made, inputs = contender(case), make(case, 3)
    moved = make(case, 3)
    moved.embeddings[::3] *= 1.3
    correctness = made.judge(inputs, made.run(made.place(moved)))
    assert correctness.wrong > 0 and correctness.error > 1e-4


def test_a_precision_that_the_cpu_lacks_is_not_available():
    with pytest.raises(Unavailable, match="CUDA only"):
        contender(SMALL._replace(dtype="tf32"))


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="then it runs")
def test_triton_on_the_cpu_says_why_not():
    with pytest.raises(Unavailable, match="triton"):
        contender(SMALL._replace(implementation="triton"))


def test_a_peer_that_is_not_installed_says_so(monkeypatch):
    monkeypatch.setitem(cases.PEERS, "faiss", ("no_such_module", ("batch-hard",)))
    with pytest.raises(Unavailable, match="not installed"):
        peer(SMALL._replace(implementation="faiss"))


@pytest.mark.parametrize(
    ("name", "kernel"), [(name, kernel) for name, (_, kernels) in cases.PEERS.items() for kernel in kernels]
)
def test_peers_run_where_they_are_installed(name, kernel):
    pytest.importorskip(cases.PEERS[name][0], exc_type=ImportError)
    case = SMALL._replace(implementation=name, kernel=kernel)
    made = peer(case)
    assert made.run(made.place(make(case, 0))) is not None


def test_faiss_finds_the_nearest_negatives():
    pytest.importorskip("faiss")
    case = SMALL._replace(implementation="faiss")
    made, inputs = peer(case), make(case, 0)
    x = inputs.embeddings.astype(float)
    squares = ((x[:, None] - x) ** 2).sum(2)
    squares[inputs.labels[:, None] == inputs.labels] = np.inf
    assert np.array_equal(made.run(made.place(inputs)), squares.argmin(1))


# --- measuring

PLAN = Schedule(kernels=("batch-hard",), implementations=("naive", "panel"), sizes=(60, 120), dims=(4,), min_time=0.0)


def maker(**runs):
    """Contenders that do nothing, but `runs` by implementation."""
    return lambda case: Contender(lambda inputs: inputs, runs.get(case.implementation, lambda inputs: None))


def last(measurements):
    """What each case came to."""
    return {(one.case.implementation, one.case.n): one for one in measurements}


def test_variants_take_turns_on_changing_inputs():
    seen = []

    def recorded(name):
        return lambda inputs: seen.append((name, inputs.embeddings.tobytes()))

    runs = {name: recorded(name) for name in ("blocked", "naive", "panel")}
    found = last(measuring.measure(PLAN._replace(sizes=(60,)), maker(**runs)))
    assert [name for name, _ in seen] == 4 * ["blocked", "naive", "panel"]
    rounds = seen[3:]
    for k in range(0, len(rounds), 3):
        assert len({data for _, data in rounds[k : k + 3]}) == 1
    assert len({data for _, data in rounds}) == len(rounds) // 3
    assert len(found["panel", 60].seconds) == 3


def test_a_case_is_there_after_its_trial():
    first = next(iter(measuring.measure(PLAN, maker())))
    assert first.is_cold and len(first.seconds) == 1


def exhausted(inputs):
    raise MemoryError


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (exhausted, "out of memory"),
        (lambda inputs: [][1], "failed: IndexError: list index out of range"),
    ],
)
def test_a_case_that_fails_is_a_row_and_the_rest_goes_on(run, status):
    found = last(measuring.measure(PLAN, maker(naive=run)))
    assert (found["naive", 60].status, found["naive", 60].seconds) == (status, ())
    assert all(found["panel", n].status == "ok" and len(found["panel", n].seconds) == 3 for n in (60, 120))


def test_memory_is_foreseen(monkeypatch):
    monkeypatch.setattr(clocks, "bytes_free", lambda device: 40_000_000)
    schedule = PLAN._replace(kernels=("batch-all",), implementations=("naive",), sizes=(60, 500))
    found = last(measuring.measure(schedule, maker(naive=lambda inputs: len(inputs.labels) == 60 or exhausted(inputs))))
    assert found["naive", 60].status == "ok"
    assert found["naive", 500].status == "out of memory: needs about 3 GB, 40 MB are free"


def test_no_case_begins_when_the_time_is_over():
    statuses = {m.status for m in last(measuring.measure(PLAN._replace(total_limit=1e-9))).values()}
    assert statuses == {"not run: 1e-09 s were over"}


def test_an_endless_case_is_stopped():
    def endless(inputs):
        while True:
            time.sleep(0.001)

    found = last(measuring.measure(PLAN._replace(time_limit=0.05), maker(naive=endless)))
    assert found["naive", 60].status == "stopped after 0.05 s"
    assert found["panel", 60].status == "ok"


def test_a_size_that_would_take_too_long_is_not_run():
    schedule = PLAN._replace(time_limit=0.35)
    found = last(measuring.measure(schedule, maker(naive=lambda inputs: time.sleep(0.1))))
    assert found["naive", 60].status == "ok"
    assert found["naive", 120].status.endswith("s, the limit is 0.35 s")


def test_a_slow_start_does_not_count_against_larger_sizes():
    runs = []

    def slow_at_first(inputs):
        time.sleep(0 if runs else 0.2)
        runs.append(len(inputs.labels))

    found = last(measuring.measure(PLAN._replace(time_limit=0.7), maker(naive=slow_at_first)))
    assert found["naive", 120].status == "ok"
    assert max(found["naive", 60].seconds) < 0.2


def test_an_interrupt_gives_what_there_is_first():
    runs = []

    def interrupted(inputs):
        runs.append(len(inputs.labels))
        if runs.count(120) == 3:
            raise KeyboardInterrupt

    found = {}
    with pytest.raises(KeyboardInterrupt):
        for one in measuring.measure(PLAN, maker(panel=interrupted)):
            found[one.case.implementation, one.case.n] = one
    assert len(found["panel", 60].seconds) == 3
    assert found["naive", 120].seconds and found["panel", 120].seconds


def test_a_case_that_is_not_available_is_a_row():
    def unavailable(case):
        if case.implementation == "naive":
            raise Unavailable("not installed")
        return maker()(case)

    assert last(measuring.measure(PLAN, unavailable))["naive", 60].status == "not available: not installed"


# --- clocks


def test_memory_is_weighed():
    peak, answer = clocks.weighed(lambda: int(np.ones(10_000_000).sum()), "cpu")
    assert answer == 10_000_000
    if peak is not None:
        assert 75e6 < peak < 120e6


def test_the_limit_leaves_no_alarm_behind():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(clocks.TimeUp), clocks.limited(0.01):
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_out_of_memory_has_many_words():
    shared = "out of resource: shared memory, Required: 262144, Hardware limit: 101376. Reducing block sizes may help."
    for words in ("CUDA out of memory. Tried", "[enforce fail] DefaultCPUAllocator: can't allocate memory", shared):
        assert clocks.is_out_of_memory(RuntimeError(words))
    assert clocks.is_out_of_memory(MemoryError())
    assert not clocks.is_out_of_memory(RuntimeError("illegal memory access"))


# --- records and pages

TIMED = Measurement(
    SMALL, seconds=(0.2, 0.1, 0.3), product_seconds=0.05, peak_bytes=4096, error=1e-7, wrong=1, checked=8
)


def found_of(*measurements, compared=None):
    return show.BenchRun(measurements, {"cpu": "a", "torch": "2.0"}, compared or {})


def test_a_file_reads_back_as_a_baseline(tmp_path):
    path = tmp_path / "b.json"
    failed = Measurement(SMALL._replace(n=99), "out of memory")
    path.write_text(show.as_json(found_of(TIMED, failed)))
    baseline = read_baseline(str(path))
    assert baseline.samples == {TIMED.case.key: TIMED.seconds, failed.case.key: ()}
    assert baseline.compared(failed, 0.1) is None
    assert baseline.differences({"cpu": "b", "torch": "2.0", "gpu": "c"}) == ["cpu was a, is b"]


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "SAME"), (2.0, "SLOW"), (0.5, "FAST"), (1.1, "AMBIGUOUS")])
def test_verdicts(tmp_path, factor, verdict):
    seconds = tuple(1 + k / 1000 for k in range(20))
    path = tmp_path / "b.json"
    path.write_text(show.as_json(found_of(dataclasses.replace(TIMED, seconds=seconds))))
    now = dataclasses.replace(TIMED, seconds=tuple(factor * one for one in seconds))
    assert read_baseline(str(path)).compared(now, 0.1).verdict == verdict


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"schema": "lossctl/1", "command": "compute", "results": []}', "\xff", "1" * 9000,
             as_json([], {}, {}).replace("[]", "[1]", 1)]
)  # fmt: skip
def test_other_files_are_no_baseline(tmp_path, text):
    path = tmp_path / "b.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="no benchmark"):
        read_baseline(str(path))
    with pytest.raises(FileError):
        read_baseline(str(tmp_path / "none.json"))


def test_a_row_says_what_it_should():
    (row,) = show.sheet(found_of(TIMED)).rows
    cells = dict(zip(show.COLUMNS, row, strict=True))
    assert (cells["median"], cells["count"], cells["product_share"]) == ("0.2", "3", "0.25")
    assert (float(cells["per_second"]), cells["unit"]) == (67 * 66 / 0.2, "pairs")
    assert float(cells["tflops"]) == pytest.approx(2 * 67 * 67 * 5 / 0.2 / 1e12, rel=1e-3)


@pytest.mark.parametrize("width", [60, 100, 160])
def test_tables_fit_and_compare_within_a_size(width):
    from lossctl.show.sheet import table

    rows = [
        Measurement(SMALL._replace(implementation=name, n=n), seconds=(seconds,))
        for name, n, seconds in (("naive", 100, 1.0), ("panel", 100, 0.1), ("panel", 1000, 10.0))
    ]
    (sheet,) = show.tables(found_of(*rows))
    speed = sheet.columns.index("speed-up")
    assert [row[speed] for row in sheet.rows] == ["1x", "10x", "1x"]
    bars = [row[-1].count("█") for row in sheet.rows]
    assert bars[0] - bars[1] == pytest.approx(bars[2] - bars[0], abs=1)  # each a factor of ten
    if width >= 100:
        assert len(table(sheet, width=width, colour=False).strip().splitlines()) == 4 + len(rows)


def test_a_case_without_a_time_shows_why():
    (sheet,) = show.tables(found_of(TIMED, Measurement(SMALL._replace(n=99), "out of memory")))
    assert sheet.rows[1][-1] == "out of memory"


# --- devices


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("Found no NVIDIA driver on your system. Please check", devices.NO_DRIVER),
        ("No CUDA GPUs are available", devices.NO_DEVICE),
        ("", devices.NO_DEVICE),
        ("Unexpected error\nfrom cudaGetDeviceCount()", "Unexpected error"),
    ],
)
def test_reasons_in_a_few_words(fault, reason, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.no_cuda_in_words(fault) == reason


def test_a_hidden_device_is_named(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices.no_cuda_in_words("") == "no device is visible (CUDA_VISIBLE_DEVICES is '-1')"


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:x", "cpu:0", "", "CUDA"])
def test_other_words_are_no_device(text):
    with pytest.raises(UsageError):
        devices.choose(text)


@pytest.mark.parametrize("reason", [devices.NO_DRIVER, devices.NO_DEVICE, devices.CPU_ONLY, "torch is not installed"])
def test_cuda_is_never_replaced_in_silence(monkeypatch, reason):
    monkeypatch.setattr(devices, "no_cuda", lambda: reason)
    with pytest.raises(DeviceError, match=reason):
        devices.choose("cuda")
    assert devices.choose("auto").name == "cpu"
    assert reason in devices.choose("auto").note
    assert [device.name for device in devices.choose_all("cpu,auto,cpu")] == ["cpu"]


# --- the command


def test_the_list_names_everything():
    out = run_lossctl("bench", "--list").out
    assert all(name in out for name in (*cases.KERNELS, *cases.IMPLEMENTATIONS, *cases.PEERS))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("batch-soft",), 2), (("--impl", "fast"), 2), (("--n", "ten"), 2), (("--device", "gpu"), 2),
        (("--fail-slower", "10%"), 2), (("--save", "b.txt"), 2), (("-f", "bare"), 2), (("--k", "1"), 2),
        (("--baseline", "none.json", "--device", "cpu"), 4), (("--baseline", "README.md", "--device", "cpu"), 3),
    ],
)  # fmt: skip
def test_errors_come_before_any_work(arguments, code):
    done = run_lossctl("bench", *arguments)
    assert (done.code, done.out) == (code, "")
    assert "fix:" in done.err


def test_no_cuda_is_an_error_with_the_reason():
    reason = devices.no_cuda()
    if not reason:
        pytest.skip("there is CUDA")
    done = run_lossctl("bench", "--device", "cpu,cuda")
    assert (done.code, done.out) == (5, "")
    assert reason in done.err


def test_auto_says_what_it_chose():
    done = run_lossctl(*TINY[:2], *TINY[4:], "--device", "auto")
    assert done.code == 0
    assert "auto: c" in done.err


def test_json_holds_every_sample_and_the_environment():
    document = json.loads(run_lossctl(*TINY, "--json").out)
    assert (document["schema"], document["command"]) == ("lossctl/1", "bench")
    assert {"cpu", "cores", "threads", "torch", "triton", "numpy", "blas", "load"} <= set(document["environment"])
    product, panel = document["results"]
    assert (product["kernel"], panel["kernel"], panel["n"]) == ("product", "batch-hard", 60)
    assert len(panel["seconds"]) >= 3 and panel["median"] == np.median(panel["seconds"])
    assert panel["product_share"] == pytest.approx(panel["product_seconds"] / panel["median"])
    assert (panel["wrong"], panel["checked"]) == (0, 120)


def test_a_pipe_gets_rows():
    rows = list(csv.DictReader(io.StringIO(run_lossctl(*TINY).out), delimiter="\t"))
    assert [row["kernel"] for row in rows] == ["product", "batch-hard"]


@pytest.mark.parametrize("ending", ["json", "csv", "md"])
def test_saved_files_hold_every_sample(tmp_path, ending):
    path = tmp_path / f"b.{ending}"
    done = run_lossctl(*TINY, "--save", path)
    assert done.code == 0
    text = path.read_text()
    assert "numpy" in text and "batch-hard" in text
    if ending == "csv":
        row = list(csv.DictReader(io.StringIO(text)))[-1]
        assert len(row["seconds"].split()) == int(row["count"]) >= 3
    if ending == "md":
        assert len(text.rstrip().splitlines()[-1].split(": ")[1].split()) >= 3
    assert os.listdir(tmp_path) == [path.name]


def shifted(path, factor, target):
    """The file with all its samples so many times as long."""
    document = json.loads(path.read_text())
    for row in document["results"]:
        row["seconds"] = [factor * value for value in row["seconds"]] * 4
    target.write_text(json.dumps(document))
    return target


def test_only_slower_fails_and_only_if_asked(tmp_path):
    run_lossctl(*TINY, "--save", tmp_path / "b.json")
    fast = shifted(tmp_path / "b.json", 1e-4, tmp_path / "fast.json")
    slow = shifted(tmp_path / "b.json", 1e4, tmp_path / "slow.json")
    failed = run_lossctl(*TINY, "--baseline", fast, "--fail-slower", "10%")
    assert failed.code == 1
    assert "SLOW" in failed.out
    assert run_lossctl(*TINY, "--baseline", fast).code == 0
    passed = run_lossctl(*TINY, "--baseline", slow, "--fail-slower", "10%")
    assert passed.code == 0
    assert "FAST" in passed.out


def test_an_interrupt_keeps_what_is_done(tmp_path):
    path = tmp_path / "b.json"
    command = [
        sys.executable, "-m", "lossctl", "bench", "batch-hard", "--device", "cpu", "--n", "60,2000", "--min-time", "30",
        "--impl", "panel", "--save", str(path),
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (path.exists() and "batch-hard" in path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"warning: interrupted" in err
    assert b"batch-hard\tpanel" in out
    assert json.loads(path.read_text())["results"][-1]["seconds"]


def test_a_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    done = run_lossctl(*TINY, "--plot", tmp_path / "b.svg")
    assert done.code == 0
    assert "batch-hard" in (tmp_path / "b.svg").read_text()


def test_doctor_says_what_each_kernel_uses():
    findings = {item["what"]: item["value"] for item in json.loads(run_lossctl("doctor", "--json").out)["results"]}
    assert all("panel, numpy" in findings[f"kernel {kernel}"] for kernel in cases.KERNELS)
    assert devices.no_cuda() in findings["kernel batch-hard"]
    assert "of lossctl" in findings["threads"]
    assert ("of torch" in findings["threads"]) == (find_spec("torch") is not None)


def test_a_verdict_is_what_a_measurement_keeps():
    made = Contender(lambda inputs: inputs, lambda inputs: None, lambda inputs, answer: Correctness(0.5, 2, 9))
    found = last(measuring.measure(PLAN, lambda case: made))
    assert dataclasses.astuple(found["panel", 60])[-3:] == (0.5, 2, 9)
