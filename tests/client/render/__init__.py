"""Tests of client.render."""
