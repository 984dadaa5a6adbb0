"""OPMAS: systemd-native management of the agents on a host."""
