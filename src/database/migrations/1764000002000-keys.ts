import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Root keys and their wrapped versions. */
export class Keys1764000002000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE "keys" (
        "id"         uuid        PRIMARY KEY,
        "instanceId" uuid        NOT NULL,
        "name"       text        NOT NULL,
        "createdBy"  text        NOT NULL,
        "createdAt"  timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX "keys_instance" ON "keys" ("instanceId")`);
    await db.query(`
      CREATE TABLE "key_versions" (
        "id"        uuid        PRIMARY KEY,
        "keyId"     uuid        NOT NULL,
        "algorithm" text        NOT NULL,
        "state"     text        NOT NULL,
        "policy"    text        NOT NULL,
        "blob"      bytea       NOT NULL,
        "mac"       bytea       NOT NULL,
        "createdAt" timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX "key_versions_key" ON "key_versions" ("keyId")`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`DROP TABLE "key_versions"`);
    await db.query(`DROP TABLE "keys"`);
  }
}
