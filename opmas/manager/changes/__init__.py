"""Changes carried out: jobs, hooks, packages on the shelf, versions in the store."""
