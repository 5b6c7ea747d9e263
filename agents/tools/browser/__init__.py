"""A real Chromium for tools: found on this machine, one per process, a fresh context per script."""

from agents.tools.browser.chromium import find_chromium
from agents.tools.browser.session import Browser, Script

__all__ = ["Browser", "Script", "find_chromium"]
