import type { MigrationInterface, QueryRunner } from 'typeorm';

/** External keys, what clients import their material with, grants, and access keys of clients that sign requests. */
export class Byok1764000003000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await widenKeys(db);
    await db.query(`DROP INDEX "import_pairs_instance"`);
    await db.query(
      `CREATE INDEX "import_pairs_pool" ON "import_pairs" ("instanceId", "algorithm", "createdAt") WHERE "takenAt" IS NULL`,
    );
    await db.query(`
      CREATE TABLE "import_parameters" (
        "id"         uuid        NOT NULL,
        "tokenHash"  bytea       NOT NULL,
        "instanceId" uuid        NOT NULL,
        "keyId"      uuid        NOT NULL,
        "pairId"     uuid        NOT NULL,
        "algorithm"  text        NOT NULL,
        "failures"   integer     NOT NULL,
        "pending"    integer     NOT NULL,
        "createdAt"  timestamptz NOT NULL,
        "expiresAt"  timestamptz NOT NULL,
        CONSTRAINT "PK_import_parameters" PRIMARY KEY ("id")
      )`);
    await db.query(`CREATE UNIQUE INDEX "UQ_import_parameters_token" ON "import_parameters" ("tokenHash")`);
    await db.query(`CREATE INDEX "import_parameters_key" ON "import_parameters" ("keyId")`);
    await db.query(`CREATE INDEX "import_parameters_expires" ON "import_parameters" ("expiresAt")`);
    await db.query(`CREATE INDEX "import_parameters_burnt" ON "import_parameters" ("id") WHERE "failures" >= 10`);
    await db.query(`
      CREATE TABLE "key_grants" (
        "id"                text        NOT NULL,
        "instanceId"        uuid        NOT NULL,
        "keyId"             uuid        NOT NULL,
        "name"              text        NOT NULL,
        "operations"        text[]      NOT NULL,
        "grantee"           text        NOT NULL,
        "retiringPrincipal" text,
        "createdBy"         text        NOT NULL,
        "createdAt"         timestamptz NOT NULL,
        CONSTRAINT "PK_key_grants" PRIMARY KEY ("id")
      )`);
    await db.query(`CREATE INDEX "key_grants_key" ON "key_grants" ("keyId", "createdAt", "id")`);
    await db.query(`CREATE INDEX "key_grants_grantee" ON "key_grants" ("keyId", "grantee")`);
    await db.query(
      `CREATE INDEX "key_grants_retiring" ON "key_grants" ("instanceId", "retiringPrincipal", "createdAt", "id")`,
    );
    await makeAccessKeys(db);
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of ['access_nonces', 'access_keys', 'key_grants', 'import_parameters']) {
      await db.query(`DROP TABLE "${table}"`);
    }
    await db.query(`DROP INDEX "import_pairs_pool"`);
    await db.query(`CREATE INDEX "import_pairs_instance" ON "import_pairs" ("instanceId", "takenAt")`);
    for (const [name] of KEY_INDEXES) await db.query(`DROP INDEX "${name}"`);
    for (const column of NEW_COLUMNS) await db.query(`ALTER TABLE "keys" DROP COLUMN "${column}"`);
  }
}

const NEW_COLUMNS = [
  ...['external', 'algorithm', 'usage', 'labels', 'materialExpiresAt', 'materialBinding', 'deletionDueAt'],
];

const KEY_INDEXES = [
  ['keys_listed', `("instanceId", "createdAt", "id") WHERE "state" <> 5 AND NOT "extractable"`],
  ['keys_labels', `USING gin ("labels") WHERE "labels" <> '{}'`],
  ['keys_due_material', `("materialExpiresAt") WHERE "state" IN (1, 2) AND "materialExpiresAt" IS NOT NULL`],
  ['keys_due_deletion', `("deletionDueAt") WHERE "deletionDueAt" IS NOT NULL`],
] as const;

/** The keys that are there were all made with their material, and have the algorithm of their latest version. */
async function widenKeys(db: QueryRunner): Promise<void> {
  await db.query(`
    ALTER TABLE "keys"
      ADD COLUMN "external"          boolean     NOT NULL DEFAULT false,
      ADD COLUMN "algorithm"         text        NOT NULL DEFAULT 'AES-256',
      ADD COLUMN "usage"             text        NOT NULL DEFAULT 'ENCRYPT_DECRYPT',
      ADD COLUMN "labels"            jsonb       NOT NULL DEFAULT '{}',
      ADD COLUMN "materialExpiresAt" timestamptz,
      ADD COLUMN "materialBinding"   bytea,
      ADD COLUMN "deletionDueAt"     timestamptz`);
  await db.query(`
    UPDATE "keys" SET "algorithm" = "v"."algorithm" FROM "key_versions" "v"
    WHERE "v"."id" = "keys"."versionId" AND "v"."algorithm" <> 'AES-256'`);
  for (const column of ['external', 'algorithm', 'usage', 'labels']) {
    await db.query(`ALTER TABLE "keys" ALTER COLUMN "${column}" DROP DEFAULT`);
  }
  for (const [name, what] of KEY_INDEXES) {
    await db.query(`CREATE INDEX "${name}" ON "keys" ${what}`);
  }
}

async function makeAccessKeys(db: QueryRunner): Promise<void> {
  await db.query(`
    CREATE TABLE "access_keys" (
      "id"         text        NOT NULL,
      "dialect"    text        NOT NULL,
      "instanceId" uuid        NOT NULL,
      "name"       text        NOT NULL,
      "roles"      text[]      NOT NULL,
      "scopes"     jsonb       NOT NULL,
      "blob"       bytea       NOT NULL,
      "mac"        bytea       NOT NULL,
      "sealed"     bytea       NOT NULL,
      "createdAt"  timestamptz NOT NULL,
      "expiresAt"  timestamptz,
      "revokedAt"  timestamptz,
      CONSTRAINT "PK_access_keys" PRIMARY KEY ("id")
    )`);
  await db.query(`CREATE INDEX "access_keys_instance" ON "access_keys" ("instanceId", "createdAt")`);
  await db.query(`
    CREATE TABLE "access_nonces" (
      "accessKeyId" text        NOT NULL,
      "nonceHash"   bytea       NOT NULL,
      "until"       timestamptz NOT NULL,
      CONSTRAINT "PK_access_nonces" PRIMARY KEY ("accessKeyId", "nonceHash")
    )`);
  await db.query(`CREATE INDEX "access_nonces_until" ON "access_nonces" ("until")`);
}
