"""``python -m benchmarks``: all measurements, as ratios within one run."""

from benchmarks import durable, inline, knowledge, policy

inline.main()
durable.main()
knowledge.main()
policy.main()
