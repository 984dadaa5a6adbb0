-- What each agent's phase and health were, and from when on: bounded per agent.
CREATE TABLE history (
    id      INTEGER PRIMARY KEY,
    agent   TEXT NOT NULL,
    at      TEXT NOT NULL,                      -- RFC 3339, UTC
    phase   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    health  TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_agent ON history (agent, id);
CREATE INDEX history_by_time ON history (at);
