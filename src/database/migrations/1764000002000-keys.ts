import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Rings, keys, their versions, aliases and registrations, policies of instances, and import tokens. */
export class Keys1764000002000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE "key_rings" (
        "instanceId" uuid        NOT NULL,
        "id"         text        NOT NULL,
        "createdBy"  text        NOT NULL,
        "createdAt"  timestamptz NOT NULL,
        CONSTRAINT "PK_key_rings" PRIMARY KEY ("instanceId", "id")
      )`);
    await db.query(`
      CREATE TABLE "keys" (
        "id"                  uuid        NOT NULL,
        "instanceId"          uuid        NOT NULL,
        "keyRingId"           text        NOT NULL,
        "name"                text        NOT NULL,
        "description"         text,
        "tags"                text[]      NOT NULL,
        "aliases"             text[]      NOT NULL,
        "extractable"         boolean     NOT NULL,
        "imported"            boolean     NOT NULL,
        "byImportToken"       boolean     NOT NULL,
        "bits"                integer     NOT NULL,
        "state"               smallint    NOT NULL,
        "versionId"           uuid        NOT NULL,
        "sealed"              bytea,
        "rotation"            jsonb,
        "dualAuthDelete"      jsonb,
        "setForDeletionBy"    text,
        "setForDeletionUntil" timestamptz,
        "createdBy"           text        NOT NULL,
        "createdAt"           timestamptz NOT NULL,
        "updatedAt"           timestamptz NOT NULL,
        "changedAt"           timestamptz NOT NULL,
        "syncedAt"            timestamptz,
        "rotatedAt"           timestamptz,
        "rotationDueAt"       timestamptz,
        "expiresAt"           timestamptz,
        "deletedAt"           timestamptz,
        "deletedBy"           text,
        CONSTRAINT "PK_keys" PRIMARY KEY ("id")
      )`);
    for (const [name, columns, where] of KEY_INDEXES) {
      await db.query(`CREATE INDEX "${name}" ON "keys" (${columns})${where === undefined ? '' : ` WHERE ${where}`}`);
    }
    await db.query(`
      CREATE TABLE "key_versions" (
        "id"         uuid        NOT NULL,
        "keyId"      uuid        NOT NULL,
        "instanceId" uuid        NOT NULL,
        "algorithm"  text        NOT NULL,
        "blob"       bytea       NOT NULL,
        "mac"        bytea       NOT NULL,
        "wraps"      bigint      NOT NULL,
        "createdAt"  timestamptz NOT NULL,
        CONSTRAINT "PK_key_versions" PRIMARY KEY ("id")
      )`);
    await db.query(`CREATE INDEX "key_versions_key" ON "key_versions" ("keyId", "createdAt")`);
    await db.query(`
      CREATE TABLE "key_aliases" (
        "instanceId" uuid        NOT NULL,
        "alias"      text        NOT NULL,
        "keyId"      uuid        NOT NULL,
        "createdBy"  text        NOT NULL,
        "createdAt"  timestamptz NOT NULL,
        CONSTRAINT "PK_key_aliases" PRIMARY KEY ("instanceId", "alias")
      )`);
    await db.query(`CREATE INDEX "key_aliases_key" ON "key_aliases" ("keyId")`);
    await db.query(`
      CREATE TABLE "key_registrations" (
        "keyId"              uuid        NOT NULL,
        "resourceCrn"        text        NOT NULL,
        "instanceId"         uuid        NOT NULL,
        "versionId"          uuid        NOT NULL,
        "description"        text,
        "preventKeyDeletion" boolean     NOT NULL,
        "createdBy"          text        NOT NULL,
        "createdAt"          timestamptz NOT NULL,
        "updatedBy"          text        NOT NULL,
        "updatedAt"          timestamptz NOT NULL,
        CONSTRAINT "PK_key_registrations" PRIMARY KEY ("keyId", "resourceCrn")
      )`);
    await db.query(`CREATE INDEX "key_registrations_instance" ON "key_registrations" ("instanceId", "keyId")`);
    await db.query(`
      CREATE TABLE "instance_policies" (
        "instanceId" uuid        NOT NULL,
        "type"       text        NOT NULL,
        "enabled"    boolean     NOT NULL,
        "attributes" jsonb       NOT NULL,
        "createdBy"  text        NOT NULL,
        "createdAt"  timestamptz NOT NULL,
        "updatedBy"  text        NOT NULL,
        "updatedAt"  timestamptz NOT NULL,
        CONSTRAINT "PK_instance_policies" PRIMARY KEY ("instanceId", "type")
      )`);
    await db.query(`
      CREATE TABLE "import_pairs" (
        "id"         uuid        NOT NULL,
        "instanceId" uuid        NOT NULL,
        "algorithm"  text        NOT NULL,
        "blob"       bytea       NOT NULL,
        "mac"        bytea       NOT NULL,
        "createdAt"  timestamptz NOT NULL,
        "takenAt"    timestamptz,
        CONSTRAINT "PK_import_pairs" PRIMARY KEY ("id")
      )`);
    await db.query(`CREATE INDEX "import_pairs_instance" ON "import_pairs" ("instanceId", "takenAt")`);
    await db.query(`
      CREATE TABLE "import_tokens" (
        "instanceId"           uuid        NOT NULL,
        "pairId"               uuid        NOT NULL,
        "nonce"                bytea       NOT NULL,
        "maxAllowedRetrievals" integer     NOT NULL,
        "remainingRetrievals"  integer     NOT NULL,
        "failures"             integer     NOT NULL,
        "pending"              integer     NOT NULL,
        "createdAt"            timestamptz NOT NULL,
        "expiresAt"            timestamptz NOT NULL,
        CONSTRAINT "PK_import_tokens" PRIMARY KEY ("instanceId")
      )`);
    await makeTotals(db);
  }

  async down(db: QueryRunner): Promise<void> {
    const made = ['import_tokens', 'import_pairs', 'instance_policies', 'key_registrations', 'key_aliases'];
    for (const table of [...made, 'key_versions', 'keys', 'key_totals', 'key_rings']) {
      await db.query(`DROP TABLE "${table}"`);
    }
    for (const event of ['insert', 'update', 'delete']) await db.query(`DROP FUNCTION "key_totals_${event}"()`);
  }
}

/** Every list and search reads along one of these. Lists leave destroyed keys out unless asked, thus the partial ones. */
const KEY_INDEXES: readonly (readonly [string, string, string?])[] = [
  ['keys_live', '"instanceId", "id"', '"state" <> 5'],
  ['keys_live_ring', '"instanceId", "keyRingId", "id"', '"state" <> 5'],
  ['keys_instance', '"instanceId", "id"'],
  ['keys_ring', '"instanceId", "keyRingId", "id"'],
  ['keys_state', '"instanceId", "state", "id"'],
  ['keys_extractable', '"instanceId", "extractable", "id"'],
  ['keys_imported', '"instanceId", "imported", "id"'],
  ['keys_created', '"instanceId", "createdAt", "id"'],
  ['keys_updated', '"instanceId", "updatedAt", "id"'],
  ['keys_rotated', '"instanceId", "rotatedAt", "id"'],
  ['keys_deleted', '"instanceId", "deletedAt", "id"'],
  ['keys_expires', '"instanceId", "expiresAt", "id"'],
  ['keys_due_expiry', '"expiresAt"', '"state" IN (1, 2) AND "expiresAt" IS NOT NULL'],
  ['keys_due_rotation', '"rotationDueAt"', '"state" = 1 AND "rotationDueAt" IS NOT NULL'],
  ['keys_due_purge', '"deletedAt"', '"state" = 5'],
  ['keys_due_authorization', '"setForDeletionUntil"', '"setForDeletionUntil" IS NOT NULL'],
];

/**
 * How many keys there are of each kind, kept by triggers in the transaction that changes them: quotas, counts and the
 * ceiling of searches must not count a million rows. Rows are touched in the order of the primary key, against deadlocks.
 */
async function makeTotals(db: QueryRunner): Promise<void> {
  await db.query(`
    CREATE TABLE "key_totals" (
      "instanceId"  uuid     NOT NULL,
      "keyRingId"   text     NOT NULL,
      "state"       smallint NOT NULL,
      "extractable" boolean  NOT NULL,
      "keys"        bigint   NOT NULL,
      CONSTRAINT "PK_key_totals" PRIMARY KEY ("instanceId", "keyRingId", "state", "extractable")
    )`);
  const plus = 'SELECT "instanceId", "keyRingId", "state", "extractable", 1 AS "n" FROM "added"';
  const minus = 'SELECT "instanceId", "keyRingId", "state", "extractable", -1 AS "n" FROM "gone"';
  const events = [
    ['insert', plus, 'NEW TABLE AS "added"'],
    ['update', `${plus} UNION ALL ${minus}`, 'OLD TABLE AS "gone" NEW TABLE AS "added"'],
    ['delete', minus, 'OLD TABLE AS "gone"'],
  ] as const;
  for (const [event, changes, tables] of events) {
    await db.query(`
      CREATE FUNCTION "key_totals_${event}"() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO "key_totals"
        SELECT "instanceId", "keyRingId", "state", "extractable", sum("n") FROM (${changes}) "changes"
        GROUP BY 1, 2, 3, 4 HAVING sum("n") <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT ("instanceId", "keyRingId", "state", "extractable")
        DO UPDATE SET "keys" = "key_totals"."keys" + excluded."keys";
        RETURN NULL;
      END $$`);
    await db.query(`
      CREATE TRIGGER "key_totals_${event}" AFTER ${event.toUpperCase()} ON "keys" REFERENCING ${tables}
      FOR EACH STATEMENT EXECUTE FUNCTION "key_totals_${event}"()`);
  }
}
