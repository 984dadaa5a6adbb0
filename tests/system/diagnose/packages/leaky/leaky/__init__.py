"""Tells its secrets: in its log, its status, its health, its events."""

import base64
import json
import os
import sys
from urllib.parse import quote, quote_plus

from opmas.agent import BaseAgent, Health


class Leaky(BaseAgent):
    """Says what it should keep."""

    def setup(self):
        """Say all of it, in all forms."""
        config = self.config
        secrets = [config["marked"], *config["lines"].splitlines(), config["db"]["password"]]
        secrets += [*config["apiKeys"], os.environ["LEAKY_TOKEN"], os.environ["PLAIN_VALUE"]]
        for secret in secrets:
            for line in forms(secret):
                self.log.info(line)
        self.log.info("config %s", json.dumps(dict(config), default=str))
        self.log.info("connecting to %s", config["db"]["url"])
        self.log.info("Authorization: Bearer %s", "CANARY-bearer-0123456789abcdef")
        self.log.info("GET /x?access_token=CANARY-query-0123456789&page=2")
        # longer than journald's line: broken in the middle of the secret
        print("x" * (48 * 1024 - 9) + config["marked"], flush=True)
        for line in ("-----BEGIN PRIVATE KEY-----", "Q0FOQVJZ" * 8, "-----END PRIVATE KEY-----"):
            print(line, flush=True)
        self.progress(f"logged in with {config['marked']}")
        self.emit("leaked", message=f"with {config['marked']}", key=config["db"]["password"])

    def check_health(self):
        """Say it as health, too."""
        return Health.degraded(f"cannot log in with {self.config['marked']}")


def forms(secret):
    """Yield lines with the secret in the forms that programs write."""
    raw = secret.encode()
    yield f"using {secret} now"
    yield f"password={secret}"
    yield f'{{"credential": "{secret}", "n": 1}}'
    yield f"https://user:{secret}@example.org/x"
    yield f"https://example.org/?token={quote_plus(secret)}&x=1"
    yield f"quoted {quote(secret, safe='')}"
    yield f"base64 {base64.b64encode(raw).decode()}"
    yield f"base64 {base64.b64encode(b'user:' + raw).decode()}"
    yield f"base64 {base64.urlsafe_b64encode(b'{' + raw + b'}').decode()}"
    yield f"hex {raw.hex()} {raw.hex(':').upper()}"
    yield f"json {json.dumps(json.dumps({'x': secret}))}"
    yield f"argv {[*sys.argv[:1], '--secret', secret]!r}"
