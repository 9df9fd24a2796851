"""Tests of client/full."""
