"""What a deployment would do with tickets of the past, what it would cost, and what would have been wrong.

intake (tickets, what people did) → rehearsal → Result per ticket → Summary, page; two of them → Comparison
"""

from service.simulation.history import HANDOFF, NONE, Judged, checked
from service.simulation.rates import Rate
from service.simulation.results import Results, temporary_results
from service.simulation.running import Result, simulate
from service.simulation.tally import Summary, Tally

__all__ = [
    "HANDOFF",
    "NONE",
    "Judged",
    "Rate",
    "Result",
    "Results",
    "Summary",
    "Tally",
    "checked",
    "simulate",
    "temporary_results",
]
