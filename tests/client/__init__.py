"""Tests of the client, a module each."""
