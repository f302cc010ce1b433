"""Numbers from workers: latency, pairs, throughput, quality, sweeps, protocols, threads."""
