"""The benchmark: what is run, on what data, how it is timed, and whether the answers are right."""
