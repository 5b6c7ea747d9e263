"""Systems of record as the evaluators see them: read-only, with a credential of their own."""

from evaluators.sources.http_json import HttpJsonSource
from evaluators.sources.knowledge import KnowledgeSource
from evaluators.sources.memory import MemorySource
from evaluators.sources.source import SystemOfRecord

__all__ = ["HttpJsonSource", "KnowledgeSource", "MemorySource", "SystemOfRecord"]
