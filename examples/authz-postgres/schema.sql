-- Users, and who is a member of which workspace, project or task: what the helper decides by.
CREATE TABLE IF NOT EXISTS users (
    id text PRIMARY KEY,
    email text NOT NULL UNIQUE,
    email_verified boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS memberships (
    room text NOT NULL, -- as the gateway calls it: project:p1
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (room, user_id)
);

CREATE OR REPLACE FUNCTION may_connect(who text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM users WHERE id = who AND email_verified);
$$;

CREATE OR REPLACE FUNCTION may_join(who text, what text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT may_connect(who)
        AND EXISTS (SELECT FROM memberships WHERE room = what AND user_id = who);
$$;

-- Whoever listens is told whose rights have changed, when the change is committed.
CREATE OR REPLACE FUNCTION tell_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('authz', who)
    FROM (VALUES (to_jsonb(old) ->> tg_argv[0]), (to_jsonb(new) ->> tg_argv[0])) AS changed (who)
    WHERE who IS NOT NULL;
    RETURN NULL;
END;
$$;

CREATE OR REPLACE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION tell_user('id');
CREATE OR REPLACE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON memberships
    FOR EACH ROW EXECUTE FUNCTION tell_user('user_id');
