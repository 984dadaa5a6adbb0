-- Which events were deleted, and why: who resumes by number learns what is missing. Between `first`
-- and `last` are the events that went for that reason; for `agent-quota` others stay among them.
CREATE TABLE pruned (
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    at     TEXT NOT NULL,                       -- RFC 3339, UTC
    reason TEXT NOT NULL                        -- opmas.store.rows.Pruned
) STRICT;

-- Agents' own events have a quota, so that they push no event of OPMAS out.
CREATE INDEX events_of_agents ON events (subject, sequence)
    WHERE type >= 'agent.' AND type < 'agent/';
