import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ApiKeys1764000000100 implements MigrationInterface {
  readonly name = 'ApiKeys1764000000100';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE "api_keys" (
        "id"        uuid           NOT NULL,
        "name"      text           NOT NULL,
        "hash"      bytea          NOT NULL,
        "roles"     text[]         NOT NULL,
        "scopes"    jsonb          NOT NULL,
        "createdAt" timestamptz    NOT NULL,
        "expiresAt" timestamptz,
        "revokedAt" timestamptz,
        CONSTRAINT "PK_api_keys" PRIMARY KEY ("id")
      )`);
    await db.query(`CREATE UNIQUE INDEX "UQ_api_keys_hash" ON "api_keys" ("hash")`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`DROP TABLE "api_keys"`);
  }
}
