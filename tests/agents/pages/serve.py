#!/usr/bin/python3
"""A web server that answers 503 after SIGUSR1, for as long as it lives."""

import signal
from http.server import BaseHTTPRequestHandler, HTTPServer

SICK: list[int] = []


class Pages(BaseHTTPRequestHandler):
    """One page."""

    def do_GET(self) -> None:
        self.send_response(503 if SICK else 200)
        self.end_headers()


signal.signal(signal.SIGUSR1, lambda number, _frame: SICK.append(number))
HTTPServer(("127.0.0.1", 18080), Pages).serve_forever()
