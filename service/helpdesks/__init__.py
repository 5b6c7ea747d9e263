"""Helpdesks that Settle works with."""
