"""Tests of the service, a module each."""
