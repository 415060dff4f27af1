"""Pages for people: the root page, the player and the console, built by npm, and what they are told of live streams."""
