"""Several servers as one: what edges fetch from origins."""
