"""`opmas diagnose`: one archive of what is needed to understand a host, without its secrets.

`collect` has each part gather its texts and documents, each with a deadline of its own;
`redaction` takes out what is secret from every byte; `archive` writes what is left.
"""
