BEGIN TRANSACTION;
CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        title TEXT,                   -- NULL: called after its first question
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,     -- by its owner or the model: the order of the list
        touched_at REAL NOT NULL      -- read or updated: what the time to live counts from
    );
INSERT INTO "conversations" VALUES('caedb0b3831f4d8b902290315ee997b4','c79d1867236adc9cd9bb31f17d0b6ce6cc459782e3a63ea5cb89a5ea55a1594b',NULL,1000000000.0,1000000180.0,1000000180.0);
INSERT INTO "conversations" VALUES('0f48345b02ed4fadb3a573f525d12370','8af2f91453d6206100776bfea409a0966b7af7ee1529c8e464807c1ee12cbad3','Rot',1000000180.0,1000000180.0,1000000180.0);
INSERT INTO "conversations" VALUES('68be5b23581b41be81362df7743726a0','c79d1867236adc9cd9bb31f17d0b6ce6cc459782e3a63ea5cb89a5ea55a1594b',NULL,1000000240.0,1000000240.0,1000000240.0);
INSERT INTO "conversations" VALUES('8f6f03266dce4873aab1cc1d04e7e482','c79d1867236adc9cd9bb31f17d0b6ce6cc459782e3a63ea5cb89a5ea55a1594b',NULL,1000000240.0,1000000240.0,1000000240.0);
CREATE TABLE images (
        question TEXT NOT NULL REFERENCES questions ON DELETE CASCADE,
        number INTEGER NOT NULL,
        photo TEXT NOT NULL REFERENCES photos,    -- which keeps the photo from being removed
        name TEXT NOT NULL,
        max_tiles INTEGER NOT NULL,
        origin TEXT,                  -- JSON
        PRIMARY KEY (question, number)
    );
INSERT INTO "images" VALUES('d5c17ff93fee41178d4e988711c99e0a',0,'c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b','red.png',12,NULL);
INSERT INTO "images" VALUES('d5c17ff93fee41178d4e988711c99e0a',1,'f66750550bdedd027d8cdfb526a5fcf6bfa6cc7377a85bf89d2c25235dc17f9f','grey.jpg',1,NULL);
INSERT INTO "images" VALUES('f94a80579cb34853b1c93a63720108a3',0,'fbfbcfc85b3845fbf9b540a99d633af4a1d23df539c02b31813ecf05dab0c48f','red.png, crop',6,'["c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b", [0, 0, 47, 37], "crop"]');
INSERT INTO "images" VALUES('f94a80579cb34853b1c93a63720108a3',1,'a7d1aee7b89b6c4b36cc80d626d1e4ecce7f8e94f7c7b99c8264cf683c7e2a7c','grey.jpg, marked',2,'["f66750550bdedd027d8cdfb526a5fcf6bfa6cc7377a85bf89d2c25235dc17f9f", null, "mark"]');
INSERT INTO "images" VALUES('4e5b382b844e4a3abe391eb790704d6c',0,'c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b','rot.png',40,NULL);
INSERT INTO "images" VALUES('653acad5bf204f7285679fb309dde650',0,'c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b','again.png',2,NULL);
INSERT INTO "images" VALUES('653acad5bf204f7285679fb309dde650',1,'fbfbcfc85b3845fbf9b540a99d633af4a1d23df539c02b31813ecf05dab0c48f','red.png, crop',6,'["c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b", [0, 0, 47, 37], "crop"]');
CREATE TABLE photos (
        id TEXT PRIMARY KEY,
        mime TEXT NOT NULL,
        original INTEGER NOT NULL,    -- whether the file is the one that was sent
        digest TEXT NOT NULL,         -- sha256 of the file
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        added_at REAL NOT NULL        -- the last time
    , waits_until REAL NOT NULL DEFAULT 0);
INSERT INTO "photos" VALUES('c9bf18c899d9503288c1c572b91904a94432ac19687e4566e793783a218fc33b','image/png',0,'c1e89ae9a59463fc19f1b5c608313613f759433bc81225a50aebb82181fc88e2',90,70,1000000240.0,0.0);
INSERT INTO "photos" VALUES('f66750550bdedd027d8cdfb526a5fcf6bfa6cc7377a85bf89d2c25235dc17f9f','image/jpeg',1,'28a436bbcaa0939658229a587a330900db422fba0955e584a84c983a5c474ad4',40,30,1000000000.0,0.0);
INSERT INTO "photos" VALUES('fbfbcfc85b3845fbf9b540a99d633af4a1d23df539c02b31813ecf05dab0c48f','image/png',0,'4796dfebc0e67415efc1baac36501c829ea8beb43a2822b0de00c37809feda2f',47,37,1000000240.0,0.0);
INSERT INTO "photos" VALUES('a7d1aee7b89b6c4b36cc80d626d1e4ecce7f8e94f7c7b99c8264cf683c7e2a7c','image/png',0,'0d5eaf051b6ab92c9b381092c902ef2514cc5ff8fb2b1f3e71939300bc989269',40,30,1000000120.0,0.0);
INSERT INTO "photos" VALUES('2629a0fcb7233a17a2f0356a645b0fef24d36670d39a202acb566e82e07e693c','image/png',0,'a6892ea037fee68ab6e2d057c45527c1d194fa460ecf9e8b2d9220dd2b1f3669',20,20,1000000240.0,1000086640.0);
CREATE TABLE questions (
        id TEXT PRIMARY KEY,
        conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
        number INTEGER NOT NULL,
        text TEXT NOT NULL,
        chosen TEXT REFERENCES versions ON DELETE SET NULL,
        UNIQUE (conversation, number)
    );
INSERT INTO "questions" VALUES('d5c17ff93fee41178d4e988711c99e0a','caedb0b3831f4d8b902290315ee997b4',1,'What is red?','v2');
INSERT INTO "questions" VALUES('f94a80579cb34853b1c93a63720108a3','caedb0b3831f4d8b902290315ee997b4',2,'And here?',NULL);
INSERT INTO "questions" VALUES('4e5b382b844e4a3abe391eb790704d6c','0f48345b02ed4fadb3a573f525d12370',1,'Also red?',NULL);
INSERT INTO "questions" VALUES('653acad5bf204f7285679fb309dde650','68be5b23581b41be81362df7743726a0',1,'Again?',NULL);
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
INSERT INTO "versions" VALUES('v1','d5c17ff93fee41178d4e988711c99e0a',1,'A <ref>square</ref><box>[[0, 0, 1000, 1000]]</box>.','complete','the model',1000000060.0,0.5,2.0,'{"prompt_tokens": 700, "completion_tokens": 12, "cached_tokens": 600, "encoded_views": 3, "finish_reason": "length"}',NULL,NULL,NULL,'{"max_new_tokens": 99, "temperature": 0.0, "top_p": 1.0, "seed": null}');
INSERT INTO "versions" VALUES('v2','d5c17ff93fee41178d4e988711c99e0a',2,'Half','broken','the model',1000000060.0,0.1,1.0,NULL,'It broke.','Try again.','[["It broke.", {}], ["Try again.", {}]]',NULL);
INSERT INTO "versions" VALUES('v3','f94a80579cb34853b1c93a63720108a3',1,'It is still bein','running','the model',1000000180.0,0.2,0.4,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX conversations_owner ON conversations (owner, updated_at);
CREATE INDEX images_photo ON images (photo);
COMMIT;
PRAGMA user_version = 3;
