"""Tools: typed functions with a declared effect, and the boxes that hold them."""

from agents.tools.conversation import reply
from agents.tools.tool import Tool, ToolContext, tool
from agents.tools.toolbox import Toolbox
from agents.tools.widening import widen

__all__ = ["Tool", "ToolContext", "Toolbox", "reply", "tool", "widen"]
