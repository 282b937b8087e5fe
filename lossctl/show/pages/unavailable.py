"""Objectives that people look for and that no file of predictions can give, and why."""

UNAVAILABLE = {
    "maximum-posterior": "not computable from a file of predictions. "
    "Naive Bayes maximises the posterior of its own model; "
    "its predictions can be scored with log-loss or cross-entropy.",
    "fitness": "not computable from a file of predictions. Genetic programming maximises whatever fitness its problem "
    "defines; if that is an error of predictions, compute that error.",
    "expected-return": "not computable from a file of predictions. "
    "Reinforcement learning maximises the return of a policy "
    "in its environment, which has to be played.",
}
