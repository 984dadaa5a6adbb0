"""What takes secrets out of text and documents. Pure: no I/O, no clock.

A value is secret for one of three reasons: it is *known* (a configuration marks it, or it stands
in an environment), its *name* says so (`password=…`), or its *shape* does (a JSON Web Token).
"""
