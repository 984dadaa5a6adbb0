"""Bundles: agent packages that travel as one signed file. Built, verified and unpacked here."""
