"""Examples of commands, for help pages and the manual: lines that run in the folder samples/, and what they do."""

from __future__ import annotations

from ..language.registry import Loss

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "compute": (
        ("lossctl compute focal --gamma 2 preds.npy", "one number"),
        ("lossctl compute bce preds.csv::prob -y preds.csv::label --ci 95%", "with an interval"),
        ("lossctl compute bce preds.csv -g label --max 0.25", "by group, held to a bound"),
        ("lossctl compute batch-hard embeddings.npz --margin 0.2", "of an embedding set"),
    ),
    "triplets": (
        ("lossctl triplets embeddings.npz --margin 0.2,1", "shares of easy, semi-hard and hard ones"),
        ("lossctl triplets embeddings.npz --by class --pairs 3", "by class, and the pairs of classes that clash most"),
    ),
    "mine": (
        ("lossctl mine semi-hard embeddings.npz --margin 0.2 -o triplets.npy", "a semi-hard negative for each pair"),
        ("lossctl mine hardest embeddings.npz --limit 1000 -o triplets.csv", "the hardest thousand"),
    ),
    "bench": (
        ("lossctl bench --list", "what there is to be timed"),
        ("lossctl bench batch-hard --n 256 --save before.json", "times, as a baseline"),
    ),
    "curve": (
        ("lossctl curve focal --sweep gamma=0,0.5,1,2,5", "a curve for each gamma"),
        ("lossctl curve huber mse mae --grad -o robust.svg", "three losses and their slopes, as a figure"),
        ("lossctl curve focal bce --x x_t=-5..5 -f csv", "against the logit, as points"),
    ),
    "compare": (
        (
            "lossctl compare digits_probs.npy distributions.npz::q -y digits_labels.npy --loss cross-entropy",
            "the difference, its interval, and p",
        ),
        (
            "lossctl compare digits_probs.npy distributions.npz::q -y digits_labels.npy --loss focal --fail-if worse",
            "exit code 1 where the second is worse",
        ),
    ),
    "parity": (("lossctl parity bce preds.csv", "what each library would print"),),
    "reconcile": (("lossctl reconcile bce preds.csv --value 47.16113764988", "which choices give this number"),),
    "run": (
        ("lossctl run suite.yaml", "all checks of a suite"),
        ("lossctl run suite.yaml --only digits --report report.html", "some of them, and a page"),
        ("lossctl run suite.yaml --summary summary.md --report junit.xml", "for a build server"),
    ),
    "list": (
        ("lossctl list --search ranking", "losses by a word"),
        ("lossctl list --family robust", "one family"),
        ("lossctl list --like torchvision", "what a library has, under which name"),
    ),
    "suggest": (("lossctl suggest preds.csv", "the losses that fit, as commands"),),
    "explain": (
        ("lossctl explain focal", "its page"),
        ("lossctl explain svm", "what it is that is no loss"),
    ),
    "info": (
        ("lossctl info preds.npz", "keys, types and ranges"),
        ("lossctl info preds.csv::prob --json", "of one column, for programs"),
        ("lossctl info preds.npy --first 100", "of the first rows alone, where there are many"),
    ),
    "schema": (("lossctl schema compute", "what programs may rely on"),),
    "doctor": (("lossctl doctor", "what is installed, and how to get what is not"),),
    "completion": (("lossctl completion bash", "for: eval \"$(lossctl completion bash)\""),),
    "man": (("lossctl man", "for: lossctl man | man -l -"),),
}  # fmt: skip


def of_loss(command: str, loss: Loss) -> tuple[tuple[str, str], ...]:
    """Examples of a command of one loss, with a file for each of its inputs."""
    inputs = [role.option for role in loss.roles]
    files = " ".join(f"{name}.npy" for name in inputs)
    more = " --class-weights weights.npy" if loss.has_class_weights else ""
    more += " --value 0.123456789" if command == "reconcile" else ""
    return (
        (f"lossctl {command} {loss.name} {files}{more}", "each input in a file of its own"),
        (f"lossctl {command} {loss.name} table.csv{more}", f"columns called {', '.join(inputs)}"),
    )
