-- Version 1 of the tables. The schema must exist; all of this is one transaction.
--
-- Numbers are the bits of a u64, so that what was written comes back exactly; the ones from 2^63 on look negative.
-- Where they are compared, "# '-9223372036854775808'" flips the highest bit, which puts them in their order.

CREATE TABLE hardtack.migrations (
    version integer     PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now()
);

-- Sessions, and tombstones in the place of those that have ended: rows without sealed data, until both of
-- their deadlines. Both are under one key, so one index decides between a create and a delete that meet.
CREATE TABLE hardtack.sessions (
    version           bigint,
    epoch             bigint,
    created           bigint,
    authenticated     bigint,
    renewed           bigint,
    last_seen         bigint,
    idle_deadline     bigint NOT NULL,
    absolute_deadline bigint NOT NULL,
    -- In the order of time.
    expires           bigint NOT NULL GENERATED ALWAYS AS (
        least(idle_deadline # '-9223372036854775808', absolute_deadline # '-9223372036854775808')
    ) STORED,
    generation        integer,
    remembered        boolean,
    key               bytea PRIMARY KEY,
    owner             bytea,
    label             bytea,
    sealed            bytea
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

-- Sealed data does not compress.
ALTER TABLE hardtack.sessions ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE INDEX sessions_by_expiry ON hardtack.sessions (expires);
CREATE INDEX sessions_by_owner ON hardtack.sessions (owner) WHERE owner IS NOT NULL;

-- Since when nobody signs in with an older proof.
CREATE TABLE hardtack.owners (
    owner bytea  PRIMARY KEY,
    epoch bigint NOT NULL,
    -- In the order of time.
    until bigint NOT NULL
);
CREATE INDEX owners_by_end ON hardtack.owners (until);

CREATE TABLE hardtack.counter (
    one   boolean PRIMARY KEY CHECK (one),
    epoch bigint  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO hardtack.counter VALUES (true, 0);

-- The feed: what has ended and moved on, under the number of the transaction that it is committed with.
CREATE TABLE hardtack.news (
    xid  xid8  NOT NULL DEFAULT pg_current_xact_id(),
    told bytea NOT NULL
);
CREATE INDEX news_by_transaction ON hardtack.news (xid);

-- What callers told, until a time of their clock.
CREATE TABLE hardtack.revoked (
    told  bytea  PRIMARY KEY,
    -- In the order of time.
    until bigint NOT NULL
);
CREATE INDEX revoked_by_end ON hardtack.revoked (until);

-- `home` is the cluster of servers whose transactions the news are numbered by. What was visible to `older` may go.
CREATE TABLE hardtack.feed (
    one      boolean     PRIMARY KEY CHECK (one),
    home     bigint      NOT NULL,
    born     timestamptz NOT NULL,
    older    pg_snapshot,
    newer    pg_snapshot NOT NULL,
    newer_at timestamptz NOT NULL
);
INSERT INTO hardtack.feed (one, home, born, newer, newer_at)
SELECT true, system_identifier, clock_timestamp(), pg_current_snapshot(), clock_timestamp() FROM pg_control_system();

-- A renewal is news. Other writes of a session do not come here.
CREATE FUNCTION hardtack.tell_renewal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hardtack.news (told) VALUES ('R'::bytea || NEW.key || int4send(NEW.generation));
    RETURN NULL;
END $$;
CREATE TRIGGER renewed AFTER UPDATE OF generation ON hardtack.sessions FOR EACH ROW
WHEN ((NEW.generation # '-2147483648') > (OLD.generation # '-2147483648'))
EXECUTE FUNCTION hardtack.tell_renewal();

-- A standby answers from the past.
CREATE FUNCTION hardtack.on_primary() RETURNS boolean STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby, and sessions are read from the primary alone' USING ERRCODE = '25006';
    END IF;
    RETURN true;
END $$;

-- This transaction is on the disk before it is answered, also where the server would answer earlier.
CREATE FUNCTION hardtack.be_durable() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
END $$;

-- Store::create: 0 created, 1 exists, 2 owner ended, 3 limit reached, 4 created in the place of others. `owner_hash` is the
-- owner's lock; whoever may end an owner's sessions holds it alone, whoever only adds one shares it. Each statement in here sees what was
-- committed before it began, so nothing is read before the lock that is decided after it.
CREATE FUNCTION hardtack.create_session(
    new_key bytea, new_version bigint, new_generation integer, new_remembered boolean, new_epoch bigint,
    new_created bigint, new_authenticated bigint, new_renewed bigint, new_absolute_deadline bigint,
    new_last_seen bigint, new_idle_deadline bigint, new_owner bytea, new_label bytea, new_sealed bytea,
    owner_hash bigint, admission_epoch bigint, most bigint, end_oldest boolean, now_in_order bigint
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    excess bigint := 0;
BEGIN
    IF new_owner IS NOT NULL THEN
        IF most IS NULL THEN
            PERFORM pg_advisory_xact_lock_shared(owner_hash);
        ELSE
            PERFORM pg_advisory_xact_lock(owner_hash);
        END IF;
        IF EXISTS (SELECT FROM hardtack.sessions WHERE key = new_key) THEN
            RETURN 1;
        END IF;
        IF EXISTS (
            SELECT FROM hardtack.owners WHERE owner = new_owner
            AND (epoch # '-9223372036854775808') > (admission_epoch # '-9223372036854775808')
        ) THEN
            RETURN 2;
        END IF;
        IF most IS NOT NULL THEN
            SELECT count(*) + 1 - most INTO excess FROM hardtack.sessions
            WHERE owner = new_owner AND expires > now_in_order;
            IF excess > 0 AND NOT end_oldest THEN
                RETURN 3;
            END IF;
        END IF;
    END IF;
    INSERT INTO hardtack.sessions (
        key, version, generation, remembered, epoch, created, authenticated, renewed, absolute_deadline,
        last_seen, idle_deadline, owner, label, sealed
    ) VALUES (
        new_key, new_version, new_generation, new_remembered, new_epoch, new_created, new_authenticated, new_renewed,
        new_absolute_deadline, new_last_seen, new_idle_deadline, new_owner, new_label, new_sealed
    ) ON CONFLICT (key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    IF excess > 0 THEN
        WITH ended AS (UPDATE hardtack.sessions SET
            version = NULL, generation = NULL, remembered = NULL, epoch = NULL, created = NULL, authenticated = NULL,
            renewed = NULL, last_seen = NULL, owner = NULL, label = NULL, sealed = NULL,
            idle_deadline = absolute_deadline
        WHERE sealed IS NOT NULL AND key = ANY (ARRAY (
            SELECT key FROM hardtack.sessions WHERE owner = new_owner AND expires > now_in_order AND key <> new_key
            ORDER BY created # '-9223372036854775808', key LIMIT excess
        )) RETURNING key)
        INSERT INTO hardtack.news (told) SELECT 'Eo'::bytea || key FROM ended;
    END IF;
    PERFORM hardtack.be_durable();
    RETURN CASE WHEN excess > 0 THEN 4 ELSE 0 END;
END $$;

-- Store::delete: whether there was a row.
CREATE FUNCTION hardtack.end_session(old_key bytea, until bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    whose bytea;
BEGIN
    PERFORM hardtack.be_durable();
    LOOP
        SELECT CASE WHEN owner IS NULL THEN 'Ea'::bytea ELSE 'Eo'::bytea END INTO whose
        FROM hardtack.sessions WHERE key = old_key AND sealed IS NOT NULL FOR UPDATE;
        IF FOUND THEN
            UPDATE hardtack.sessions SET
                version = NULL, generation = NULL, remembered = NULL, epoch = NULL, created = NULL,
                authenticated = NULL, renewed = NULL, last_seen = NULL, owner = NULL, label = NULL, sealed = NULL,
                idle_deadline = until, absolute_deadline = until
            WHERE key = old_key;
            INSERT INTO hardtack.news (told) VALUES (whose || old_key);
            RETURN true;
        END IF;
        INSERT INTO hardtack.sessions AS there (key, idle_deadline, absolute_deadline) VALUES (old_key, until, until)
        ON CONFLICT (key) DO UPDATE SET
            idle_deadline = greatest(there.expires, until # '-9223372036854775808') # '-9223372036854775808',
            absolute_deadline = greatest(there.expires, until # '-9223372036854775808') # '-9223372036854775808'
        WHERE there.sealed IS NULL;
        IF FOUND THEN
            RETURN false;
        END IF;
        -- Somebody created the row in between.
    END LOOP;
END $$;

-- Store::end_owner: the new epoch. The counter comes late, because all owners share it.
CREATE FUNCTION hardtack.end_owner(whose bytea, owner_hash bigint, spared bytea, tombstone_until bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    PERFORM hardtack.be_durable();
    PERFORM pg_advisory_xact_lock(owner_hash);
    UPDATE hardtack.sessions SET
        version = NULL, generation = NULL, remembered = NULL, epoch = NULL, created = NULL, authenticated = NULL,
        renewed = NULL, last_seen = NULL, owner = NULL, label = NULL, sealed = NULL,
        idle_deadline = tombstone_until, absolute_deadline = tombstone_until
    WHERE owner = whose AND key IS DISTINCT FROM spared;
    UPDATE hardtack.counter SET epoch = epoch + 1 WHERE one RETURNING epoch INTO STRICT given;
    UPDATE hardtack.sessions SET epoch = given WHERE key = spared AND owner = whose;
    INSERT INTO hardtack.owners AS there (owner, epoch, until)
    VALUES (whose, given, tombstone_until # '-9223372036854775808')
    ON CONFLICT (owner) DO UPDATE SET epoch = excluded.epoch, until = greatest(there.until, excluded.until);
    INSERT INTO hardtack.news (told) VALUES ('O'::bytea || int8send(owner_hash) || int8send(given));
    RETURN given;
END $$;

-- Feed::publish: news in hexadecimal digits, parted by blanks.
CREATE FUNCTION hardtack.publish(told_in_hex text, told_until bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    hex text;
BEGIN
    PERFORM hardtack.be_durable();
    FOREACH hex IN ARRAY string_to_array(told_in_hex, ' ') LOOP
        INSERT INTO hardtack.revoked AS there (told, until) VALUES (decode(hex, 'hex'), told_until)
        ON CONFLICT (told) DO UPDATE SET until = greatest(there.until, excluded.until);
        INSERT INTO hardtack.news (told) VALUES (decode(hex, 'hex'));
    END LOOP;
END $$;

-- Store::purge: how many went. What somebody else is writing is left for the next time, and what he has written is asked
-- for its time again.
--
-- News go when they were visible to a snapshot that is as old as they are to be kept: whatever the order of commits
-- and however long one took, a reader that has read since then has had them.
CREATE FUNCTION hardtack.purge(now_in_order bigint, most bigint, kept interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    removed bigint := 0;
    more bigint;
    state hardtack.feed;
BEGIN
    DELETE FROM hardtack.sessions WHERE key = ANY (ARRAY (
        SELECT key FROM hardtack.sessions WHERE expires <= now_in_order ORDER BY expires LIMIT most
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM hardtack.owners WHERE owner = ANY (ARRAY (
        SELECT owner FROM hardtack.owners WHERE until <= now_in_order ORDER BY until LIMIT most - removed
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS more = ROW_COUNT;
    removed := removed + more;
    DELETE FROM hardtack.revoked WHERE told = ANY (ARRAY (
        SELECT told FROM hardtack.revoked WHERE until <= now_in_order ORDER BY until LIMIT most - removed
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS more = ROW_COUNT;
    removed := removed + more;

    SELECT * INTO state FROM hardtack.feed WHERE one FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN removed;
    END IF;
    IF state.newer_at <= clock_timestamp() - kept THEN
        state.older := state.newer;
        UPDATE hardtack.feed SET older = state.older,
            newer = pg_current_snapshot(), newer_at = clock_timestamp() WHERE one;
    END IF;
    DELETE FROM hardtack.news WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM hardtack.news
        WHERE xid < pg_snapshot_xmax(state.older) AND pg_visible_in_snapshot(xid, state.older)
        ORDER BY xid LIMIT most - removed));
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN removed + more;
END $$;

-- At a program's start. Transactions have other numbers in a cluster into which a dump was restored.
CREATE FUNCTION hardtack.come_home() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE hardtack.feed SET home = system_identifier, born = clock_timestamp(),
        older = NULL, newer = pg_current_snapshot(), newer_at = clock_timestamp()
    FROM pg_control_system() WHERE one AND home <> system_identifier;
    IF FOUND THEN
        UPDATE hardtack.news SET xid = pg_current_xact_id();
    END IF;
END $$;

INSERT INTO hardtack.migrations (version) VALUES (1);
