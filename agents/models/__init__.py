"""Models: one way to ask any of them. Adapters import their SDK when they are first used, not before."""

from agents.models.messages import Model, ModelRequest, ModelResponse, Usage
from agents.models.scripted import ScriptedModel

__all__ = ["Model", "ModelRequest", "ModelResponse", "ScriptedModel", "Usage"]
