"""A program that embeds a server and reads its streams: what reading costs, and that nothing is lost."""
