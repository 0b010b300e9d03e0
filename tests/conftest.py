"""Fixtures that stand for something expensive, shared by all test files."""

from __future__ import annotations

from studio_ground import studio_server as studio_server
