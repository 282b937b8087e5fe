"""Fuzzing of the readers: whatever the bytes, a declared error or the right values; and fast equals strict."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

import numpy as np
import pytest
from conftest import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lossctl.errors import DataError, FileError, LossctlError, UsageError
from lossctl.files import tables
from lossctl.files.cells import NUMBER, ColumnKinds, Form, Parsed, read_strictly
from lossctl.files.decimals import decimals, pad, whole_numbers
from lossctl.files.fast import read_by_arrow, read_fast, read_rows
from lossctl.files.sources import blocks, open_source
from lossctl.files.writing import atomic_output

BRIEF = settings(max_examples=examples(600), deadline=None, database=None, derandomize=True)


# --- decimals


def parsed(cells: list[str]):
    """`decimals` over cells laid out as a column of a file would be."""
    text = "".join(cell + "\n" for cell in cells)
    ends = np.cumsum([len(cell.replace(".", "")) + 1 for cell in cells]) - 1
    starts = ends - [len(cell.replace(".", "")) for cell in cells]
    after = [len(cell) - cell.index(".") - 1 if "." in cell else -1 for cell in cells]
    after = [len(text) if cell.count(".") > 1 else count for cell, count in zip(cells, after, strict=True)]
    return decimals(pad(text.replace(".", "").encode()), starts, ends, np.array(after))


def agree(cells: list[str]) -> float:
    """Every certain value has the bits of float(); the share of certain ones."""
    values, certain = parsed(cells)
    for cell, value, is_certain in zip(cells, values.tolist(), np.broadcast_to(certain, len(cells)), strict=True):
        if is_certain:
            assert NUMBER.fullmatch(cell), cell
            assert value.hex() == float(cell).hex(), cell
    return float(np.mean(certain))


def test_decimals_round_as_float_does():
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(size=3000), 10 ** rng.uniform(-30, 30, 3000), rng.integers(0, 99, 500) / 8])
    for form in ["%r", "%.18e", "%.6f", "%.17g", "%.9g", "%.3e", "%+.12f", "%.22f", "%.0f"]:
        cells = [form % value for value in values.tolist()]
        share = agree(cells)
        assert share > 0.99 or form in ("%.0f", "%.22f", "%+.12f", "%.6f", "%r", "%.17g", "%.9g"), (form, share)
    assert agree([repr(value) for value in rng.random(3000).tolist()]) > 0.99


def test_decimals_on_the_hardest_cases():
    """Midpoints of neighbouring floats, cut or raised by one in the last digit."""
    rng = random.Random(5)
    cells = []
    for _ in range(3000):
        value = rng.choice([rng.random(), rng.uniform(1, 1e6), rng.randrange(2**53, 2**63)])
        numerator, denominator = (value + np.nextafter(value, np.inf)).as_integer_ratio()
        digits = 10 ** rng.randrange(10, 19)
        middle = numerator * digits // (2 * denominator)
        for integer in (middle - 1, middle, middle + 1):
            text = str(integer).zfill(len(str(digits)))
            point = len(text) - len(str(digits)) + 1
            cells += [f"{text[:point]}.{text[point:]}", f"-{text}e-{len(str(digits)) - 1}"]
    assert agree(cells) > 0.2
    agree([str(2**53 + offset) for offset in range(-3, 20)] + ["9007199254740993.0", "1e23", "8.5e+22", "0.5e-00"])


@BRIEF
@given(st.lists(st.text("0123456789.eE+- x", max_size=26), min_size=1, max_size=8))
@example(["1e-05.", ".-5", "5.", ".5", "-.5", "+", "", "1e-0.5", "-0", "-0.0", "0e+00", "1e+64", "9" * 24, "e-05"])
def test_decimals_take_numbers_only(cells):
    agree(cells)
    text = "".join(cell + "\n" for cell in cells)
    ends = np.cumsum([len(cell) + 1 for cell in cells]) - 1
    values, certain = whole_numbers(pad(text.encode()), ends - [len(cell) for cell in cells], ends)
    for cell, value, is_certain in zip(cells, values.tolist(), certain, strict=True):
        assert not is_certain or int(cell) == value


# --- the fast reader against the strict one


def same(one: Parsed, other: Parsed) -> bool:
    return (
        one.numbers.tobytes() == other.numbers.tobytes()
        and one.numbers.shape == other.numbers.shape
        and [(labels.dtype == np.int64, labels.tolist()) for labels in one.labels]
        == [(labels.dtype == np.int64, labels.tolist()) for labels in other.labels]
    )


def check(chunk: bytes, form: Form, plan: ColumnKinds) -> bool:
    """Where a fast reader answers, the strict one gives the same answer. Whether the first of them did."""
    answers = [reader(chunk, form, plan) for reader in (read_fast, read_by_arrow)]
    for fast in filter(None, answers):
        assert same(fast, read_strictly(chunk, 1, form, plan))
    return answers[0] is not None


finite = st.floats(allow_nan=False, allow_infinity=False)
number_cells = st.one_of(
    finite.map(repr),
    finite.map("{:.18e}".format),
    st.floats(-1e6, 1e6).map("{:.6f}".format),
    st.integers(-(10**6), 10**6).map(str),
    st.floats(0, 1).map("  {} ".format),
    st.sampled_from(["True", "false", " TRUE", "False "]),
)
label_cells = st.one_of(
    st.integers(-(2**64), 2**64).map(str),
    st.integers(0, 9).map("{}.0".format),
    st.integers(0, 9).map("{:.18e}".format),
    st.text("abNc é日-0", min_size=1, max_size=6).filter(lambda text: text.strip(" ").lower() not in ("", "na", "nan")),
)
other_cells = st.one_of(number_cells, label_cells, st.sampled_from(["", "NA", "nan", "inf", "x y", "1.5", ".", "0x1"]))


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


@st.composite
def files(draw, missing: bool = False):
    """Text of a CSV without a header: a number column, a label column, another; sometimes quoted."""
    gap = st.sampled_from(["", "NA", " nan", "None"]) if missing else st.nothing()
    rows = st.tuples(number_cells | gap, label_cells | gap, other_cells)
    quote = draw(st.sampled_from([lambda cell: cell, quoted, lambda cell: quoted(cell) if "a" in cell else cell]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = [",".join(map(quote, row)) for row in draw(st.lists(rows, min_size=1, max_size=12))]
    return (end.join(lines) + draw(st.sampled_from(["", end]))).encode()


@BRIEF
@given(st.lists(st.one_of(number_cells, st.text("0123456789.eE+- xinfaIN_", max_size=9)), min_size=2, max_size=4))
@example(["1e-05.", "5.", ".5", "-.5"])
@example(["+1", "-0", "-0.0", "0e+00"])
@example(["9007199254740992", "9007199254740993", "1e999", "1e-999"])
@example(["4.9e-324", "2.2250738585072011e-308", "0.1e-400", "1.7976931348623159e308"])
def test_numbers_alone_are_read_alike(cells):
    for width in (1, 2):
        rows = [",".join(cells[at : at + width]) for at in range(0, len(cells), width)]
        for text in ("\n".join(rows), "\n".join(rows) + "\n"):
            check(text.encode() or b"\n", Form("x", ",", (), width, False), ColumnKinds(tuple(range(width)), ()))


@BRIEF
@given(files())
def test_valid_input_is_read_alike_and_fast(chunk):
    assert check(chunk, Form("x", ",", (), 3, False), ColumnKinds((0,), (1,)))
    check(chunk, Form("x", ",", (), 3, True), ColumnKinds((0,), (1, 2)))


@BRIEF
@given(files(missing=True))
def test_rows_with_missing_values_are_read_alike(chunk):
    assert check(chunk, Form("x", ",", (), 3, True), ColumnKinds((0,), (1,)))


def test_a_single_long_word_makes_no_array_as_wide():
    words = ["a", "bc"] * 1000 + ["x" * 60]
    chunk = "".join(word + "\n" for word in words).encode()
    for reader in (read_fast, read_by_arrow):
        if (parsed := reader(chunk, Form("x", ",", (), 1, False), ColumnKinds((), (0,)))) is not None:
            assert parsed.labels[0].tolist() == words
            assert parsed.labels[0].nbytes < 10 * len(chunk)


def test_a_blank_line_is_a_missing_cell_whoever_reads_the_column():
    form = Form("x", ",", ("y",), 1, True)
    for cell, label in ((b"b", "b"), (b'"b"', "b"), (b'"say ""b"""', 'say "b"'), (b"7", 7)):
        found = read_rows(b"a\n\n" + cell + b"\n", 2, form, ColumnKinds((), (0,)))
        assert found.labels[0].tolist() == ["a", None, label]
    with pytest.raises(DataError, match="x:4: column 'y'"):
        read_rows(b"0.5\n\nb\n", 2, form, ColumnKinds((0,), ()))


@BRIEF
@given(st.text('a"\n', max_size=20), st.integers(0, 9))
def test_a_newline_within_quotes_ends_no_row(text, tail):
    ends = [at + 1 for at, sign in enumerate(text) if sign == "\n" and text[:at].count('"') % 2 == 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "TAIL", tail)
        assert tables._last_row_end(text.encode()) == max(ends, default=0)


@BRIEF
@given(files(), st.data())
def test_the_fast_reader_never_takes_what_the_strict_one_refuses(chunk, data):
    mutable = bytearray(chunk)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutable)))
        mutable[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(list(SPICE)))
    for allow_missing in (False, True):
        for plan in (ColumnKinds((0, 2), ()), *(ColumnKinds((0,), labels) for labels in ((), (1,), (0, 2)))):
            check(bytes(mutable) or b"\n", Form("x", ",", (), 3, allow_missing), plan)


SPICE = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b".",
    b"e",
    b"-",
    b" ",
    b"\xff",
    b"\xc3",
    b"_",
    b"NA",
    b"\t",
    b"9",
]


@BRIEF
@given(st.binary(max_size=40), st.sampled_from([1, 2]))
def test_any_bytes(chunk, width):
    for plan in (ColumnKinds((0,), ()), ColumnKinds((), (0,))):
        check(chunk or b"\n", Form("x", ",", (), width, False), plan)


@pytest.mark.parametrize("seed", range(12))
def test_chunk_borders_do_not_matter(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    note = ["x", '"a\nb"', '"c ""d"" e"', '",\n,"', "é", '"plain"']
    lines = [f"{rng.random()},{rng.choice(note)},{rng.choice(['1', '2.0', 'cat'])}" for _ in range(60)]
    path = tmp_path / "a.csv"
    path.write_text("p,note,y\n" + rng.choice(["\n", "\r\n"]).join(lines), newline="")
    found = []
    for chunk in (1, 7, 64, 333, 1 << 17):
        monkeypatch.setattr(tables, "CHUNK", chunk)
        with open_source(str(path)) as frame:
            fields = [frame.select("p"), frame.select("note"), frame.select("y")]
            parts = [block.load() for block in blocks(fields, ["number", "category", "category"], 17)]
            found.append([[part.tolist() for part in block] for block in parts] + [frame.where(37)[-8:]])
    assert all(one == found[0] for one in found)
    assert [p for block in found[0][:-1] for p in block[0]] == [float(line.split(",")[0]) for line in lines]


# --- whole files


def samples() -> dict[str, bytes]:
    matrix = np.random.default_rng(0).normal(size=(9, 2))
    contents = {}
    for name, array in {
        "plain": matrix,
        "fortran": np.asfortranarray(matrix.astype(">f4")),
        "structured": np.zeros(5, [("a", "<f4"), ("b", "U3")]),
        "labels": np.arange(7),
    }.items():
        stream = io.BytesIO()
        np.save(stream, array)
        contents[name] = stream.getvalue()
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as archive:
            archive.writestr("emb.npy", contents["plain"])
            archive.writestr("label.npy", contents["labels"])
        contents[f"npz {compression}"] = stream.getvalue()
    contents["csv"] = b'p,y,"note"\n0.5,1,"a, b"\n0.25,2,c\n1e-3,3,"d"\n' * 1 + b"0.125,1,e\r\n" * 20
    contents["csv.gz"] = gzip.compress(contents["csv"])
    contents["npy.gz"] = gzip.compress(contents["fortran"])
    return contents


def mutated(content: bytes, rng: random.Random) -> bytes:
    mutable = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(mutable) + 1)
        choice = rng.randrange(4)
        if choice == 0:
            del mutable[at : at + rng.choice([1, 4, 50])]
        elif choice == 1:
            mutable[at:at] = rng.choice([rng.randbytes(3), b"9", b"\0", b'"', b"\n", b",", b"(", bytes(50)])
        elif at < len(mutable):
            mutable[at] = rng.choice([mutable[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255])
    return bytes(mutable)


def read_everything(path: str) -> None:
    with open_source(path) as frame:
        for position in range(min(frame.width, 4)):
            for kind in ("number", "category"):
                try:
                    for block in blocks([frame.field(position)], [kind], 5):
                        block.load()
                except DataError as fault:
                    assert str(fault)


@pytest.mark.first_fast
@pytest.mark.parametrize("name", samples())
def test_damaged_files_give_declared_errors_only(tmp_path, name):
    rng = random.Random(name)
    content = samples()[name]
    path = tmp_path / "a"
    path.write_bytes(content)
    read_everything(str(path))
    for _ in range(250):
        path.write_bytes(mutated(content, rng))
        try:
            read_everything(str(path))
        except (DataError, FileError) as fault:
            assert "/a" in str(fault) and len(str(fault).split("\n")) <= 3


@BRIEF
@given(st.text(max_size=12))
@example("a..b..c")
@example("=..")
@example("#..#")
@example("[*]")
@example("..")
def test_any_selector(selector):
    from lossctl.files.memory import frame_of

    for value in (np.zeros((2, 3)), {"a": np.zeros(2), "a..b": np.zeros((2, 2)), "3": np.zeros(2)}):
        try:
            field = frame_of(value, "x").select(selector)
            assert len(field.columns) >= 1 and field.ndim in (1, 2)
        except UsageError as fault:
            assert fault.what and fault.fix


@pytest.mark.parametrize("seed", range(20))
def test_output_is_old_or_new_wherever_the_writer_stops(tmp_path, seed):
    rng = random.Random(seed)
    path = tmp_path / "out"
    path.write_bytes(b"old")
    try:
        with atomic_output(str(path)) as file:
            for _ in range(rng.randrange(20)):
                file.write(rng.randbytes(rng.randrange(40_000)))
                if rng.random() < 0.1:
                    raise LossctlError("stop")
            file.write(b"end")
    except LossctlError:
        assert path.read_bytes() == b"old"
    else:
        assert path.read_bytes().endswith(b"end")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
