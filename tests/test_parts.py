"""Rows in parts, wherever they are scored: the numbers, intervals and faults of one process."""

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from threading import Event

import numpy as np
import pandas
import pytest
from conftest import ROOT, run_lossctl

import lossctl
from lossctl.api import executors, parts, ranks
from lossctl.cli.app import run
from lossctl.errors import DataError, DeviceError, FileError, UsageError
from lossctl.files import again, reading
from lossctl.files.sources import blocks, open_source
from lossctl.rows import by_row

ROWS = 1000
TABLE = pandas.DataFrame(
    {
        "prob": np.random.default_rng(0).random(ROWS),
        "label": np.random.default_rng(1).integers(0, 2, ROWS).astype("int8"),
        "group": np.random.default_rng(2).choice(["a", "b", "c"], ROWS),
        "other": np.random.default_rng(3).random(ROWS),
    }
)


class Here:
    """An executor that sends functions and answers through pickle, as one that works elsewhere does."""

    def __init__(self):
        self.parts = 0

    def submit(self, fn, /, *args):
        self.parts += 1
        future = Future()
        fn, args = pickle.loads(pickle.dumps((fn, args)))
        future.set_result(pickle.loads(pickle.dumps(fn(*args))))
        return future


def shards(path):
    """The table cut into three files."""
    for at, piece in enumerate(np.array_split(np.arange(ROWS), [137, 600])):
        TABLE.iloc[piece].to_parquet(path / f"part-{at}.parquet", row_group_size=100)
    return str(path / "part-*.parquet")


WRITERS = {
    "npy": lambda path: np.save(path / "x.npy", TABLE[["prob", "other"]].to_numpy()) or str(path / "x.npy"),
    "npz": lambda path: np.savez(path / "x.npz", prob=TABLE["prob"], y=TABLE["other"]) or str(path / "x.npz"),
    "parquet": lambda path: TABLE.to_parquet(path / "x.parquet", row_group_size=90) or str(path / "x.parquet"),
    "arrow": lambda path: TABLE.to_feather(path / "x.arrow", chunksize=90) or str(path / "x.arrow"),
    "csv": lambda path: TABLE.to_csv(path / "x.csv", index=False) or str(path / "x.csv"),
    "jsonl": lambda path: (
        TABLE.to_json(path / "x.jsonl", orient="records", lines=True, double_precision=15) or str(path / "x.jsonl")
    ),
    "shards": shards,
}


@pytest.mark.parametrize("start", [0, 64, 128, 640, 960])
@pytest.mark.parametrize("format", WRITERS)
def test_blocks_from_a_row_on_are_those_of_the_whole(tmp_path, format, start):
    with open_source(WRITERS[format](tmp_path)) as frame:
        field = frame.select(frame.names[0] if frame.names else "1")
        whole = [block for block in blocks([field], ["number"], 64)]
        expected = [(block.start, block.stop, block.load()[0].tolist()) for block in whole if block.start >= start]
        rest = [(block.start, block.stop, block.load()[0].tolist()) for block in blocks([field], ["number"], 64, start)]
        assert rest == expected
        middle = [(block.start, block.stop) for block in blocks([field], ["number"], 64, start, start + 64)]
        assert middle == [(start, min(start + 64, ROWS))]


@pytest.fixture
def small(monkeypatch):
    """Parts of few rows."""
    monkeypatch.setattr(by_row, "BLOCK_VALUES", 128)
    monkeypatch.setattr(parts, "PART_ROWS", 100)
    for module in (parts, reading):
        monkeypatch.setattr(module, "DIGEST_ROWS", 48)


QUESTIONS = {
    "value": {},
    "sum": {"reduction": "sum"},
    "groups": {"group": "group"},
    "interval": {"ci": 0.9, "resamples": 99},
    "groups with intervals": {"group": "group", "ci": 0.9, "resamples": 99},
    "clusters": {"cluster": "group", "ci": 0.9, "resamples": 99},
    "bins": {"by": "bins:{path}::other:3"},
    "hardest": {"keep": "7%"},
    "weights": {"weight": "other"},
    "hash": {"data_hash": True},
}


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["parquet", "shards"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_parts_give_what_one_process_gives(tmp_path, small, question, format):
    path, executor = WRITERS[format](tmp_path), Here()
    settings = {
        key: text.format(path=path) if isinstance(text, str) else text for key, text in QUESTIONS[question].items()
    }
    losses = {"bce": (path,), "focal:gamma=1.5": (path,), "mse": (f"{path}::prob", f"{path}::other")}
    if question in ("value", "groups", "interval", "clusters"):
        losses["rmse"] = losses["mse"]
        losses["entropy"] = (f"{path}::label",)
    for loss, sources in losses.items():
        expected = lossctl.compute(loss, *sources, **settings)
        assert repr(lossctl.compute(loss, *sources, **settings, executor=executor)) == repr(expected)
    assert executor.parts >= 3 * 6


def test_rows_and_comparisons_in_parts(tmp_path, small):
    path, executor = shards(tmp_path), Here()
    np.testing.assert_array_equal(lossctl.row_losses("bce", path, executor=executor), lossctl.row_losses("bce", path))
    systems = [f"{path}::prob", f"{path}::other"]
    settings = {"target": f"{path}::label", "loss": ["bce", "focal"], "resamples": 199}
    assert lossctl.compare(*systems, **settings, executor=executor) == lossctl.compare(*systems, **settings)
    assert executor.parts >= 10


def test_a_suite_in_parts_computes_lists_in_this_process(tmp_path, small):
    path, executor = WRITERS["parquet"](tmp_path), Here()
    suite = tmp_path / "suite.yml"
    suite.write_text(
        f"losses:\n- loss: [bce, focal]\n  inputs: ['{path}']\n  group: group\n"
        f"- loss: listnet\n  inputs: {{score: '{path}::prob', relevance: '{path}::label', group: '{path}::group'}}\n"
    )
    expected, in_parts = lossctl.run(str(suite)), lossctl.run(str(suite), executor=executor)
    assert [outcome.status for outcome in in_parts.outcomes] == ["passed"] * 2
    assert [outcome.results for outcome in in_parts.outcomes] == [outcome.results for outcome in expected.outcomes]
    assert executor.parts


def test_balanced_weights_are_those_of_all_rows(tmp_path, small):
    path = WRITERS["arrow"](tmp_path)
    settings = {"alpha": "balanced"}
    expected = lossctl.compute("focal", path, **settings)
    assert lossctl.compute("focal", path, **settings, executor=Here()) == expected


def test_the_fault_of_a_part_is_that_of_one_process(tmp_path, small):
    table = TABLE.copy()
    table.loc[[400, 777], "prob"] = [1.5, np.nan]
    table.to_parquet(tmp_path / "x.parquet", row_group_size=90)
    faults = []
    for executor in (None, Here()):
        with pytest.raises(DataError) as fault:
            lossctl.compute("bce", str(tmp_path / "x.parquet"), executor=executor)
        faults.append(str(fault.value))
    assert faults[0] == faults[1]
    assert "row 400 (row group 4)" in faults[0]


def test_what_cannot_be_cut_is_refused(tmp_path):
    path = WRITERS["csv"](tmp_path)
    with pytest.raises(UsageError, match="lists"):
        lossctl.compute("ndcg", [0.1, 0.2], [1, 0], [0, 0], executor=Here())
    with pytest.raises(UsageError, match="an array in memory"):
        lossctl.compute("bce", [0.1, 0.2], [1, 0], executor=Here())
    with pytest.raises(UsageError, match="an array in memory"):
        lossctl.triplets(np.eye(4), [0, 0, 1, 1], executor=Here())
    with pytest.raises(UsageError, match="at once"):
        lossctl.compute("bce", path, executor=Here(), jobs=2)
    with pytest.raises(UsageError, match="there is no 'slurm' to run on"):
        lossctl.compute("bce", path, executor="slurm")
    large = tmp_path / "large.csv"
    pandas.concat([TABLE] * 30).to_csv(large, index=False)
    with pytest.raises(FileError, match="only known by reading it"):
        lossctl.compute("bce", str(large), executor=Here())


def test_processes(tmp_path, small):
    path = shards(tmp_path)
    expected = lossctl.compute("bce", path, group="group", ci=0.9, resamples=99)
    with ProcessPoolExecutor(2) as pool:
        assert repr(lossctl.compute("bce", path, group="group", ci=0.9, resamples=99, executor=pool)) == repr(expected)


# --- sets of embeddings


def a_set(path, rows=530):
    """Two files of embeddings with ties, near ties and equal rows, and their labels."""
    random = np.random.default_rng(5)
    labels = random.integers(40, size=rows)
    emb = 0.5 * random.standard_normal((40, 8))[labels] + random.standard_normal((rows, 8))
    emb[::200] = emb[::200].round()
    emb[-3:] = emb[:3]
    np.save(path / "emb.npy", emb.astype("float32"))
    np.save(path / "label.npy", labels)
    return str(path / "emb.npy"), str(path / "label.npy")


class Elsewhere(Here):
    """The same, in a process of its own that lasts, as do those of a pool."""

    def __init__(self):
        super().__init__()
        self.functions = {}

    def submit(self, fn, /, *args):
        functions, parts.FUNCTIONS = parts.FUNCTIONS, self.functions
        try:
            return super().submit(fn, *args)
        finally:
            parts.FUNCTIONS = functions


SETS = {
    "triplets": lambda *files, **how: asdict(lossctl.triplets(*files, margin=[0.2, 1], by_class=True, pairs=3, **how)),
    "anchors": lambda *files, **how: asdict(lossctl.triplets(*files, margin=0.5, anchors=220, seed=2, **how)),
    "a loss": lambda *files, **how: lossctl.compute("batch-hard", *files, **how),
    "rows": lambda *files, **how: lossctl.row_losses("supcon", *files, **how).tolist(),
    "views": lambda *files, **how: lossctl.compute("clip", files[0], files[0], **how),
}


@pytest.mark.slow
def test_parts_of_a_set_give_what_one_process_gives(tmp_path):
    files = a_set(tmp_path)
    for name, ask in SETS.items():
        expected = repr(ask(*files))
        crew = Here() if name == "a loss" else Elsewhere()
        assert repr(ask(*files, executor=crew)) == expected, name
        assert crew.parts > 2, name
    np.save(files[0], np.load(files[0]) + 1)  # the workers are asked the same of other points
    assert ask(*files, executor=crew) == ask(*files)
    work = lossctl.parts("batch-hard", *files)
    assert repr(lossctl.merge([part.state() for part in reversed(work)])) == repr(lossctl.compute("batch-hard", *files))


STRATEGIES = {
    "batch-hard": {}, "random-semi-hard": {"seed": 3}, "hardest": {"limit": 50}, "all": {"limit": 9000},
}  # fmt: skip


@pytest.mark.slow
def test_files_mined_in_parts_are_those_of_one_process(tmp_path):
    files = a_set(tmp_path)
    for strategy, settings in STRATEGIES.items():
        written = []
        for name, how in (("one.csv", {}), ("parts.csv", {"executor": Elsewhere()})):
            lossctl.mine(strategy, *files, out=str(tmp_path / name), margin=0.3, **settings, **how)
            written.append((tmp_path / name).read_bytes())
        assert written[0] == written[1], strategy


def test_states_of_parts_merge_to_the_result_in_any_order(tmp_path, small):
    path = shards(tmp_path)
    for settings in ({}, {"group": "group"}, {"group": "group", "ci": 0.9, "resamples": 99}, {"gamma": 1.5}):
        work = pickle.loads(pickle.dumps(lossctl.parts("focal", path, **settings)))
        states = [part.state() for part in reversed(work)]
        assert len(states) > 5
        assert repr(lossctl.merge(states)) == repr(lossctl.compute("focal", path, **settings)), settings
    other = lossctl.parts("bce", path)[0].state()
    for wrong, message in ((states[1:], "is missing"), ([], "no state"), ([b"x"], "not the state"),
                           ([*states, other], "different computations")):  # fmt: skip
        with pytest.raises(UsageError, match=message):
            lossctl.merge(wrong)
    for name in ("keep", "by", "jobs", "executor", "data_hash"):
        with pytest.raises(UsageError, match=f"{name} with parts"):
            lossctl.parts("bce", path, **{name: 1})
    with pytest.raises(UsageError, match="an array in memory"):
        lossctl.parts("bce", [0.1, 0.2], [1, 0])
    table = TABLE.copy()
    table.loc[400, "prob"] = 1.5
    table.to_parquet(tmp_path / "x.parquet", row_group_size=90)
    with pytest.raises(DataError, match="row 400"):
        lossctl.merge([part.state() for part in lossctl.parts("bce", str(tmp_path / "x.parquet"))])


def test_a_worker_of_another_kind_is_told(tmp_path, small, monkeypatch):
    work = lossctl.parts("bce", shards(tmp_path))
    for module, name, value in ((by_row, "BLOCK_VALUES", 256), (parts, "__version__", "0.0.1")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            states = [part.state() for part in work]
        with pytest.raises(UsageError, match="a worker has lossctl"):
            lossctl.merge(states)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_example_of_spark(tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    if not shutil.which("java") and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    text = (ROOT / "docs/scale.md").read_text()
    (example,) = (block for block in re.findall("```python\n(.*?)```", text, re.DOTALL) if "mapInArrow" in block)
    path = str(tmp_path / "part-*.parquet")
    for at in range(4):
        pandas.concat([TABLE] * 200).to_parquet(tmp_path / f"part-{at}.parquet")
    expected = lossctl.compute("bce", path, group="group", ci=0.95)
    monkeypatch.setattr(parts, "PART_ROWS", 100_000)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    with sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate():
        names = {}
        exec(example.replace("preds/*.parquet", path).replace('"slice"', '"group"'), names)
    assert len(names["parts"]) > 4
    assert repr(names["result"]) == repr(expected)


class Asked:
    """Command lines of all kinds, their exit codes, and the bytes that each writes in one process."""

    def __init__(self, path, gates=True):
        self.path, rows = path, shards(path)
        emb, label = a_set(path, 1100)
        limited = f"{{name: limited, loss: focal, inputs: ['{rows}'], ci: 0.9, resamples: 99, max: 9}}"
        hardest = f"{{loss: [bce, brier], inputs: ['{rows}'], group: group}}"
        (path / "s.yaml").write_text(f"losses:\n- {hardest}\n- {limited}\n")
        lines = {
            f"compute bce {rows} --json --group group --ci 0.9 --resamples 99 --memory 1MB": 0,
            f"compute focal {rows} --json --cluster group --ci 0.9 --resamples 99 --max-high 0.1": 1,
            f"compute mse {rows}::prob {rows}::other --top 7": 0,
            f"compute rmse {rows}::prob {rows}::other --keep 7% --json": 0,
            f"compare {rows}::prob {rows}::other --target {rows}::label --loss bce --resamples 199 --json": 0,
            f"run {path}/s.yaml --json --memory 1MB": 0,
            f"triplets {emb} {label} --margin 0.2,1 --json": 0,
            f"compute batch-hard --per-row {emb} {label} --memory 40kB": 0,
            f"compute clip --json {emb} {emb}": 0,
            f"mine semi-hard {emb} {label} -q -f csv": 0,
        }
        self.lines = {line: code for line, code in lines.items() if not code or gates}
        self.expected = self.written([])

    def out(self, at):
        return self.path / f"out{at}"

    def written(self, more, run=lambda words: run_lossctl(*words).code):
        for at, (line, code) in enumerate(self.lines.items()):
            assert run([*line.split(), "-o", str(self.out(at)), *more]) == code, line
        return self.taken()

    def taken(self):
        """What the lines wrote; a suite without its seconds."""
        written = {}
        for at, line in enumerate(self.lines):
            text = self.out(at).read_bytes()
            written[line] = re.sub(rb'"seconds": [^,}\n]*', b"", text)
            self.out(at).unlink()
        return written


LINES = """
import os, shlex, sys
from lossctl.api import parts, ranks
from lossctl.cli.app import run

*lines, last = sys.argv[1:]
for line in lines:
    code, *words = shlex.split(line)
    assert run(words) == int(code), line
if os.environ["RANK"] == "1":
    parts.__version__ = "0.0.1"
sys.exit(run(shlex.split(last)))
"""


@pytest.mark.slow
def test_torchrun(tmp_path):
    pytest.importorskip("torch.distributed")
    asked = Asked(tmp_path, gates=False)  # a rank that exits with 1 ends all
    emb, label = str(tmp_path / "emb.npy"), str(tmp_path / "label.npy")
    lines = [f"{code} {line} -o {asked.out(at)}" for at, (line, code) in enumerate(asked.lines.items())]
    (tmp_path / "lines.py").write_text(LINES)
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(tmp_path / "lines.py")]
    done = subprocess.run([*start, *lines, f"triplets {emb} {label}"], capture_output=True, text=True, cwd=ROOT)
    assert asked.taken() == asked.expected
    assert done.stderr.count("lossctl: error: a worker has lossctl 0.0.1") == 1, done.stderr  # of the other rank
    assert done.returncode
    assert re.search(r"exitcode *: 2 ", done.stderr)
    with pytest.raises(UsageError, match="there are no ranks"):
        lossctl.triplets(emb, label, executor="torchrun")


WAITING = """
import sys
from lossctl.api import ranks
from lossctl.cli.app import run

ranks.is_one = lambda: True
sys.exit(run(["triplets"]))
"""


@pytest.mark.slow
def test_a_rank_that_waits_for_the_others_ends_when_torchrun_ends_it():
    distributed = pytest.importorskip("torch.distributed")
    store = distributed.TCPStore("127.0.0.1", 0, 2, is_master=True, wait_for_workers=False)
    keys = store.num_keys()
    names = {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": store.port}
    own = {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "none"} | {key: str(names[key]) for key in names}
    process = subprocess.Popen([sys.executable, "-c", WAITING], env=os.environ | own, cwd=ROOT)
    try:
        while store.num_keys() == keys and process.poll() is None:
            time.sleep(0.05)
        process.terminate()
        assert process.wait(120) == 128 + signal.SIGTERM
    finally:
        process.kill()


def points_held():
    return len(parts.FUNCTIONS)


def forget_soon():
    parts.KEPT = 0.5


@pytest.mark.slow
def test_a_worker_that_outlasts_a_call_forgets_its_points(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "FUNCTIONS", {})  # what a call before left here, a worker would hold too
    emb, label = a_set(tmp_path, 300)
    expected = lossctl.compute("batch-hard", emb, label)
    with ProcessPoolExecutor(1, initializer=forget_soon) as pool:
        assert repr(lossctl.compute("batch-hard", emb, label, executor=pool)) == repr(expected)
        late = time.monotonic() + 60
        while pool.submit(points_held).result() and time.monotonic() < late:
            time.sleep(0.1)
        assert pool.submit(points_held).result() == 0
    assert not parts.FUNCTIONS


LOST = Event()


def until_lost():
    LOST.wait(9)


def test_a_lost_rank_is_told_by_the_first_which_torchrun_ends(monkeypatch):
    words = "[/gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:1. This is typically caused by a remote worker."

    def closed(*_):
        raise RuntimeError(words)

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for name, value in (("_join", lambda: 2), ("is_one", lambda: True), ("_send", closed), ("MOMENT", 0.2)):
        monkeypatch.setattr(ranks, name, value)
    with (
        pytest.raises(DeviceError, match=r"^rank 1 was lost: Connection closed by peer \[127\.0\.0\.1\]:1"),
        ranks.connected("") as executor,
    ):
        futures = [executor.submit(until_lost) for _ in range(2)]  # one of them by the rank that is no more
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        LOST.set()
        assert isinstance(done.pop().exception(), DeviceError)
        sys.exit(143)
    with pytest.raises(SystemExit), ranks.connected(""):
        sys.exit(143)


@pytest.mark.slow
def test_dask(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    asked, path = Asked(tmp_path), shards(tmp_path)
    expected = lossctl.compute("bce", path, group="group", ci=0.9, resamples=99)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        assert asked.written(["--on", address], run) == asked.expected
        answer = lossctl.compute("bce", path, group="group", ci=0.9, resamples=99, executor=client.get_executor())
        assert repr(answer) == repr(expected)
        with pytest.raises(DataError):
            lossctl.compute("bce", f"{path}::prob", f"{path}::other", executor=client.get_executor(retries=3))
        flag = str(tmp_path / "killed")
        monkeypatch.setattr(parts, "PART_ROWS", 100)
        with executors.working(address) as executor:
            answer = lossctl.compute("bce", path, group="group", ci=0.9, resamples=99, executor=Killing(executor, flag))
        assert repr(answer) == repr(expected)
        assert again.taken()[again.LOST] >= 1
        monkeypatch.setattr(executors, "PATIENCE", 1.0)
        cluster.scale(0)
        with pytest.raises(DeviceError, match="dask has had no worker for 1 seconds"):
            lossctl.compute("bce", path, executor=address)
        with pytest.raises(DeviceError, match=f"{address} was lost"), executors.working(address) as executor:
            future = executor.submit(time.sleep, 60)
            cluster.close()
            future.result()


class Killing:
    """An executor whose workers die at the first part, or at every part where there is no file that tells."""

    def __init__(self, executor, flag):
        self.executor, self.flag = executor, flag

    def submit(self, fn, /, *args):
        return self.executor.submit(killed_once, self.flag, fn, *args)


def killed_once(flag, fn, *args):
    """fn(*args) in a worker that dies at its first part."""
    if flag is None or not os.path.exists(flag):
        if flag is not None:
            with open(flag, "w"):
                pass
        os.kill(os.getpid(), signal.SIGKILL)
    return fn(*args)


@pytest.mark.slow
def test_a_lost_worker_of_ray_changes_nothing(tmp_path, monkeypatch, caplog, capsys):
    ray = pytest.importorskip("ray")
    asked, path = Asked(tmp_path), shards(tmp_path)
    expected = lossctl.compute("bce", path, group="group", ci=0.9, resamples=99)
    monkeypatch.setattr(parts, "PART_ROWS", 100)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]))
    flag = str(tmp_path / "killed")
    with executors.working("ray") as executor:
        answer = lossctl.compute("bce", path, group="group", ci=0.9, resamples=99, executor=Killing(executor, flag))
        assert os.path.exists(flag)
        assert repr(answer) == repr(expected)
        assert "parts of lost workers: 1 done again" in caplog.messages
        assert asked.written(["--on", "ray"], run) == asked.expected
        with pytest.raises(DeviceError, match="lost its worker of ray 4 times"):
            lossctl.compute("bce", path, executor=Killing(executor, None))
    assert "raylet" not in capsys.readouterr().out
    assert not ray.is_initialized()
