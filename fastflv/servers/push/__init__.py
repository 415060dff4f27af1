"""Publishing of FLV byte streams, whatever carries them."""
