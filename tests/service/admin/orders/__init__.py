"""Tests of service.admin.orders."""
