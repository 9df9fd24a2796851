"""Tests of service.storage.sqlite."""
