-- What was learned of each agent's use of the host.
CREATE TABLE learned (
    agent      TEXT PRIMARY KEY,
    document   TEXT NOT NULL,                   -- JSON, opmas.core.resources.learning
    updated_at TEXT NOT NULL                    -- RFC 3339, UTC
) STRICT;
