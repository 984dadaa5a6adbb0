"""What people write: documents read field by field, sizes, secrets, settings of a service."""
