"""An attack pack: procedures with open steps, goals that an attacker plants in what a model reads, and a model that
obeys every one of them. ``python -m benchmarks.attacks`` prints how many are reached with and without the policy."""
