-- Kept events, each once: by its id within its room. The event is kept as it was, byte by byte.
CREATE TABLE IF NOT EXISTS audit (
    room text NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    event json NOT NULL,
    PRIMARY KEY (room, epoch, seq)
);

-- Where events were lost before they got here.
CREATE TABLE IF NOT EXISTS audit_gap (
    room text NOT NULL,
    after text NOT NULL,
    before text NOT NULL,
    noticed timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (room, after, before)
);

-- Takes a line of collab-tail --gaps. One that came before changes nothing.
CREATE OR REPLACE FUNCTION audit_add(event json) RETURNS void LANGUAGE sql AS $$
    INSERT INTO audit
    SELECT event ->> 'room', split_part(event ->> 'id', '-', 1)::bigint,
           split_part(event ->> 'id', '-', 2)::bigint, event
    WHERE event ->> 'id' IS NOT NULL
    ON CONFLICT DO NOTHING;
    INSERT INTO audit_gap
    SELECT event ->> 'room', event -> 'data' ->> 'after', event -> 'data' ->> 'before'
    WHERE event ->> 'id' IS NULL AND event ->> 'type' = 'gap'
    ON CONFLICT DO NOTHING;
$$;

-- How far each room has come, as a state of collab-tail.
CREATE OR REPLACE VIEW audit_state AS
    SELECT json_build_object('rooms', coalesce(json_object_agg(room, epoch || '-' || seq),
                                               '{}')) AS state
    FROM (SELECT DISTINCT ON (room) room, epoch, seq FROM audit
          ORDER BY room, epoch DESC, seq DESC) last;
