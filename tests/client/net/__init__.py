"""Tests of client.net."""
