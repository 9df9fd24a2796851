"""Tests of client.chat."""
