"""``python -m benchmarks``: all measurements, as ratios within one run."""

from benchmarks import durable, inline

inline.main()
durable.main()
