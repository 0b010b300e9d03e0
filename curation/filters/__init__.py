"""Stages that decide which rows stay."""
