"""The schema of every JSON that is printed, as JSON Schema (2020-12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .document import SCHEMA

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
MAYBE_COUNT: Schema = {"type": ["integer", "null"]}


def _object(needed: Mapping[str, Schema], more: Mapping[str, Schema] | None = None, *, is_open: bool = False) -> Schema:
    """An object with these properties, and perhaps those of `more`; is_open: others may come beside."""
    shape: Schema = {"type": "object", "properties": {**needed, **(more or {})}, "required": list(needed)}
    return shape if is_open else {**shape, "additionalProperties": False}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _table(value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": value}


def _or_null(shape: Schema) -> Schema:
    return {"anyOf": [shape, {"type": "null"}]}


def _one_of(*words: str) -> Schema:
    return {"enum": list(words)}


INTERVAL = _object(
    {
        "level": NUMBER, "method": TEXT, "low": MAYBE_NUMBER, "high": MAYBE_NUMBER, "standard_error": MAYBE_NUMBER,
        "resamples": COUNT, "seed": COUNT, "unit": TEXT, "units": COUNT,
    }
)  # fmt: skip
GATE = _object(
    {
        "passed": FLAG,
        "bounds": _list(_object({"kind": TEXT, "limit": MAYBE_NUMBER, "text": TEXT, "passed": FLAG})),
    }
)
RESULT_NEEDS = {
    "loss": TEXT, "params": _table(ANY), "reduction": TEXT, "source": _table(TEXT), "group": MAYBE_TEXT,
    "value": MAYBE_NUMBER, "value_text": TEXT, "n": COUNT, "ci": _or_null(INTERVAL),
    "status": _one_of("ok", "failed", "inf", "nan"), "gate": _or_null(GATE), "signature": TEXT,
}  # fmt: skip
RESULT_HAS = {"average": _one_of("micro", "macro"), "keep": TEXT, "counts": _table({"type": "integer"})}
SIDE = _object({"name": TEXT, "value": MAYBE_NUMBER})
HARM = _object(
    {
        "text": TEXT, "size": MAYBE_NUMBER, "p_non_inferior": MAYBE_NUMBER, "p_equivalent": MAYBE_NUMBER,
        "non_inferior_adjusted": MAYBE_NUMBER, "equivalent_adjusted": MAYBE_NUMBER,
        "verdict": _one_of("equivalent", "non-inferior", "not shown", "unknown"),
    }
)  # fmt: skip
COMPARISON_HAS = {"harm": HARM, "beside": _table(MAYBE_NUMBER)}
COMPARISON_NEEDS = {
    "loss": TEXT, "params": _table(ANY), "reduction": TEXT, "group": MAYBE_TEXT, "base": SIDE, "other": SIDE,
    "value": MAYBE_NUMBER,
    "value_text": TEXT, "n": COUNT, "ci": INTERVAL, "test": TEXT, "p": MAYBE_NUMBER, "p_adjusted": MAYBE_NUMBER,
    "holm": _one_of("loss", "all"),
    "rows": _object({"better": MAYBE_COUNT, "equal": MAYBE_COUNT, "worse": MAYBE_COUNT}),
    "verdict": _one_of("better", "worse", "no difference shown", "different", "unknown"), "signature": TEXT,
}  # fmt: skip
ENTRY = _object(
    {
        "name": TEXT, "kind": _one_of("losses", "comparisons"), "status": _one_of("passed", "failed", "error"),
        "reasons": _list(TEXT), "seconds": NUMBER,
    }
)  # fmt: skip
CATEGORIES = {
    "triplets": COUNT, "easy": COUNT, "semi_hard": COUNT, "hard": COUNT,
    "shares": _object({"easy": MAYBE_NUMBER, "semi_hard": MAYBE_NUMBER, "hard": MAYBE_NUMBER}),
    "ties": _object({"hard": COUNT, "margin": COUNT}),
}  # fmt: skip
MARGIN = _object(
    {"margin": NUMBER, **CATEGORIES},
    {
        "batch_all": _object({"mean_active": MAYBE_NUMBER, "mean": MAYBE_NUMBER, "sum": NUMBER, "active": COUNT}),
        "batch_hard": MAYBE_NUMBER, "undecided": COUNT, "active_anchors": COUNT, "loss": MAYBE_NUMBER, "active": COUNT,
        "loss_active": MAYBE_NUMBER, "in_order": MAYBE_NUMBER,
        "intervals": _object(
            dict.fromkeys(("easy", "semi_hard", "hard"), _object({"low": MAYBE_NUMBER, "high": MAYBE_NUMBER}))
        ),
    },
)  # fmt: skip
DISTANCES = _object(
    {"pairs": COUNT, "smallest": MAYBE_NUMBER, "mean": MAYBE_NUMBER, "largest": MAYBE_NUMBER, "counts": _list(COUNT)}
)
LOSS = _object(
    {"name": TEXT, "about": _table(TEXT)},
    {
        "aliases": _list(TEXT), "family": TEXT, "computable": FLAG, "facts": _list(TEXT), "curve": MAYBE_TEXT,
        "elsewhere": _table(_list(TEXT)),
        "inputs": _list(_object({"name": TEXT, "meaning": TEXT, "forms": _list(TEXT)})),
        "options": _list(_object({"name": TEXT, "default": ANY, "allowed": TEXT, "meaning": TEXT})),
        "worked": _list(_object({"name": TEXT, "formula": TEXT, "value": NUMBER})),
        "libraries": _or_null(
            _object(
                {
                    "input": TEXT,
                    "rules": _list(
                        _object(
                            {
                                "rule": TEXT, "who": TEXT, "value": MAYBE_NUMBER, "command": MAYBE_TEXT,
                                "missing": MAYBE_TEXT,
                            }
                        )
                    ),
                }
            )
        ),
    },
)  # fmt: skip
COLUMN = _object(
    {
        "file": TEXT, "what": TEXT, "type": TEXT, "rows": COUNT, "columns": COUNT, "min": MAYBE_NUMBER,
        "mean": MAYBE_NUMBER, "max": MAYBE_NUMBER, "nan": COUNT, "inf": COUNT, "values": TEXT,
    },
    {
        "vectors": _object({"shortest": NUMBER, "longest": NUMBER, "duplicates": MAYBE_COUNT, "constant": COUNT}),
        "first_of": MAYBE_COUNT,
    },
)  # fmt: skip
ROW = _object(
    {"rank": COUNT, "row": COUNT, "loss": MAYBE_NUMBER, "weight": MAYBE_NUMBER, "inputs": _table(ANY)}, is_open=True
)
CURVE = _object(
    {"label": TEXT, "loss": TEXT, "values": _list(ANY)},
    {"case": MAYBE_TEXT, "slopes": _list(MAYBE_NUMBER), "boundary": MAYBE_NUMBER, "slopes_s_n": _list(ANY),
     "slopes_s_p": _list(ANY), "margin": NUMBER,
     "regions": _list(_list(_one_of("easy", "semi-hard", "hard", "")))},
)  # fmt: skip
TIMING = _object(
    {
        "kernel": TEXT, "implementation": TEXT, "device": TEXT, "n": COUNT, "dim": COUNT, "k": COUNT, "dtype": TEXT,
        "status": TEXT, "seconds": _list(NUMBER),
    },
    is_open=True,
)  # fmt: skip

LIBRARY_VALUE = _object(
    {
        "library": TEXT, "value": MAYBE_NUMBER, "value_text": TEXT, "status": _one_of("ok", "inf", "nan", "error"),
        "agrees": _one_of("exact", "float32"), "proof": _one_of("run", "source"), "what": TEXT, "options": TEXT,
        "fault": MAYBE_TEXT,
    }
)  # fmt: skip
FIT = _object(
    {
        "loss": TEXT, "options": TEXT, "value": MAYBE_NUMBER, "value_text": TEXT, "changed": COUNT,
        "libraries": _list(TEXT), "twins": _list(TEXT), "solved": MAYBE_TEXT, "near": FLAG, "what": MAYBE_TEXT,
        "beside": MAYBE_TEXT,
    }
)  # fmt: skip

# command -> (what a result is, what the document says beside)
COMMANDS: dict[str, tuple[Schema, Mapping[str, Schema]]] = {
    "compute": (_object(RESULT_NEEDS, RESULT_HAS), {}),
    "compute --top": (ROW, {"loss": TEXT, "source": _table(TEXT), "n": COUNT}),
    "compare": (_object(COMPARISON_NEEDS, COMPARISON_HAS), {}),
    "run": (
        _object({"entry": TEXT, **RESULT_NEEDS}, RESULT_HAS),
        {
            "title": TEXT, "suite": TEXT, "entries": _list(ENTRY),
            "comparisons": _list(_object({"entry": TEXT, **COMPARISON_NEEDS}, is_open=True)),
        },
    ),
    "parity": (LIBRARY_VALUE, {"loss": TEXT}),
    "reconcile": (
        FIT,
        {
            "value": NUMBER, "value_text": TEXT, "digits": COUNT, "tried": COUNT, "by_chance": NUMBER,
            "solved": _list(FIT), "defaults": _list(FIT),
        },
    ),
    "triplets": (MARGIN, {"metric": TEXT, "normalize": FLAG, "certified": FLAG}),
    "bench": (TIMING, {"environment": _table(TEXT)}),
    "curve": (CURVE, {"unit": TEXT}),
    "list": (LOSS, {}),
    "explain": (LOSS, {}),
    "suggest": (_object(dict.fromkeys(("loss", "family", "inputs", "command", "summary"), TEXT)), {}),
    "info": (COLUMN, {}),
    "doctor": (_object({"what": TEXT, "value": TEXT, "status": TEXT}), {}),
}  # fmt: skip
TRIPLETS_OF_A_SET = {
    "source": _table(TEXT), "signature": TEXT, "undecided": COUNT, "why": MAYBE_TEXT,
    "anchors": _object(dict.fromkeys(("points", "used", "without_positive", "without_negative", "references"), COUNT)),
    "retrieval": _object(dict.fromkeys(("precision_at_1", "r_precision", "map_at_r"), MAYBE_NUMBER)),
    "distances": _object({"edges": _list(NUMBER), "positive": DISTANCES, "negative": DISTANCES}),
    "classes": _list(_object({"class": ANY, "points": COUNT, "categories": _list(_object(CATEGORIES))})),
    "coarse": _list(_object({"negatives": _one_of("same", "other"), "categories": _list(_object(CATEGORIES))})),
    "pairs": _list(_object({"anchor": ANY, "negative": ANY, "hard": COUNT, "share": MAYBE_NUMBER})),
    "batches": _or_null({"type": "object"}), "diagnosis": {"type": "object"}, "explanation": _list(TEXT),
    "sample": _or_null(_object({"anchors": COUNT, "of": COUNT, "seed": COUNT})),
    "confidence": _or_null(
        _object({"level": NUMBER, "method": TEXT, "unit": _one_of("points", "anchors"), "units": COUNT, "seed": COUNT})
    ),
}  # fmt: skip
CURVE_OF = {
    "variable": _object({"name": TEXT, "meaning": TEXT, "fixed": _table(NUMBER)}), "x": _list(NUMBER),
    "bands": _list(_object({"name": TEXT, "low": MAYBE_NUMBER, "high": MAYBE_NUMBER})), "variables": _list(TEXT),
    "s_n": _list(NUMBER), "s_p": _list(NUMBER), "y": _list(NUMBER), "anchor": _list(NUMBER), "positive": _list(NUMBER),
    "d_ap": NUMBER,
}  # fmt: skip
MAY_HAVE: dict[str, Mapping[str, Schema]] = {"triplets": TRIPLETS_OF_A_SET, "curve": CURVE_OF}


def schema(command: str | None = None) -> Schema:
    """The schema of the documents of one command, or of all of them."""
    head: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA}
    if command is not None:
        return {**head, **_document(command)}
    return {**head, "oneOf": [_document(name) for name in COMMANDS]}


def _document(command: str) -> Schema:
    result, facts = COMMANDS[command]
    shared = {"schema": {"const": SCHEMA}, "version": TEXT, "command": {"const": command}}
    return _object({**shared, **facts, "results": _list(result), "warnings": _list(TEXT)}, MAY_HAVE.get(command))
