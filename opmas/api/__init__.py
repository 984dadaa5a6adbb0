"""The Management API: REST over the manager's socket. The only owner of flask."""
