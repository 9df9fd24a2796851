"""Tests of service.admin."""
