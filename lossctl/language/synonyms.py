"""What options are called elsewhere: words of one meaning, of which a loss knows one at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .registry import Loss, walk

# Words of one meaning; a word in several lines means what the loss has, the first line before the others.
SAME = (
    ("alpha", "tau", "quantile", "quantiles", "q", "level", "levels", "coverage"),
    ("temperature", "tau", "t", "temp", "t0", "kd-temperature"),
    ("label-smoothing", "smoothing", "smooth", "label-smooth"),
    ("smooth", "smooth-nr", "smooth-dr", "eps", "epsilon", "smoothing"),
    ("class-weights", "class-weight", "weight", "weights", "cls-weight"),
    ("pos-weight", "scale-pos-weight", "positive-weight"),
    ("alpha", "weight", "class-weight", "class-weights", "balance"),
    ("delta", "beta", "kappa", "threshold", "huber-slope", "slope"),
    ("beta", "delta", "kappa", "threshold"),
    ("c", "delta", "sigma", "scale", "tuning-constant", "f-scale"),
    ("margin", "alpha", "m", "delta", "gap"),
    ("s", "scale", "logit-scale", "kappa", "scaling"),
    ("gamma", "focusing", "focusing-parameter", "focus", "alpha"),
    ("beta", "tau", "loss-beta"),
    ("p", "power", "norm", "order", "degree"),
    ("power", "p", "rho", "tweedie-variance-power", "variance-power"),
    ("cutoff", "k", "top-k", "topk", "topn", "at", "n"),
    ("bins", "n-bins", "num-bins"),
    ("ignore-index", "ignore", "ignore-label", "ignore-class", "void"),
    ("nu", "df", "dof", "degrees-of-freedom"),
    ("reduction", "reduce", "size-average"),
    ("from-logits", "logits", "use-logits", "with-logits", "apply-sigmoid", "log-input"),
    ("weight", "weights", "sample-weight", "sample-weights"),
    ("distance", "metric", "distance-metric", "dist", "affinity"),
    ("jobs", "n-jobs", "num-workers", "workers", "threads"),
    ("sigma", "alpha", "scale"),
    ("iterations", "sinkhorn-iterations", "max-iter", "n-iter"),
    ("epsilon", "sinkhorn-epsilon", "eps"),
)
INVERSE = (("temperature", "s"), ("s", "temperature"))  # one is 1 over the other


def meant(word: str, known: Iterable[str]) -> str:
    """Which of the known options a word means, "" for none; with " (1 over it)" where one is 1 over the other."""
    word, names = plain(word), {plain(name): name for name in known}
    for line in SAME:
        if word in line and line[0] in names:
            return names[line[0]]
    for theirs, ours in INVERSE:
        if ours in names and any(word in line for line in SAME if line[0] == theirs):
            return names[ours]
    return ""


def is_inverse(word: str, name: str) -> bool:
    """Whether the option that a word means is 1 over what it gives."""
    word, name = plain(word), plain(name)
    return not any(word in line for line in SAME if line[0] == name) and any(ours == name for _, ours in INVERSE)


def fix(word: str, loss: Loss, known: Iterable[str], written: Callable[[str], str] = str) -> str:
    """What to do about an option that a loss has not: its own of that meaning, one spelled alike, or all of them.

    known: the names of all options that may stand there;  written: how a name is written there
    """
    import difflib

    known = list(known)
    name = meant(word, known)
    if name:
        turned = ", 1 over that number" if is_inverse(word, name) else ""
        help = next((f": {option.help}" for option in loss.all_options if plain(option.name) == plain(name)), "")
        return f"use {written(name)}{turned}{help}"
    near = difflib.get_close_matches(plain(word), list(map(plain, known)), n=1, cutoff=0.75)
    if near:
        return f"did you mean {written(near[0])}?"
    flags = ", ".join(written(option.flag) for option in loss.all_options)
    own = f"{loss.name} has {flags}" if flags else f"{loss.name} has no options of its own"
    others = [
        other.name
        for other in walk()
        if other.family == loss.family or other.name == loss.of_classes
        if plain(word) in (option.flag for option in other.all_options)
    ]
    return f"{own}; {written(plain(word))} is of {' and '.join(others[:3])}" if others else own


def plain(name: str) -> str:
    """A name as a shell has it, without its dashes in front."""
    return name.lstrip("-").lower().replace("_", "-")
