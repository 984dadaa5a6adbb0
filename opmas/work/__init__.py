"""The package worker: what a job changes on the host, in a unit of its own."""
