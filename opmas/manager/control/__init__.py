"""The control socket: requests in, methods, the documents that go out."""
