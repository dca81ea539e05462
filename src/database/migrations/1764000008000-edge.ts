import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Edge1764000008000 implements MigrationInterface {
  readonly name = 'Edge1764000008000';

  async up(db: QueryRunner): Promise<void> {
    // unlogged: a crash of PostgreSQL may forget failed logins, and they cost no write-ahead log
    await db.query(`
      CREATE UNLOGGED TABLE "failed_attempts" (
        "place"     text        NOT NULL,
        "forgotten" timestamptz NOT NULL,
        CONSTRAINT "PK_failed_attempts" PRIMARY KEY ("place")
      )`);
    await db.query(`CREATE INDEX "failed_attempts_forgotten" ON "failed_attempts" ("forgotten")`);
    await db.query(`ALTER TABLE "api_keys" ADD COLUMN "bootstrap" boolean`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE "api_keys" DROP COLUMN "bootstrap"`);
    await db.query(`DROP TABLE "failed_attempts"`);
  }
}
