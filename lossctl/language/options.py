"""What a caller may set beside a loss's own options: one row for each setting, read by every way in.

The command line makes its options of these rows, a suite its keys and its schema, Python its keywords; they agree on
names, defaults, words and bounds because there is nowhere else to look. A new setting is a row here and a line where
its value is used. Nothing heavy is imported: help pages read this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from .domains import MINKOWSKI
from .setting import Setting, Way

COMPUTE, ROWS, COMPARE, TRIPLETS, MINE, RUN = "compute", "row_losses", "compare", "triplets", "mine", "run"
ENTRIES = {"losses": COMPUTE, "comparisons": COMPARE}  # what an entry of a suite asks, and the command that does
CALLS = (COMPUTE, ROWS, COMPARE, TRIPLETS, MINE, RUN)  # the functions of Python, of the same names
PARITY, RECONCILE = "parity", "reconcile"
LOSSES = (COMPUTE, ROWS, COMPARE)
SETS = (TRIPLETS, MINE)
ANSWERS = (COMPUTE, COMPARE, *SETS, PARITY, RECONCILE, RUN)  # commands that read inputs
SHEETS = ("list", "suggest", "doctor", "info")
FORMATS = ("bare", "table", "json", "ndjson", "tsv", "csv", "md", "latex")
DISTANCES = ("euclidean", "sqeuclidean", "cosine", "angular", "manhattan", "dot")
STRATEGIES = {
    "batch-hard": "for each anchor its farthest positive and its nearest negative",
    "semi-hard": "for each positive pair the nearest negative beyond it",
    "random-semi-hard": "for each positive pair a random negative of its semi-hard band",
    "hardest": "the --limit hardest triplets of the whole set",
    "all": "every triplet of some categories",
    "easy-positive": "for each anchor its nearest positive, and the nearest negative beyond that",
    "multi-similarity": "for each anchor the positives farther than its nearest negative less the margin, with all "
    "negatives nearer than its farthest positive and the margin",
    "distance-weighted": "for each positive pair a negative drawn so that all distances are as likely",
    "pair-margin": "for each anchor positives --farther-than one distance with all negatives --nearer-than another",
    "angular": "the triplets whose angle at the negative is wider than --angle",
    "easy-hard": "for each anchor one of its --positives and one of its --negatives: easy, semi-hard, hard, or all",
    "uniform-histogram": "pairs drawn so that all distances are as likely, --per-bin of each of --steps",
}
DRAWN = ("random-semi-hard", "distance-weighted", "uniform-histogram")  # strategies that draw, from --seed
OF_STRATEGY = {  # settings that one strategy takes
    **dict.fromkeys(("farther-than", "nearer-than"), "pair-margin"),
    "angle": "angular",
    **dict.fromkeys(("positives", "negatives"), "easy-hard"),
    **dict.fromkeys(("steps", "per-bin"), "uniform-histogram"),
    **dict.fromkeys(("per-positive", "min-distance"), "all"),
}
OF_PAIRS = ("multi-similarity", "pair-margin", "easy-hard", "uniform-histogram")  # strategies that choose pairs
WAYS = ("easy", "semi-hard", "hard", "all")
FALLING_BACK = ("semi-hard", "easy-positive")  # strategies that take a negative beyond, from --fallback where none is
CATEGORIES = ("hard", "semi-hard", "easy")
FALLBACKS = ("hardest", "easiest", "drop")
MINED_FORMATS = ("npy", "npz", "csv", "ndjson")

SHELL: tuple[Way, ...] = ("shell",)
SUITE: tuple[Way, ...] = ("suite",)
PYTHON: tuple[Way, ...] = ("python",)
PLAIN: tuple[Way, ...] = ("shell", "python")  # a suite is told once for all its entries
HELD: tuple[Way, ...] = ("shell", "suite")  # what Python does with an if

# The order is that of the help pages.
OPTIONS: tuple[Setting, ...] = (
    # --- what it is of
    Setting("name", "text", "", (COMPUTE,), SUITE, told="what the entry is called in reports; the loss unless given"),
    Setting("name", "text", "", (COMPARE,), SUITE, told="what the entry is called in reports"),
    Setting("loss", "texts", "", (COMPUTE,), SUITE, is_required=True,
            told="a loss, or several, such as focal:gamma=2"),
    Setting("inputs", "inputs", "", (COMPUTE,), SUITE, is_required=True,
            told="sources in role order, or role: source"),
    Setting("base", "source", "", (COMPARE,), SUITE, is_required=True, told="the predictions to compare with"),
    Setting("others", "sources", "", (COMPARE,), SUITE, is_required=True,
            told="the predictions of the other systems"),
    Setting("target", "source", "The truth of every row.", (COMPARE,), is_required=True, metavar="SRC", short="-y",
            aliases=("--label",), told="the source of the truth"),
    Setting("loss", "texts", "A loss, such as focal:gamma=2; repeatable.", (COMPARE,), is_required=True,
            metavar="SPEC", told="a loss, or several"),
    Setting("output", "output", "Where the triplets go (required).", (MINE,), PLAIN, metavar="FILE", short="-o",
            keyword="out"),
    Setting("emb", "source", "The embeddings, (n, D).", SETS, SHELL, metavar="SRC"),
    Setting("label", "source", "The class of each row.", SETS, SHELL, metavar="SRC", short="-y"),
    Setting("like", "text", "Choose as a library does: torch, keras/balanced, scikit-learn@1.9.", (COMPUTE, ROWS),
            metavar="LIBRARY[@V]", told="the library whose choices are taken: torch, keras/balanced, scikit-learn@1.9"),
    # --- how values are read
    Setting("from-logits", "flag", "The predictions are logits, not probabilities.", LOSSES, default=False,
            needs="logits", mark="in"),
    Setting("from-probs", "flag", "The predictions are probabilities, not logits.", LOSSES, default=False,
            needs="logits first",
            mark="in"),
    Setting("clip", "number", "Clip probabilities, given or of logits, into [EPS, 1 - EPS].", LOSSES,
            default=0.0, metavar="EPS", low=0, high=0.5, shows_bounds=True, shows_default=False,
            needs="probabilities", told="clip probabilities into [clip, 1 - clip]", mark="clip"),
    Setting("percent", "flag", "The probabilities are percents, 0 to 100.", LOSSES, default=False,
            needs="probabilities", mark="percent"),
    Setting("renormalize", "flag", "Divide each row of probabilities by its sum.", LOSSES, default=False,
            needs="sums", mark="sums"),
    Setting("clip-type", "text", "The type that rounds probabilities and the bounds of --clip.", LOSSES,
            default="float64", metavar="float64|float32|float16", words=("float64", "float32", "float16"),
            needs="probabilities", mark="clip-type"),
    Setting("clip-log", "number", "No log of a probability is below -L; 0 for no such floor.", LOSSES, default=0.0,
            metavar="L", low=0, shows_default=False, needs="probabilities", mark="clip-log"),
    Setting("squash", "text", "What scores go through before the loss.", LOSSES, default="none",
            metavar="none|sigmoid|softmax|tanh", words=("none", "sigmoid", "softmax", "tanh"), needs="scores",
            mark="squash"),
    # --- what labels mean
    Setting("classes", "names", "The classes in the order of the columns of predictions: ham,spam.", LOSSES,
            metavar="A,B,...", needs="labels", mark="labels"),
    Setting("positive", "text",
            "The label that counts as 1; every other counts as 0. Of a set, any|all: which labels positives share.",
            LOSSES, metavar="LABEL", needs="positives",
            mark="labels"),
    Setting("multi-label", "flag", "Columns of labels are several labels a row, each 0 or 1.", LOSSES,
            default=False, needs="classes", mark="labels"),
    Setting("multi-class", "flag", "Columns of labels are one class a row, with a single 1.", LOSSES, default=False,
            needs="classes", mark="labels"),
    Setting("soft", "flag", "Labels may be anything from 0 to 1: the chance that the label is 1.", LOSSES,
            default=False, needs="chances", mark="labels"),
    Setting("class-axis", "whole", "Which axis of an array holds the classes, from 0; -1 is the last.", LOSSES,
            metavar="AXIS", needs="classes", mark="axis"),
    Setting("shift", "flag", "Each step of a sequence predicts the label of the next.", LOSSES, default=False,
            needs="classes", mark="axis"),
    Setting("frame-axis", "whole", "Which axis of an array (axis, axis, symbol) holds the frames: 0 in torch, else 1.",
            LOSSES, metavar="0|1", low=0, high=1, needs="frames", mark="frames"),
    Setting("frame-lengths", "source", "How many frames each sequence of an array has; all unless given.",
            LOSSES, metavar="SRC", aliases=("--input-lengths",), needs="frames", mark="frames"),
    Setting("symbol-lengths", "source", "How many symbols each sequence has; told by the padding unless given.",
            LOSSES, metavar="SRC", aliases=("--target-lengths",), needs="frames", mark="frames"),
    Setting("train", "source", "The training values of each series, in the order of time, for its naive error.",
            (COMPUTE, ROWS), metavar="SRC", needs="history"),
    Setting("season", "whole", "How many steps back the naive forecast looks.", (COMPUTE, ROWS), default=1, metavar="M",
            low=1, shows_bounds=True, needs="history", mark="season"),
    # --- sets of embeddings
    Setting("margin", "texts", "One margin, or several in one pass. [default: 1]", (TRIPLETS,), PLAIN,
            defaults={"lossctl.triplets": 1.0}, metavar="M[,M...]"),
    Setting("margin", "number", "The margin.", (MINE,), PLAIN, default=1.0, metavar="M", low=0, shows_bounds=True),
    Setting("index", "source", "Triplets as rows (anchor, positive, negative) of EMB: their categories.", (TRIPLETS,),
            SHELL, metavar="SRC"),
    Setting("distance", "text", "The distance of two embeddings.", (*LOSSES, *SETS), default="euclidean",
            defaults={"lossctl.compute": None, "lossctl.row_losses": None},
            metavar="|".join([*DISTANCES, f"{MINKOWSKI}:P"]), words=DISTANCES, stem=MINKOWSKI,
            needs="distance", mark="dist"),
    Setting("normalize", "flag", "Put the embeddings on the unit sphere first.", (*LOSSES, *SETS), default=False,
            needs="space", mark="norm"),
    Setting("ref", "source", "The set that positives and negatives come from; rows of EMB are anchors only.",
            (COMPUTE, ROWS, *SETS), metavar="SRC", needs="space", mark="ref"),
    Setting("ref-label", "source", "The class of each row of --ref, where it is in a file of its own.",
            (COMPUTE, ROWS, *SETS), metavar="SRC", needs="space", mark="ref"),
    Setting("exclude-same", "sources",
            "Rows that agree in this column are no pair: same camera, same document; repeatable, in all of them.",
            (*LOSSES, *SETS), metavar="SRC", needs="space", mark="apart"),
    Setting("ref-exclude-same", "sources", "The same column of --ref, if it is not called alike.",
            (COMPUTE, ROWS, *SETS), metavar="SRC", needs="space", mark="apart"),
    Setting("coarse-label", "source",
            "The coarse class of each row, for --coarse-negatives; `triplets` tells near and far ones apart.",
            (*LOSSES, *SETS), metavar="SRC", needs="space", mark="coarse"),
    Setting("ref-coarse-label", "source", "The same of each row of --ref, if it is not called alike.",
            (COMPUTE, ROWS, *SETS), metavar="SRC", needs="space", mark="coarse"),
    Setting("coarse-negatives", "text", "Negatives: only those of the anchor's coarse class, or only those of others.",
            (*LOSSES, *SETS), metavar="near|far", words=("near", "far"), needs="space", mark="coarse"),
    Setting("noise-label", "text", "The label that is no class, such as -1.", (*LOSSES, *SETS), metavar="LABEL",
            needs="space", mark="noise"),
    Setting("noise", "text", "Rows of --noise-label: left out, or negatives only.", (*LOSSES, *SETS),
            default="out", metavar="out|negatives", words=("out", "negatives"), needs="space",
            mark="noise"),
    Setting("positive", "text", "Rows with several labels are positives if they share any, or all.", SETS,
            metavar="any|all", words=("any", "all")),
    Setting("lone", "text", "Anchors alone in their class: left out, as 0, with d_ap = 0, or by negatives.", LOSSES,
            default="drop", metavar="drop|zero|self|negatives", words=("drop", "zero", "self", "negatives"),
            needs="anchors", mark="lone"),
    Setting("category", "text", "For `all`: these only, with commas between. [default: hard,semi-hard]", (MINE,),
            PLAIN, metavar="hard|semi-hard|easy", shows_default=False),
    Setting("fallback", "text", "For `semi-hard` [easiest], `easy-positive` [drop]: the negative where none is beyond.",
            (MINE,), PLAIN, metavar="hardest|easiest|drop", shows_default=False),
    Setting("farther-than", "number", "For `pair-margin`: positives farther than this.", (MINE,), PLAIN, default=0.2,
            metavar="D", low=0, shows_bounds=True),
    Setting("nearer-than", "number", "For `pair-margin`: negatives nearer than this.", (MINE,), PLAIN, default=0.8,
            metavar="D", low=0, shows_bounds=True),
    Setting("angle", "number", "For `angular`: wider than this, in degrees.", (MINE,), PLAIN, default=20.0,
            metavar="DEGREES", low=0, high=89, shows_bounds=True),
    Setting("positives", "text", "For `easy-hard`: which positives; the nearest is easy.", (MINE,), PLAIN,
            default="easy", metavar="|".join(WAYS), words=WAYS),
    Setting("negatives", "text", "For `easy-hard`: which negatives; the nearest is hard.", (MINE,), PLAIN,
            default="semi-hard", metavar="|".join(WAYS), words=WAYS),
    Setting("steps", "whole", "For `uniform-histogram`: steps of distance.", (MINE,), PLAIN, default=100, metavar="N",
            low=1, shows_bounds=True),
    Setting("per-bin", "whole", "For `uniform-histogram`: pairs of each step and kind.", (MINE,), PLAIN, default=10,
            metavar="K", low=1, shows_bounds=True),
    Setting("as-pairs", "flag", "The pairs that a miner of pairs takes: a1, p, a2, n (NPZ, CSV, NDJSON).", (MINE,),
            PLAIN, default=False),
    Setting("limit", "whole", "At most so many triplets.", (MINE,), PLAIN, metavar="N", low=1, shows_bounds=True),
    Setting("per-anchor", "whole", "At most so many of each anchor, its hardest.", (MINE,), PLAIN, metavar="K", low=1,
            shows_bounds=True),
    Setting("per-positive", "whole", "For `all`: at most so many of each positive pair, its nearest negatives.",
            (MINE,), PLAIN, metavar="K", low=1, shows_bounds=True),
    Setting("min-distance", "number", "For `all`: skip negatives nearer than this, which may be mislabelled.", (MINE,),
            PLAIN, metavar="D", low=0, shows_bounds=True),
    Setting("sample", "whole", "So many triplets of all that were chosen, drawn from --seed.", (MINE,), PLAIN,
            metavar="K", low=1, shows_bounds=True),
    Setting("by", "text", "Also by class of the anchor.", (TRIPLETS,), SHELL, metavar="class", words=("class",)),
    Setting("by-class", "flag", "Also by class of the anchor.", (TRIPLETS,), PYTHON, default=False),
    Setting("pairs", "whole", "Also the K class pairs with the most hard triplets.", (TRIPLETS,), PLAIN, default=0,
            metavar="K", low=0, shows_bounds=True, shows_default=False),
    Setting("batch", "text", "Also what training sees: batches of P classes with K rows each.", (TRIPLETS,), PLAIN,
            metavar="P,K"),
    Setting("explain", "flag", "Also what the numbers mean for training, in three sentences.", (TRIPLETS,), SHELL,
            default=False),
    Setting("batches", "whole", "How many batches.", (TRIPLETS,), PLAIN, default=100, metavar="B", low=1,
            shows_bounds=True),
    Setting("anchors", "whole", "Estimate the shares from so many sampled anchors, each against everyone.", (TRIPLETS,),
            PLAIN, metavar="N", low=2, shows_bounds=True),
    Setting("ci", "level", "Intervals of the shares: about new points, or with --anchors about the set.", (TRIPLETS,),
            PLAIN, metavar="LEVEL", low=0),
    Setting("seed", "whole", "Of the batches, of --anchors and of --ci.", (TRIPLETS,), PLAIN, default=0, metavar="N",
            low=0, shows_bounds=True),
    Setting("seed", "whole", "Of what is random.", (MINE,), PLAIN, default=0, metavar="N", low=0, shows_bounds=True),
    Setting("id", "source", "Write these ids instead of row numbers (CSV, NDJSON).", (MINE,), PLAIN, metavar="SRC"),
    Setting("index", "source", "Triplets as rows (anchor, positive, negative) of one embedding source.", (COMPUTE,),
            SHELL, metavar="SRC", needs="triplets"),
    Setting("distances", "source", "The distance of each pair, instead of its embeddings.", (COMPUTE,), SHELL,
            metavar="SRC", needs="pairs"),
    # --- how rows become a number
    Setting("reduction", "text", "How rows become one number.", (COMPUTE,),
            words=("mean", "sum", "positives", "mean-active", "overall", "mean-elements", "sum-elements"),
            short="-r", mark="red"),
    Setting("reduction", "text", "How rows become one number; their mean unless given.", (COMPARE,),
            metavar="mean|sum", words=("mean", "sum"), short="-r", told="how rows become one number", mark="red"),
    Setting("weight", "source", "A weight for each row; the mean divides by the sum of the weights.", (COMPUTE, ROWS),
            metavar="SRC", short="-w", needs="weights", told="the source of row weights", mark="w"),
    Setting("weight", "source", "A weight for each row.", (COMPARE,), metavar="SRC", short="-w",
            needs="weights", told="the source of row weights", mark="w"),
    Setting("weight-norm", "text", "What a weighted mean divides by: the sum of the weights, or n.", LOSSES,
            default="sum", metavar="sum|n", words=("sum", "n"), needs="weighted mean", mark="w"),
    Setting("scale", "number", "Multiply every loss by this, such as 0.5 or 100.", LOSSES, default=1.0,
            metavar="FACTOR", low=1e-300, high=1e300, needs="mean", mark="scale"),
    Setting("group", "source", "Also within each group of rows; of ranking losses, the lists.", (COMPARE,),
            metavar="SRC", short="-g", told="the source of groups to compare in; of the lists for ranking losses"),
    # --- how files are read
    Setting("format", "text", "Told by the name of the file unless given.", (MINE,), PLAIN,
            metavar="npy|npz|csv|ndjson", short="-f"),
    Setting("na", "text", "What to do with rows that hold nan or NA.", (COMPUTE, ROWS, *SETS), default="error",
            metavar="error|skip", words=("error", "skip"), mark="na"),
    Setting("na", "text", "Rows that hold nan or NA in any source.", (COMPARE,), default="error",
            metavar="error|skip", words=("error", "skip"), told="what to do with rows that hold nan or NA",
            mark="na"),
    Setting("skip-nan", "flag", "Short for na=\"skip\".", (*LOSSES, *SETS), PYTHON, default=False),
    Setting("header", "text", "Whether the first row of a CSV names its columns.", (*LOSSES, *SETS), default="auto",
            metavar="auto|yes|no", words=("auto", "yes", "no")),
    Setting("header", "text", "Whether a CSV names its columns.", ("info", "suggest"), SHELL, default="auto",
            metavar="auto|yes|no", words=("auto", "yes", "no")),
    Setting("delimiter", "text", "What separates the cells of a CSV.", (*LOSSES, *SETS, "info", "suggest"),
            metavar="CHAR"),
    Setting("decimal", "text", "The decimal point of a CSV.", (*LOSSES, *SETS, "info", "suggest"), default=".",
            metavar=".|,", words=(".", ",")),
    Setting("thousands", "text", "What groups the digits of a CSV by three, such as , or a blank.",
            (*LOSSES, *SETS, "info", "suggest"), metavar="CHAR"),
    Setting("dim", "whole", "The columns of a file of raw float32.", (*LOSSES, *SETS, "info", "suggest"), metavar="D",
            low=1),
    Setting("first", "whole", "Look at the first N rows alone.", ("info",), SHELL, metavar="N", low=1,
            shows_bounds=True),
    # --- curve, bench, list, run
    Setting("sweep", "texts", "One curve for each value of an option; repeatable, for all their pairs.", ("curve",),
            SHELL, metavar="OPTION=A,B,..."),
    Setting("x", "text", "The range, the variable, or both: -3..3, x_t, x_t=-3..3; space: the regions of triplets.",
            ("curve",), SHELL, metavar="LOW..HIGH|NAME"),
    Setting("at", "text", "What stays as it is along the curve, such as d_ap=0.5.", ("curve",), SHELL,
            metavar="NAME=VALUE,..."),
    Setting("points", "whole", "How many points a curve has.", ("curve",), SHELL, metavar="N", short="-n", low=2,
            high=100_001, shows_bounds=True),
    Setting("grad", "flag", "The slope too.", ("curve",), SHELL, default=False),
    Setting("log", "text", "The axes with a scale of logarithms.", ("curve",), SHELL, metavar="x|y|xy",
            words=("x", "y", "xy")),
    Setting("format", "text", "A text plot, or the points as a table.", ("curve",), SHELL,
            metavar="plot|tsv|csv|md|latex|json", short="-f"),
    Setting("device", "text", "cpu, cuda, cuda:1; auto says what it chose.", ("bench",), SHELL, default="auto",
            metavar="D[,D...]"),
    Setting("n", "text", "Points: 4096, 16k, 1M.", ("bench",), SHELL, default="1k,4k", metavar="N[,N...]"),
    Setting("dim", "text", "Columns.", ("bench",), SHELL, default="128", metavar="D[,D...]"),
    Setting("k", "text", "Points in a class.", ("bench",), SHELL, default="4", metavar="K[,K...]"),
    Setting("dtype", "text", "float64, float32, tf32x3, tf32, bf16.", ("bench",), SHELL, default="float32",
            metavar="T[,T...]"),
    Setting("impl", "text", "naive, panel, triton; all that run unless given.", ("bench",), SHELL,
            metavar="I[,I...]"),
    Setting("peers", "flag", "Other libraries too, where they are installed.", ("bench",), SHELL, default=False),
    Setting("min-time", "number", "Sample each case for so many seconds.", ("bench",), SHELL, default=0.5,
            metavar="S"),
    Setting("time-limit", "number", "Give a case up after so many seconds.", ("bench",), SHELL, default=60.0,
            metavar="S"),
    Setting("total-limit", "number", "Begin no case after so many seconds.", ("bench",), SHELL, default=540.0,
            metavar="S"),
    Setting("jobs", "whole", "Use N cores, all libraries alike.", ("bench",), SHELL, metavar="N", short="-j", low=1,
            shows_bounds=True),
    Setting("save", "output", "Keep all samples (.json, .csv, .md); written after each case.", ("bench",), SHELL,
            metavar="FILE"),
    Setting("baseline", "file", "Compare with what --save kept.", ("bench",), SHELL, metavar="FILE.json"),
    Setting("fail-slower", "text", "Exit 1 if a case is slower than the baseline by this.", ("bench",), SHELL,
            metavar="10%"),
    Setting("plot", "output", "Time against N (.png, .svg, .pdf).", ("bench",), SHELL, metavar="FILE"),
    Setting("list", "flag", "List kernels and implementations, run nothing.", ("bench",), SHELL, default=False),
    Setting("family", "text", "One family only.", ("list",), SHELL, metavar="NAME"),
    Setting("search", "text", "Those whose name (here or in a library), use or formula holds each of these words.",
            ("list",), SHELL, metavar="WORDS"),
    Setting("like", "text", "The losses of a library: their names there and here, or why there is none.", ("list",),
            SHELL, metavar="LIBRARY"),
    Setting("names", "flag", "The names alone, a line each.", ("list",), SHELL, default=False),
    Setting("only", "texts", "Only entries whose name holds this text; repeatable.", (RUN,), PLAIN,
            defaults={"lossctl.run": ()}, metavar="TEXT"),
    Setting("schema", "flag", "Print the JSON schema of suites.", (RUN,), SHELL, default=False),
    Setting("report", "outputs", "Write a report too; .html, .xml (JUnit), .json, .csv ...; repeatable.", (RUN,),
            SHELL, metavar="FILE"),
    Setting("format", "text", "Output format.", (RUN,), SHELL,
            metavar="table|json|ndjson|tsv|csv|md|latex|junit|html", short="-f"),
    # --- reconcile
    Setting("value", "text", "The number that you have, with all its digits.", (RECONCILE,), SHELL, is_required=True,
            metavar="V"),
    Setting("value2", "text", "A second number, of the same program: for other data, or of another loss; it narrows "
            "the choice.", (RECONCILE,), SHELL, metavar="V"),
    Setting("src2", "texts", "The sources of that other data, in the same order; repeatable.", (RECONCILE,), SHELL,
            metavar="SRC"),
    Setting("also", "text", "That other loss of the same inputs, such as bce or focal:gamma=2.", (RECONCILE,), SHELL,
            metavar="SPEC"),
    Setting("solve", "flag", "Solve for one number at a time too.", (RECONCILE,), SHELL, default=False),
    Setting("most", "whole", "At most so many answers.", (RECONCILE,), SHELL, default=5, metavar="N", low=1,
            shows_bounds=True),
    # --- where results go
    Setting("format", "text", "Output format.", (COMPUTE, TRIPLETS, COMPARE, "bench"), SHELL,
            metavar="|".join(FORMATS), short="-f"),
    Setting("format", "text", "Output format.", (PARITY,), SHELL, metavar="|".join(FORMATS[1:]), short="-f"),
    Setting("format", "text", "Text, or json.", (RECONCILE,), SHELL, metavar="text|json", short="-f"),
    Setting("format", "text", "Output format.", SHEETS, SHELL, metavar="table|json|tsv|csv|md|latex", short="-f"),
    Setting("json", "flag", "Short for -f json.",
            (COMPUTE, TRIPLETS, COMPARE, PARITY, RECONCILE, RUN, "bench", "curve", "explain", *SHEETS), SHELL,
            default=False),
    Setting("bare", "flag", "The number alone (what is printed anyway).", (COMPUTE,), SHELL, default=False, short="-b"),
    Setting("bare", "flag", "easy TAB semi-hard TAB hard, a line for each margin.", (TRIPLETS,), SHELL, default=False,
            short="-b"),
    Setting("output", "output", "Write a figure or a table: .png .svg .pdf .csv .tsv .json .txt.", ("curve",), SHELL,
            metavar="FILE", short="-o"),
    Setting("output", "output", "Write the result to FILE, whole or not at all.",
            (COMPUTE, TRIPLETS, COMPARE, PARITY, RECONCILE, RUN, "bench", "explain", "schema", *SHEETS), SHELL,
            metavar="FILE", short="-o"),
    Setting("metrics", "output", "Also write the numbers by name, as JSON that experiment trackers read.",
            (COMPUTE, TRIPLETS, COMPARE, RUN), SHELL, metavar="FILE.json"),
    Setting("summary", "output", "Also append the results to FILE as Markdown, as for GITHUB_STEP_SUMMARY.",
            (COMPUTE, TRIPLETS, COMPARE, RUN), SHELL, metavar="FILE.md"),
    Setting("plot", "output", "Also draw it: FILE.png, .svg or .pdf.", (COMPUTE, TRIPLETS), SHELL, metavar="FILE",
            needs="rows"),
    Setting("digits", "whole", "Round to N significant digits (full precision unless asked).",
            (COMPUTE, COMPARE, PARITY, RUN), SHELL, metavar="N", short="-p", low=1, high=17, shows_bounds=True),
    Setting("signature", "flag",
            "Print the signature after the value: every choice that changes it, and a hash of the data.", (COMPUTE,),
            SHELL, default=False),
    Setting("signature", "flag", "Hash the data into the signatures (reads it again).", (RUN,), SHELL, default=False),
    Setting("data-hash", "flag", "Put a hash of the values read into the signature (reads them once more).",
            (COMPUTE, COMPARE, RUN), PYTHON, default=False),
    # --- where it is computed
    Setting("device", "text", "Where the distances are computed.", (COMPUTE, COMPARE, *SETS), default="cpu",
            metavar="cpu|cuda|cuda:1|auto", needs="space", mark="be"),
    Setting("on", "text", "Run it in parts; ray and dask alone start workers on this machine.",
            (*LOSSES, *SETS, RUN), PLAIN, metavar="ray|dask|ray://HOST:PORT", keyword="executor",
            demands="parts"),
    Setting("jobs", "whole", "Threads (all cores unless given).", CALLS, PLAIN, metavar="N", short="-j", low=1,
            shows_bounds=True),
    Setting("memory", "text", "Memory its rows may take (what is free unless given).", CALLS, PLAIN, metavar="SIZE"),
    # --- what is asked beside the number
    Setting("max", "number", "Exit with 1 unless every value is <= X.", (COMPUTE,), HELD, metavar="X",
            told="the entry fails unless every value is at most this"),
    Setting("min", "number", "Exit with 1 unless every value is >= X.", (COMPUTE,), HELD, metavar="X",
            told="the entry fails unless every value is at least this"),
    Setting("max-increase", "text", "Exit with 1 if a value is more than F% above the baseline.", (COMPUTE,), HELD,
            metavar="F%", told="the entry fails if a value is more than this above the baseline, such as 5%"),
    Setting("baseline", "file", "A result saved with --json, for --max-increase.", (COMPUTE,), HELD, metavar="FILE",
            told="the saved JSON of an earlier run, for max-increase"),
    Setting("max-high", "number", "Exit with 1 unless every interval ends at or below X.", (COMPUTE,), HELD,
            metavar="X", told="the entry fails unless every interval ends at or below this"),
    Setting("min-low", "number", "Exit with 1 unless every interval starts at or above X.", (COMPUTE,), HELD,
            metavar="X", told="the entry fails unless every interval starts at or above this"),
    Setting("strict", "flag", "Exit with 1 if other rows, groups, weights or choices than the baseline's.", (COMPUTE,),
            HELD, default=False, told="the entry fails if it is of other rows, groups or choices than the baseline"),
    Setting("per-row", "flag", "A line for each row: its number, identifier, group, loss.", (COMPUTE,), SHELL,
            default=False, demands="values"),
    Setting("top", "whole", "The K hardest rows, with their inputs.", (COMPUTE,), SHELL, metavar="K", low=1,
            shows_bounds=True, demands="values"),
    Setting("keep", "text", "The mean over the K (or P percent) hardest rows; with -g, those of each group.",
            (COMPUTE,), metavar="K|P%", demands="values", told="only the hardest rows: 100, or 10%", mark="keep"),
    Setting("id", "source", "What each row is called, for --per-row and --top.", (COMPUTE,), SHELL, metavar="SRC",
            demands="values"),
    Setting("group", "source", "A value for each group, with their mean; a file or a column.", (COMPUTE,),
            metavar="SRC", short="-g", needs="groups",
            told="the source of groups; of the lists for ranking losses"),
    Setting("by", "bins", "Groups by K bins of equal width of a numeric column.", (COMPUTE,), metavar="bins:SRC:K",
            told="groups by bins of a numeric column, bins:SRC:K"),
    Setting("also", "texts", "Another loss of the same inputs, such as focal:gamma=2; repeatable.", (COMPUTE,), SHELL,
            metavar="SPEC"),
    Setting("ci", "level", "A confidence interval, such as 0.95 or 95%.", (COMPUTE,), metavar="LEVEL", low=0,
            told="the level of a bootstrap interval, such as 0.95"),
    Setting("ci", "level", "The level of the intervals, such as 0.95 or 95%; p < 1 - LEVEL decides.", (COMPARE,),
            default=0.95, metavar="LEVEL", low=0, told="the level of a bootstrap interval, such as 0.95"),
    Setting("ci-method", "text", "How the interval is read.", (COMPUTE, COMPARE), default="bca",
            metavar="bca|percentile", words=("bca", "percentile"), needs="resamples"),
    Setting("resamples", "whole", "How many resamples make the interval.", (COMPUTE, COMPARE), default=1000,
            defaults={COMPARE: 10_000}, metavar="N", low=2, high=10_000_000, needs="resamples"),
    Setting("cluster", "source", "Resample these groups of rows, not single rows.", (COMPUTE, COMPARE), metavar="SRC",
            told="the source of the groups of rows that are resampled whole"),
    Setting("seed", "whole", "Which resamples.", (COMPUTE, COMPARE), default=0, defaults={"lossctl.compute": None},
            metavar="N", low=0, needs="draws"),
    # --- which is better
    Setting("test", "text", "How p is found: swap systems, or resample rows.", (COMPARE,), default="sign-flip",
            metavar="sign-flip|bootstrap", words=("sign-flip", "bootstrap"), told="how p is found",
            needs="resamples"),
    Setting("margin-of-harm", "text", "Also test that a system is not worse by M (or M% of the base), and within it.",
            (COMPARE,), metavar="M|M%", told="how much worse is no harm, a number or a percentage of the base"),
    Setting("seed-of", "source", "Rows are of several seeds or folds: these vary, with --cluster rows too.",
            (COMPARE,), metavar="SRC", needs="resamples",
            told="the source of the seed (or fold) of each row: seeds vary, with cluster rows too"),
    Setting("beside", "texts", "Also effect, detectable, t, wilcoxon; repeatable.", (COMPARE,),
            defaults={"lossctl.compare": ()}, metavar="WORD", words=("effect", "detectable", "t", "wilcoxon"),
            told="what to report beside the test: effect, detectable, t, wilcoxon"),
    Setting("holm", "text", "Over what Holm corrects: the comparisons by one loss, or all.", (COMPARE,), default="loss",
            metavar="loss|all", words=("loss", "all"), told="over what Holm corrects: loss, or all"),
    Setting("align", "text", "Match rows by this column of every file, not by place.", (COMPUTE, COMPARE),
            metavar="id::COL", told="match rows by this column of every file", mark="align"),
    Setting("fail-if", "text", "Exit with 1 if a system is worse than the base, or harm is not excluded.", (COMPARE,),
            HELD, metavar="worse|harm", words=("worse", "harm"),
            told="the entry fails if a system is worse than the base, or if harm is not excluded"),
    # --- what is said
    Setting("quiet", "flag", "No notes and no warnings on stderr.", (*ANSWERS, "bench"), SHELL, default=False,
            short="-q"),
    Setting("verbose", "flag", "Say on stderr what was read and how, also in a pipe.",
            (*ANSWERS, "bench"), SHELL, default=False, short="-v"),
    Setting("color", "text", "Colour; auto obeys NO_COLOR and TERM=dumb.",
            (*ANSWERS, "bench", "curve", "explain", *SHEETS), SHELL, default="auto",
            metavar="auto|always|never", words=("auto", "always", "never")),
)  # fmt: skip


# Words of losses that settings have too. Where a setting suits a loss, the loss has no option of that name.
SHARED = {
    "base": "what is compared with: of a suite's comparison; of a loss, the base of its logs or similarities",
    "distance": "the distance of two embeddings: of losses of sets a setting, since signatures and `--ref` ask for it; "
    "of pairs and triplets an option",
    "fallback": "the negative of `semi-hard` where none lies beyond: of `mine` and of the loss alike",
    "margin": "how much farther a negative has to be: of `triplets` and `mine`, and of each loss that has one",
    "normalize": "points on the unit sphere: of losses of sets a setting, since signatures ask; of pairs an option",
    "seed": "which draws: of batches, mined triplets and resamples; of a loss that draws, of it and its resamples",
    "soft": "a loss without a bend at its margin; a setting where labels are chances, and such losses have no margin",
}


def level_of(text: str) -> float | None:
    """The level in "95%" or "0.95"; None where it is none."""
    number, share = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        return float(number) / 100 if share else float(number)
    except ValueError:
        return None


@cache
def settings(command: str, way: Way) -> dict[str, Setting]:
    """What a command takes, by `Setting.key`, in the order of help pages; an entry of a suite by its command."""
    return {row.key: row for row in OPTIONS if command in row.commands and way in row.ways}


@cache
def setting(name: str, command: str) -> Setting:
    """The row of a name (`ci-method` or `ci_method`) for a command, from whichever way."""
    return next(row for row in OPTIONS if row.key == name.replace("-", "_") and command in row.commands)


@cache
def defaults(command: str, way: Way) -> Mapping[str, Any]:
    """`Setting.key` -> what it is unless set."""
    return MappingProxyType({key: row.default_of(command, way) for key, row in settings(command, way).items()})


@cache
def arguments(command: str) -> Mapping[str, str]:
    """Keyword in Python -> `Setting.key`."""
    return MappingProxyType({row.argument: key for key, row in settings(command, "python").items()})


def inputs_of(command: str, way: Way, values: Mapping[str, Any]) -> list[str]:
    """The files among the values that are read, which no output may overwrite."""
    read = ((row, values.get(key)) for key, row in settings(command, way).items() if row.is_read)
    return [text for row, value in read if value is not None for text in _sources_of(row, value)]


def _sources_of(row: Setting, value: Any) -> Iterator[str]:
    if row.kind == "bins":
        yield str(value).partition(":")[2].rpartition(":")[0]
    elif isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from value
    else:
        yield value
