"""Facts about this host read from /proc, /sys and cgroupfs."""
