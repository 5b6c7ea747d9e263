"""For tests of tools and procedures: `pip install 'settle-agents[testing]'`. docs/tool-developer.md shows how.

The pytest plugin of Settle (`service.pytest_plugin`) hands all of this out as fixtures.
"""

from agents.clock import ManualClock
from agents.memory_helpdesk import MemoryHelpdesk
from agents.models.scripted import ScriptedModel, UnexpectedRequest, UnusedAnswers, call
from agents.policy.decision import Allow, Deny, NeedsApproval
from agents.testing.cassettes import Cassette, CassetteFailed
from agents.testing.fake_api import Asked, FakeApi, LostAnswer, Refusal
from agents.testing.recorded import Difference, RecordedModel, TranscriptDiffers
from agents.testing.workbench import NOW, REQUESTER, Workbench, on_record, said

__all__ = [
    "NOW",
    "REQUESTER",
    "Allow",
    "Asked",
    "Cassette",
    "CassetteFailed",
    "Deny",
    "Difference",
    "FakeApi",
    "LostAnswer",
    "ManualClock",
    "MemoryHelpdesk",
    "NeedsApproval",
    "RecordedModel",
    "Refusal",
    "ScriptedModel",
    "TranscriptDiffers",
    "UnexpectedRequest",
    "UnusedAnswers",
    "Workbench",
    "call",
    "on_record",
    "said",
]
