"""The targets; `fuzzing` says what one is."""
