"""Fan-out benchmarks: servers side by side under the same publisher and the same load."""
