-- Which events were deleted, and why: who resumes by number learns what is missing.
CREATE TABLE pruned (
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    at     TEXT NOT NULL,                       -- RFC 3339, UTC
    reason TEXT NOT NULL
) STRICT;
