"""Tests of client.scripting."""
