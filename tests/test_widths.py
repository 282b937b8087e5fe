"""A number is never split: every table of every command, on real output, at the widths of terminals."""

import contextlib
import re
from functools import cache

import pytest
from conftest import ROOT, run_lossctl
from hypothesis import given, settings
from hypothesis import strategies as st

from lossctl.show.sheet import Sheet, table

S = ROOT / "samples"
DIGITS = (S / "digits_probs.npy", S / "digits_labels.npy")
TABLES = {
    "info": ("info", S / "preds.csv", S / "embeddings.npz", S / "binary_logits.npz"),
    "list": ("list",),
    "doctor": ("doctor",),
    "interval": ("compute", "bce", S / "preds.csv", "--ci", "0.95"),
    "several": ("compute", "bce", S / "preds.csv", "--ci", "0.95", "--also", "focal:gamma=3", "--also", "hinge"),
    "signed": ("compute", "bce", S / "preds.csv", "--signature", "--also", "focal"),
    "groups": ("compute", "cross-entropy", *DIGITS, "-g", DIGITS[1], "--ci", "0.9"),
    "top": ("compute", "cross-entropy", *DIGITS, "--top", "3"),
    "top lists": ("compute", "list-mle", S / "ranking.csv", "--top", "2"),
    "top scalars": ("compute", "bce", S / "preds.csv", "--top", "5"),
    "compare": ("compare", S / "distributions.npz::q", DIGITS[0], "-y", DIGITS[1], "--loss", "cross-entropy",
                "--loss", "brier"),
    "run": ("run", S / "suite.yaml"),
    "triplets": ("triplets", S / "embeddings.npz", "--margin", "0.2,0.5", "--by", "class", "--batch", "5,4",
                 "--pairs", "5"),
    "triplets given": ("triplets", S / "embeddings.npy", "--index", S / "triplets_index.npy"),
    "bench list": ("bench", "--list"),
    "parity": ("parity", "mse", S / "regression.csv", "-w", "pred"),
    "reconcile": ("reconcile", "focal", S / "preds.csv", "--value", "0.0345568", "--solve"),
    "suggest": ("suggest", S / "splits.csv"),
}  # fmt: skip
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")
VARIES = re.compile(r"^.*(cores|threads).*$", re.MULTILINE)


@cache
def shown(name, width):
    done = run_lossctl(*TABLES[name], "-f", "table", COLUMNS=str(width), NO_COLOR="1")
    assert done.code == 0, done.err
    return done.out


def numbers(text):
    return {match.strip(",") for match in NUMBER.findall(VARIES.sub("", text))}


def rounded(texts):
    """What a number may be shown as: itself, or in six or four digits."""
    forms = set(texts)
    for text in texts:
        with contextlib.suppress(ValueError):
            forms |= {f"{float(text):.6g}", f"{float(text):.4g}"}
    return {form.lstrip("+") for form in forms}


@pytest.mark.first_fast
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", TABLES)
def test_every_number_is_whole(name, width):
    roomy, narrow = shown(name, 5000), shown(name, width)
    allowed = rounded(numbers(roomy))
    strange = {number for number in numbers(narrow) if number.lstrip("+") not in allowed}
    assert not strange, f"{strange}\n{narrow}"
    too_long = [line for line in narrow.splitlines() if len(line) > width and len(line.split()) > 2]
    assert [line for line in too_long if not line.startswith("    lossctl compute ")] == [], narrow  # to be copied


@pytest.mark.first_fast
@pytest.mark.parametrize("width", [60, 80, 120])
def test_nothing_is_left_out_without_a_word(width):
    """Whatever column a narrow table has not, its title names."""
    for name in ("interval", "several", "info", "compare", "run"):
        head = shown(name, 5000)
        columns = next(line for line in head.splitlines() if len(re.split(r"   +", line.strip())) > 4)
        narrow = " ".join(shown(name, width).split())
        for column in re.split(r"   +", columns.strip()):
            if column != "worse ▸":
                assert column in narrow, (name, column, narrow)


def test_what_was_chosen_is_seen_in_a_narrow_table():
    both = ("compute", "focal", "--gamma", "3", "samples/preds.csv", "--also", "focal", "-f", "table")
    text = run_lossctl(*both, COLUMNS="60").out
    assert "defaults of params not shown" in text and re.findall(r"(?m)^ (\S*) +0\.\d+$", text) == ["gamma=3", ""]


@pytest.mark.first_fast
@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("loss", ["focal", "circle", "dpo"])
def test_a_page_obeys_the_width(loss, width):
    page = run_lossctl("explain", loss, COLUMNS=str(width)).out
    assert max(map(len, page.splitlines())) <= width
    roomy = run_lossctl("explain", loss, COLUMNS="400").out
    assert sorted(re.findall(r"\d+\.\d+", page)) == sorted(re.findall(r"\d+\.\d+", roomy)) or width < 100


def test_a_family_fits_a_screen():
    text = shown("list", 80)
    for family in text.split("\n\n"):
        assert len(family.splitlines()) <= 24 or "no loss, but" in family
    names = run_lossctl("list", "--names").out.split()
    assert all(re.search(rf"^ {name} ", text, re.MULTILINE) for name in names)


CELLS = st.text("abc 0.", max_size=30) | st.floats(allow_nan=False, allow_infinity=False).map(repr)


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)),
       st.integers(40, 130), st.data())  # fmt: skip
def test_any_sheet_at_any_width(rows, width, draw):
    """Each word of each cell that is not left out stands whole, at whatever width."""
    names = tuple(f"c{at}" for at in range(len(rows[0])))
    chosen = draw.draw(st.sets(st.sampled_from(names)))
    sheet = Sheet(names, tuple(map(tuple, rows)), frozenset(chosen), prose=frozenset(names) - chosen,
                  spare=tuple(sorted(draw.draw(st.sets(st.sampled_from(names))))), ditto=names[:1])  # fmt: skip
    text = table(sheet, width=width, colour=False)
    words = text.replace(";", " ").split()
    absent = re.search(r"not shown: ([c\d, ]+) \(-f", " ".join(text.split()))
    gone = absent[1].split(", ") if absent else []
    for name, *cells in zip(names, *rows, strict=True):
        for word in (word for cell in cells if name not in gone for word in cell.split()):
            forms = {word}
            if name in chosen and "rounded to fit" in " ".join(words):
                with contextlib.suppress(ValueError):
                    forms |= {f"{float(word):.6g}", f"{float(word):.4g}"}
            assert forms & set(words), (word, text)
