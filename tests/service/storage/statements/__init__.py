"""Tests of service.storage.statements."""
