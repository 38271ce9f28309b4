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

-- Store::create: 0 created, 1 exists, 2 owner ended, 3 limit reached. `owner_lock` stands for the owner; whoever may
-- end an owner's sessions holds it alone, whoever only adds one shares it. Each statement in here sees what was
-- committed before it began, so nothing is read before the lock that is decided after it.
CREATE FUNCTION hardtack.create_session(
    new_key bytea, new_version bigint, new_generation integer, new_remembered boolean, new_epoch bigint,
    new_created bigint, new_authenticated bigint, new_renewed bigint, new_absolute_deadline bigint,
    new_last_seen bigint, new_idle_deadline bigint, new_owner bytea, new_label bytea, new_sealed bytea,
    owner_lock bigint, admission_epoch bigint, most bigint, end_oldest boolean, now_in_order bigint
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    excess bigint := 0;
BEGIN
    IF new_owner IS NOT NULL THEN
        IF most IS NULL THEN
            PERFORM pg_advisory_xact_lock_shared(owner_lock);
        ELSE
            PERFORM pg_advisory_xact_lock(owner_lock);
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
        UPDATE hardtack.sessions SET
            version = NULL, generation = NULL, remembered = NULL, epoch = NULL, created = NULL, authenticated = NULL,
            renewed = NULL, last_seen = NULL, owner = NULL, label = NULL, sealed = NULL,
            idle_deadline = absolute_deadline
        WHERE sealed IS NOT NULL AND key = ANY (ARRAY (
            SELECT key FROM hardtack.sessions WHERE owner = new_owner AND expires > now_in_order AND key <> new_key
            ORDER BY created # '-9223372036854775808', key LIMIT excess
        ));
    END IF;
    PERFORM hardtack.be_durable();
    RETURN 0;
END $$;

-- Store::delete: whether there was a row.
CREATE FUNCTION hardtack.end_session(old_key bytea, until bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hardtack.be_durable();
    LOOP
        UPDATE hardtack.sessions SET
            version = NULL, generation = NULL, remembered = NULL, epoch = NULL, created = NULL, authenticated = NULL,
            renewed = NULL, last_seen = NULL, owner = NULL, label = NULL, sealed = NULL,
            idle_deadline = until, absolute_deadline = until
        WHERE key = old_key AND sealed IS NOT NULL;
        IF FOUND THEN
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
CREATE FUNCTION hardtack.end_owner(whose bytea, owner_lock bigint, spared bytea, tombstone_until bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    PERFORM hardtack.be_durable();
    PERFORM pg_advisory_xact_lock(owner_lock);
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
    RETURN given;
END $$;

INSERT INTO hardtack.migrations (version) VALUES (1);
