"""The pure core: values and decisions. No I/O, no clock, no logging, no threads.

Facts come in as events and `now`, wishes go out as effects. See `lifecycle.py` for the rules.
"""
