"""Measurements of workers: latency, pairs, throughput, quality, sweeps, protocols, threads."""
