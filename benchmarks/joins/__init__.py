"""How soon a viewer is live: joins at random moments of the GOP, in every output."""
