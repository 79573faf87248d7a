BEGIN TRANSACTION;
CREATE TABLE clock (seen_at REAL NOT NULL);
INSERT INTO "clock" VALUES(1000000000.0);
CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        title TEXT,                   -- NULL: called after its first question
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,     -- by its owner or the model: the order of the list
        touched_at REAL NOT NULL      -- read or updated: what the time to live counts from
    );
INSERT INTO "conversations" VALUES('d97269965e6046f681a52d00f194b453','c79d1867236adc9cd9bb31f17d0b6ce6cc459782e3a63ea5cb89a5ea55a1594b',NULL,1000000000.0,1000000060.0,1000000060.0);
INSERT INTO "conversations" VALUES('9ee0dce3e53e437ab587924bcbe84385','8af2f91453d6206100776bfea409a0966b7af7ee1529c8e464807c1ee12cbad3','Rot',1000000120.0,1000000120.0,1000000120.0);
CREATE TABLE images (
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        photo TEXT NOT NULL REFERENCES photos,    -- which keeps the photo from being removed
        max_tiles INTEGER NOT NULL,
        PRIMARY KEY (question, number)
    );
INSERT INTO "images" VALUES('7c3bd898d3fe44d5b52d9bfc4d15d05d',0,'47d25d513e628cdb420a99043665b0db',6);
INSERT INTO "images" VALUES('385397d6f9ea416dac042ea761e6407e',0,'c3ed8d18b132461eca598560ec0debb6',6);
INSERT INTO "images" VALUES('dbf0a2123da84bbbb18dde7dca146949',0,'47d25d513e628cdb420a99043665b0db',6);
INSERT INTO "images" VALUES('dbf0a2123da84bbbb18dde7dca146949',1,'c3ed8d18b132461eca598560ec0debb6',6);
INSERT INTO "images" VALUES('6bd89cbbb22243a59ba1b3056bff08f9',0,'40aa26d32cc37ad1eec598dec812531b',6);
CREATE TABLE "photos" (
        id TEXT PRIMARY KEY,          -- 128 random bits in hex: its address, which nobody guesses
        owner TEXT NOT NULL,
        digest TEXT NOT NULL,         -- sha256 of the file, which several rows may share
        mime TEXT NOT NULL,
        original INTEGER NOT NULL,    -- whether a model server may get the file as it is
        bytes INTEGER NOT NULL,       -- the file's
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        name TEXT NOT NULL,
        origin TEXT NOT NULL,         -- JSON: what it was made from; or ''
        added_at REAL NOT NULL,       -- the last time
        waits_until REAL NOT NULL,    -- to be sent; 0: it does not wait
        UNIQUE (owner, digest, name, origin)
    );
INSERT INTO "photos" VALUES('47d25d513e628cdb420a99043665b0db','c79d1867236adc9cd9bb31f17d0b6ce6cc459782e3a63ea5cb89a5ea55a1594b','c1e89ae9a59463fc19f1b5c608313613f759433bc81225a50aebb82181fc88e2','image/png',0,232,90,70,'red.png','',1000000000.0,0.0);
INSERT INTO "photos" VALUES('c3ed8d18b132461eca598560ec0debb6','c79d1867236adc9cd9bb31f17d0b6ce6cc459782e3a63ea5cb89a5ea55a1594b','8a609c485c7f7b871d74ddc7b1ca77323134f2e3043228fe645ba681d1b1a49d','image/png',0,173,60,40,'blue.png','',1000000000.0,0.0);
INSERT INTO "photos" VALUES('40aa26d32cc37ad1eec598dec812531b','8af2f91453d6206100776bfea409a0966b7af7ee1529c8e464807c1ee12cbad3','c1e89ae9a59463fc19f1b5c608313613f759433bc81225a50aebb82181fc88e2','image/png',0,232,90,70,'red.png','',1000000120.0,0.0);
INSERT INTO "photos" VALUES('359678c0a0853109c6f6225c8fbfd38a','8af2f91453d6206100776bfea409a0966b7af7ee1529c8e464807c1ee12cbad3','fbaef9bd1cacba0727e969394118e32fda35b6f576691da792ce299b5e8d08c0','image/png',0,93,20,20,'grey.png','',1000000120.0,1000086520.0);
CREATE TABLE questions (
        id TEXT PRIMARY KEY,
        conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
        number INTEGER NOT NULL,
        text TEXT NOT NULL,
        chosen TEXT REFERENCES versions ON DELETE SET NULL,
        UNIQUE (conversation, number)
    );
INSERT INTO "questions" VALUES('7c3bd898d3fe44d5b52d9bfc4d15d05d','d97269965e6046f681a52d00f194b453',1,'What is red?','v1');
INSERT INTO "questions" VALUES('385397d6f9ea416dac042ea761e6407e','d97269965e6046f681a52d00f194b453',2,'And blue?','v3');
INSERT INTO "questions" VALUES('dbf0a2123da84bbbb18dde7dca146949','d97269965e6046f681a52d00f194b453',4,'Both?',NULL);
INSERT INTO "questions" VALUES('6bd89cbbb22243a59ba1b3056bff08f9','9ee0dce3e53e437ab587924bcbe84385',1,'Wer?',NULL);
CREATE TABLE versions (
        id TEXT PRIMARY KEY,
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        raw TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'stopped', 'broken')),
        model TEXT NOT NULL,
        started_at REAL NOT NULL,
        ttft_s REAL,
        total_s REAL NOT NULL,
        usage TEXT,                   -- JSON
        what TEXT,
        next_step TEXT, failure TEXT, options TEXT,
        UNIQUE (question, number)
    );
INSERT INTO "versions" VALUES('v1','7c3bd898d3fe44d5b52d9bfc4d15d05d',1,'This <ref>one</ref>.','complete','m',1000000000.0,0.5,2.0,'{"prompt_tokens": 700, "completion_tokens": 12, "cached_tokens": 0, "encoded_views": null, "finish_reason": "stop"}',NULL,NULL,NULL,'{"max_new_tokens": 99, "temperature": 0.0, "top_p": 1.0, "seed": null}');
INSERT INTO "versions" VALUES('v2','7c3bd898d3fe44d5b52d9bfc4d15d05d',2,'Half','broken','m',1000000060.0,NULL,0.0,NULL,'It broke.','Try again.','[["It broke.", {}], ["Try again.", {}]]',NULL);
INSERT INTO "versions" VALUES('v3','385397d6f9ea416dac042ea761e6407e',1,'That.','complete','m',1000000060.0,NULL,0.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "versions" VALUES('v5','dbf0a2123da84bbbb18dde7dca146949',1,'It is still bein','running','m',1000000060.0,0.1,1.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "versions" VALUES('v6','6bd89cbbb22243a59ba1b3056bff08f9',1,'','stopped','m',1000000120.0,NULL,0.0,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX conversations_owner ON conversations (owner, updated_at);
CREATE INDEX photos_digest ON photos (digest);
CREATE INDEX photos_waiting ON photos (waits_until) WHERE waits_until > 0;
CREATE INDEX images_photo ON images (photo);
COMMIT;
PRAGMA user_version = 4;
