"""Files of an object store: a server that speaks S3, on this machine."""

import re
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pandas
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.cli.app import run
from lossctl.errors import DataError, FileError
from lossctl.files import again, remote
from lossctl.files.opening import public

ROWS = 3000
TABLE = pandas.DataFrame(
    {
        "prob": np.random.default_rng(0).random(ROWS),
        "label": np.random.default_rng(1).integers(0, 2, ROWS).astype("int8"),
        "other": np.random.default_rng(2).random(ROWS),
    }
)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """The address of a bucket, and a folder that holds the same files."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    import boto3

    folder = tmp_path_factory.mktemp("bucket")
    for at, piece in enumerate(np.array_split(np.arange(ROWS), [700, 1900])):
        part = TABLE.iloc[piece]
        part.to_parquet(folder / f"part-{at}.parquet", row_group_size=500)
        part.to_csv(folder / f"part-{at}.csv.gz", index=False)
        np.save(folder / f"part-{at}.npy", part["prob"].to_numpy())
    np.save(folder / "emb.npy", np.random.default_rng(3).standard_normal((300, 8)))
    np.save(folder / "class.npy", np.arange(300) % 40)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        store = boto3.client("s3")
        store.create_bucket(Bucket="bucket")
        for file in sorted(folder.iterdir()):
            store.upload_file(str(file), "bucket", f"preds/{file.name}")
        yield "s3://bucket/preds", folder
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_numbers_are_those_of_local_files(bucket):
    address, folder = bucket
    for name in ("part-*.parquet", "part-1.parquet", "part-0.csv.gz", "part-*.csv.gz"):
        there = lossctl.compute("bce", f"{address}/{name}", ci=0.9, resamples=99)
        here = lossctl.compute("bce", f"{folder}/{name}", ci=0.9, resamples=99)
        assert (there.value, there.ci, there.n) == (here.value, here.ci, here.n)
    mixed = lossctl.compute("mse", f"{address}/part-*.npy", f"{address}/part-*.parquet::other")
    assert mixed.value == lossctl.compute("mse", TABLE["prob"], TABLE["other"]).value


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_faults_name_the_address(bucket):
    address, _ = bucket
    with pytest.raises(FileError, match=f"{address}/none.parquet: no such file"):
        lossctl.compute("bce", f"{address}/none.parquet")
    with pytest.raises(FileError, match="no file matches"):
        lossctl.compute("bce", f"{address}/none*.parquet")
    with pytest.raises(FileError, match="nothing here reads gopher://"):
        lossctl.compute("bce", "gopher://host/x.npy")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_line(bucket, tmp_path):
    """Values, groups, intervals, gates, the hardest rows, comparisons, suites, counts and mined files, to the byte."""
    rows, systems = "{place}/part-*.parquet", "{place}/part-*.parquet::prob {place}/part-*.parquet::other"
    lines = {
        f"compute bce {rows} --group label --ci 0.9 --resamples 99 --json": 0,
        f"compute focal {rows} --ci 0.9 --resamples 99 --max-high 0.1 --json": 1,
        f"compute mse {systems} --top 7 --json": 0,
        f"compare {systems} --target {rows}::label --loss bce --resamples 199 --json": 0,
        f"run {tmp_path}/s.yaml --json": 0,
        "triplets {place}/emb.npy {place}/class.npy --margin 0.2,1 --json": 0,
        "compute batch-hard {place}/emb.npy {place}/class.npy --per-row": 0,
        "mine semi-hard {place}/emb.npy {place}/class.npy -q -f csv": 0,
    }
    written = {}
    for place in map(str, bucket):
        (tmp_path / "s.yaml").write_text(
            f"losses:\n- {{loss: bce, inputs: ['{rows}'], ci: 0.9}}\n".replace("{place}", place)
        )
        for line, code in lines.items():
            assert run([*line.replace("{place}", place).split(), "-o", str(tmp_path / "out")]) == code, line
            text = (tmp_path / "out").read_text().replace(place, "place")
            written.setdefault(line, set()).add(re.sub(r'"seconds": [^,}\n]*', "", text))
    assert {line: len(answers) for line, answers in written.items()} == dict.fromkeys(lines, 1)


def test_what_may_be_secret_is_not_shown():
    assert public("https://user:word@host:80/a/b.npy?token=x#y") == "https://host:80/a/b.npy"
    assert public("s3://bucket/key with ?.npy".replace("?", "1")) == "s3://bucket/key with 1.npy"
    assert public("https://user:word@host/b.npy?token=x::prob") == "https://host/b.npy::prob"
    assert public("s3://bucket/b.npy::prob") == "s3://bucket/b.npy::prob"
    assert public("a::b.npy") == "a::b.npy"
    assert public("plain.npy") == "plain.npy"


def test_a_request_is_made_again_and_says_so_at_the_end(monkeypatch):
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.0)
    calls = []

    def fails(times):
        def request():
            calls.append(1)
            if len(calls) <= times:
                raise ConnectionError("reset by https://user:word@host/x")
            return "answer"

        return request

    again.taken()
    assert remote._asked("s3://b/k", fails(3)) == "answer"
    with monkeypatch.context() as forked:
        forked.setattr(again.os, "getpid", lambda: -1)
        assert again.taken() == {}
    assert again.told(again.taken()) == ["requests to s3://b: 3 done again"]
    calls.clear()
    with pytest.raises(FileError, match=r"tried 4 times: ConnectionError: reset by \.\.\.") as fault:
        remote._asked("s3://b/k", fails(99))
    assert "word" not in str(fault.value)
    assert len(calls) == 4

    def unreachable():
        raise FileNotFoundError("https://host/x") from ConnectionRefusedError("refused")

    with pytest.raises(FileError, match="tried 4 times: ConnectionRefusedError: refused"):
        remote._asked("https://host/x", unreachable)


class Web(BaseHTTPRequestHandler):
    """Files by their path; a server that gives no pieces, unless `pieces`, nor lengths, unless `lengths`.

    faults: the status of each request to come, before it answers as it should
    """

    files: ClassVar[dict[str, bytes]] = {}
    faults: ClassVar[list[int]] = []
    pieces, lengths = False, True

    def do_GET(self):
        status, body = (200, self.files[name]) if (name := self.path.partition("?")[0]) in self.files else (404, b"")
        if self.faults:
            status, body = self.faults.pop(), b""
        begin, _, end = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if self.pieces and end and status == 200:
            status, body = 206, body[int(begin) : int(end) + 1]
        self.send_response(status)
        if self.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def web(monkeypatch):
    """The address of a server, and its class."""
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.0)
    kind = type("OneWeb", (Web,), {"files": {}, "faults": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_web_servers_of_all_kinds(web, tmp_path, caplog):
    address, server = web
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    TABLE.to_parquet(tmp_path / "t.parquet")
    server.files |= {f"/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}
    expected = lossctl.compute("bce", str(tmp_path / "t.csv")).value
    for server.pieces, server.lengths in ((True, True), (False, True), (False, False)):
        for name in ("t.csv", "t.parquet"):
            assert lossctl.compute("bce", f"{address}/{name}").value == expected, (server.pieces, name)
    server.pieces = server.lengths = True
    for fault, count, message in (
        (503, 99, r"t\.csv: cannot read, tried 4 times: ClientResponseError: 503"),
        (401, 9, r"t\.csv: permission denied"), (403, 9, r"t\.csv: permission denied"),
        (404, 9, r"t\.csv: no such file"), (410, 9, r"t\.csv: no such file"),
    ):  # fmt: skip
        server.faults[:] = [fault] * count
        with pytest.raises(FileError, match=message):
            lossctl.compute("bce", f"{address}/t.csv")
    for line in ("compare {0}::prob {0}::other -y {0}::label --loss bce", "suggest {0}", "compute bce {0} -v",
                 "run {1}", "compute bce {0} --prob {0}::none"):  # fmt: skip
        (tmp_path / "s.yaml").write_text(f"losses:\n- {{loss: bce, inputs: ['{address}/t.parquet?token=WORD']}}\n")
        words = line.format(f"{address}/t.parquet?token=WORD", tmp_path / "s.yaml").split()
        done = run_lossctl(*words)
        assert "t.parquet" in done.out + done.err and "WORD" not in done.out + done.err, (line, done)
    caplog.clear()
    server.faults[:] = [503] * 4
    assert lossctl.compute("bce", f"{address}/t.csv").value == expected
    assert [(record.name, record.message) for record in caplog.records] == [
        ("lossctl", f"requests to {address}: 2 done again")
    ]


@pytest.mark.parametrize("name", ["a.npy", "a.csv"])
def test_another_file_of_the_same_length_is_noticed(name, monkeypatch, tmp_path):
    """Read in pieces, and copied before it is read; at the end, and on the way."""
    fsspec = pytest.importorskip("fsspec")
    store, address = fsspec.filesystem("memory"), f"memory://{tmp_path.name}/{name}"
    np.save(tmp_path / "a.npy", np.arange(8.0))
    (tmp_path / "a.csv").write_text("pred\n" + "1\n" * 8)
    content = (tmp_path / name).read_bytes()

    def replaced_after(requests):
        store.pipe_file(address, content)
        asked = iter(range(1, 99))
        cat = type(store).cat_file

        def cat_file(self, *arguments, **settings):
            answer = cat(self, *arguments, **settings)
            if next(asked) == requests:
                self.pipe_file(address, content)
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(type(store), "cat_file", cat_file)
            return lossctl.compute("mae", address, np.zeros(8)).value

    for every in (0.0, 99.0):
        monkeypatch.setattr(remote, "CHECKED_EVERY", every)
        assert replaced_after(98) == (3.5 if name == "a.npy" else 1.0)
        for requests in (1, 2):
            with pytest.raises(DataError, match="another file has taken its place"):
                replaced_after(requests)


def test_no_fault_shows_what_may_be_secret(monkeypatch):
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.0)
    faults = (
        "403 for s3://AK:WORD@b/k", "GET gs://b/k?token=WORD failed", "cannot log in as user:WORD@host",
        "signature='WORD' refused", 'header {"Authorization": "Bearer WORD"}', "AWS_SECRET_ACCESS_KEY=WORD",
        "abfs://b.core/x?sig=WORD", "x-amz-security-token: WORD", "ftp://u:WORD@h/x",
    )  # fmt: skip
    for text in faults:

        def request(text=text):
            raise OSError(text)

        with pytest.raises(FileError, match="tried 4 times: OSError") as fault:
            remote._asked("s3://b/k", request)
        assert "WORD" not in "".join(traceback.format_exception(fault.value)), text


@pytest.mark.parametrize("address", ["http://[x/a.npy", "s3://u:WORD@[x/a.npy", "memory://none.npy"])
def test_an_address_that_is_none(address):
    with pytest.raises(FileError) as fault:
        lossctl.compute("mae", address)
    assert "WORD" not in str(fault.value)
