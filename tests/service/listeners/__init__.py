"""Tests of service.listeners."""
