"""Who drives a run: memory (inline) or a database that survives the process (durable)."""

from agents.runtime.inline import InlineEngine, InlineRuntime
from agents.runtime.port import Engine, Job, Runtime

__all__ = ["Engine", "InlineEngine", "InlineRuntime", "Job", "Runtime"]
