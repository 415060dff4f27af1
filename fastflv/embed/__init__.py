"""A server in a thread beside the event loop of another program. `fastflv` exports what is public here."""
