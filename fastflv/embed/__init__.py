"""A server within the event loop of another program. `fastflv` exports what is public here."""
