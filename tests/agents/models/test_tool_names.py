"""Names of tools as models see them."""

from __future__ import annotations

import pytest

from agents.errors import InvalidTool
from agents.models.tool_names import ToolNames


def test_names_of_tools_go_there_and_back() -> None:
    names = ToolNames(["shop.find_orders", "find-it"])
    assert [names.shown("shop.find_orders"), names.meant("shop__find_orders")] == [
        "shop__find_orders",
        "shop.find_orders",
    ]
    assert names.meant("find-it") == "find-it"
    assert names.meant("shop.find_orders") is None
    with pytest.raises(InvalidTool, match="rename one"):
        ToolNames(["shop.find", "shop__find"])
    for bad in ("", "a b", "ä", "x" * 65):
        with pytest.raises(InvalidTool):
            ToolNames([bad])
