"""The formats that are read: how each begins, what opens it, and what must be installed for it. One row a format."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable
from typing import NamedTuple

from ..errors import DataError, FileError
from ..text import quoted
from .content import Content
from .dialect import Dialect
from .opening import Bytes

HEAD = 512
SAMPLE = 4096
BEGINNING = 8  # bytes that are shown of a file


class Opened(NamedTuple):
    """The columns of a file, and the name of its format (what is in a ZIP has one of its own)."""

    content: Content
    format: str


Opener = Callable[[Bytes, contextlib.ExitStack, Dialect], Content | Opened]


class Format(NamedTuple):
    """name: of one word;  title: as in messages;  magic: how such a file begins
    opener: "module.function" in this folder
    library: what it needs beside numpy;  extra: the extra of lossctl that brings that
    ending: how its name ends too, where the first bytes alone could be anything
    is_text: what a person says about text tables may overrule it
    """

    name: str
    title: str
    magic: str
    opener: str
    library: str = ""
    extra: str = ""
    ending: str = ""
    is_text: bool = False

    def matches(self, head: bytes, label: str = "") -> bool:
        """Whether a file that begins like this, and is called so, is of the format."""
        is_called = not self.ending or re.search(self.ending, label.lower()) is not None
        return is_called and re.match(self.magic.encode("latin-1"), head, re.DOTALL) is not None

    def open(self, stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Opened:
        """FileError where its library is not installed."""
        if self.library:
            need(self.library, self.extra, f"{stretch.label}: is {self.title}")
        module, function = self.opener.split(".")
        opener: Opener = getattr(importlib.import_module(f".{module}", __package__), function)
        opened = opener(stretch, closing, dialect)
        return opened if isinstance(opened, Opened) else Opened(opened, self.name)


DECIMAL = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
WORD = r"(?!#)(?:[^\s\w]+|[^\s,;|]*[^\s\d.+\-,;|][^\s,;|]*)"
LINE_END = r"(?: ?\r?\n| [-+.\deE]*\Z)"
WORDS = (  # a word with three numbers or more; below two counts, with any
    rf"\d+ \d+[ \r]*\n{WORD}(?: {DECIMAL})+{LINE_END}|{WORD}(?: {DECIMAL}){{3,}}{LINE_END}"
)
# fmt: off
FORMATS = (
    Format("npy", "an NPY file", r"\x93NUMPY", "npy.open_array"),
    Format("zip", "a ZIP file", r"PK(?:\x03\x04|\x05\x06)", "zips.open_zip"),
    Format("parquet", "a Parquet file", r"PAR1", "arrow.open_parquet", "pyarrow", "arrow"),
    Format("arrow", "an Arrow or Feather file", r"ARROW1", "arrow.open_file", "pyarrow", "arrow"),
    Format("arrow-stream", "an Arrow stream", r"\xff{4}..[\x00-\x0f]\x00", "arrow.open_stream", "pyarrow", "arrow"),
    Format("hdf5", "an HDF5 file", r"\x89HDF\r\n\x1a\n", "hdf5.open_hdf5", "h5py", "hdf5"),
    Format("torch", "a file of torch.save", r"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.", "tensors.open_tensors",
           "torch", "torch"),
    Format("safetensors", "a safetensors file", r".{3}[\x00-\x0f]\x00{4}\{\s*\"", "tensors.open_safetensors"),
    Format("faiss", "a faiss index", r"I[A-Za-z][A-Za-z0-9]{2}..[\x00-\x0f]\x00", "faiss.open_faiss"),
    Format("vecs", "vectors of faiss", r".{2}[\x00-\x0f]\x00", "vecs.open_vecs", ending=r"\.[fib]vecs(?:\.\w+)?$"),
    Format("raw", "raw float32", r"(?!)", "vecs.open_raw"),
    Format("jsonl", "JSON lines", r"(?:\xef\xbb\xbf)?\s*\{", "jsonl.open_lines", is_text=True),
    Format("json", "JSON", r"(?:\xef\xbb\xbf)?\s*\[\s*\{", "json_list.open_list", is_text=True),
    Format("words", "word vectors", WORDS, "words.open_words", is_text=True),
    Format("word2vec", "word vectors of word2vec, binary", r"\d+ \d+[ \r]*\n[^\n ]+ ", "words.open_binary"),
    Format("csv", "a text table", r"", "heading.open_table", is_text=True),
)
RAW = next(format for format in FORMATS if format.name == "raw")
NUMPY_FIX = "write what is in it as NPY (np.save), NPZ or CSV"
OTHERS = {  # files of other programs: how they begin, what they are, what to do with {file}
    r"\x80[\x02-\x05]": ("a pickle, and reading it could run code", NUMPY_FIX),
    r"\x89PNG": ("a PNG image", NUMPY_FIX),
    r"\xff\xd8\xff": ("a JPEG image", NUMPY_FIX),
    r"FEA1": ("a Feather file of version 1", "write it again with a newer pyarrow: feather.write_feather(table, path)"),
    r"SQLite format 3": ("an SQLite database", "sqlite3 -csv -header {file} 'select * from TABLE' | lossctl ... -"),
    r"MATLAB 5\.0": ("a MATLAB file", "np.save('x.npy', scipy.io.loadmat(r'{path}')['NAME'])"),
    r"%PDF": ("a PDF", NUMPY_FIX),
    r"\s*<(?i:!DOCTYPE|html)": ("a web page", "download the file itself"),
    r"\s*\[\s*\[[^\]]*[,\]]": ("JSON: a list of lists", "np.save('x.npy', np.array(json.load(open(r'{path}'))))"),
    r"version https://git-lfs": ("a Git LFS pointer, and not the file itself", "git lfs pull -I {file}"),
    r"(?i)\s*(?:%[^\n]*\n\s*)*@relation\s": (
        "an ARFF file", "pd.DataFrame(scipy.io.arff.loadarff(r'{path}')[0]).to_csv('x.csv', index=False)"
    ),
    rf"{DECIMAL}(?: qid:\d+)?(?: \d+:{DECIMAL}){{2,}}\s": (
        "sparse rows of svmlight",
        "x, y = sklearn.datasets.load_svmlight_file(r'{path}'); np.savez('x.npz', x=x.toarray(), y=y)"
    ),
    r"(?:---[^\n]*\n)?- [\w.]+:(?: [^\n]*)?\n  [\w.]+:": (
        "YAML", "pd.DataFrame(yaml.safe_load(open(r'{path}'))).to_csv('x.csv', index=False)"
    ),
    r"Rar!|7z\xbc\xaf": ("an archive", "unpack it, and name a file of it"),
}
NAMES = {  # how files of binary formats are called -> how they begin, at most 8 bytes
    r"\.npy": "93 4e 55 4d 50 59 (NPY)",
    r"\.npz": "50 4b 03 04 (ZIP)",
    r"\.(?:parquet|pq)": "50 41 52 31 (Parquet)",
    r"\.(?:arrow|feather)": "41 52 52 4f 57 31 (Arrow)",
    r"\.(?:h5|hdf5)": "89 48 44 46 0d 0a 1a 0a (HDF5)",
    r"\.(?:pt|pth)": "50 4b 03 04 or 80 02 8a 0a (torch)",
    r"\.safetensors": "the length of a header, and then {",
    r"\.gz": "1f 8b (gzip)",
    r"\.bz2": "42 5a 68 (bzip2)",
    r"\.xz": "fd 37 7a 58 5a 00 (xz)",
    r"\.zst": "28 b5 2f fd (zstd)",
}
# fmt: on


def open_content(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Opened:
    """The columns of a file, by how it begins. FileError where a library is missing, DataError."""
    head = stretch.pread(0, min(HEAD, stretch.size))
    format = next(
        format for format in FORMATS if format.matches(head, stretch.label) and _suits(format, dialect, stretch)
    )
    if format.is_text:
        refuse_others(head, stretch.label)
        is_binary = _is_binary(stretch)
        if dialect.dim is not None and is_binary:
            format = RAW
        elif is_binary or len(head) < BEGINNING:
            _refuse_misnamed(head, stretch)
    return format.open(stretch, closing, dialect)


def _suits(format: Format, dialect: Dialect, stretch: Bytes) -> bool:
    """A person who says what separates cells, or whether the first line names them, means a table."""
    if format.name == "word2vec":
        return dialect.dim is None and _is_binary(stretch)
    return format.name != "words" or (dialect.delimiter is None and dialect.header is None)


def _is_binary(stretch: Bytes) -> bool:
    """Whether bytes stand in it that no text has."""
    head = stretch.pread(0, min(SAMPLE, stretch.size))
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as fault:
        if fault.start < len(head) - 4:
            return True
    return re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head) is not None


def refuse_others(head: bytes, label: str) -> None:
    """DataError for a file that begins like one of another program."""
    for magic, (what, fix) in OTHERS.items():
        if re.match(magic.encode("latin-1"), head, re.DOTALL):
            raise DataError(f"{label}: is {what}", fix=fix.format(file=quoted(label), path=label))


def _refuse_misnamed(head: bytes, stretch: Bytes) -> None:
    """DataError for a file that is called like one of a binary format, and begins like none."""
    name = stretch.label.lower()
    if stretch.is_unpacked:
        name = re.sub(r"\.(?:gz|bz2|xz|zst)$", "", name)
    beginning = next((text for ending, text in NAMES.items() if re.search(ending + "$", name)), None)
    if beginning is None:
        return
    first = head[:BEGINNING].hex(" ")
    raise DataError(
        f"{stretch.label}: its first bytes are {first}, where such a file begins with {beginning}",
        why="it is damaged, cut short, or of another kind than its name says",
        fix="copy it again, or write it again",
    )


def need(library: str, extra: str, what: str) -> None:
    """FileError with the command that installs it where a library is missing."""
    try:
        importlib.import_module(library)
    except ImportError as fault:
        raise FileError(
            f"{what}, which needs {library}",
            why=f"{library} is not installed" if isinstance(fault, ModuleNotFoundError) else str(fault),
            fix=f"pip install 'lossctl[{extra}]'",
        ) from fault
