"""Agent packages on this host: what dpkg and the package directories hold."""
