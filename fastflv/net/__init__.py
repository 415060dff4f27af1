"""Connections before any protocol: addresses, proxies in between, listeners. Knows no stream."""
