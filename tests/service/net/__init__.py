"""Tests of service.net."""
