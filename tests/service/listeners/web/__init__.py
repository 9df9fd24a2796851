"""Tests of service.listeners.web."""
