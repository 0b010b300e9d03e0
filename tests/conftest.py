"""Fixtures that stand for something expensive, shared by all test files."""

from __future__ import annotations

from studio_ground import studio_server as studio_server

from editjudge.network import spare_loopback

# Tests talk to servers of their own on this machine, also where a proxy is set.
spare_loopback()
