"""Tests of client.terminal."""
