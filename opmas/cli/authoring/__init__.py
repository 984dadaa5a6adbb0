"""What authors of agent packages begin with: `opmas agent new`."""
