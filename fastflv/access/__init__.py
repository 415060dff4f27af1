"""Who may publish and play: requests, rules and the gate that asks them. Opens no socket."""
