"""Several servers as one: what edges fetch from origins, and what is sent on to other servers."""
