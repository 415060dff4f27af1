"""What the API and the metrics cost a server with many streams and players, and how long they hold up its event loop."""
