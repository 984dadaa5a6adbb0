"""The agent node-exporter: Debian's prometheus-node-exporter with a configuration of OPMAS."""
