"""The weekly report as data: what came in, what was resolved and proven, what people had to do, what it costs.

Two rules decide which week something counts in. A task, with all that has become of it until now, counts in the week
in which the requester brought it: when they opened the ticket, for most. So the steps from task to charge are always
steps of the same tasks. Money counts in the week in which it was posted; so charges and credits agree with the ledger
to the cent. Money of different currencies is never added up.
"""

from service.weekly.counting import weekly_report
from service.weekly.model import Effort, Figures, Group, ModelCost, ReasonCount, Satisfaction, Times, Week, WeeklyReport
from service.weekly.period import Period

__all__ = [
    "Effort",
    "Figures",
    "Group",
    "ModelCost",
    "Period",
    "ReasonCount",
    "Satisfaction",
    "Times",
    "Week",
    "WeeklyReport",
    "weekly_report",
]
