"""What hooks are told after the fact: events of clients, connections, recordings and segments."""
