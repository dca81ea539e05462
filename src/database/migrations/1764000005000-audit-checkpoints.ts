import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The advisory lock that makes one chain of all appends, as src/audit/audit-log.ts names it. */
const CHAIN_LOCK = 0x6b7361;

export class AuditCheckpoints1764000005000 implements MigrationInterface {
  readonly name = 'AuditCheckpoints1764000005000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE "audit_checkpoints" (
        "id"         uuid        NOT NULL,
        "unitId"     uuid        NOT NULL,
        "instanceId" uuid        NOT NULL,
        "epoch"      text        NOT NULL,
        "size"       bigint      NOT NULL,
        "root"       bytea       NOT NULL,
        "at"         timestamptz NOT NULL,
        "document"   text        NOT NULL,
        "receiptKey" bytea       NOT NULL,
        CONSTRAINT "PK_audit_checkpoints" PRIMARY KEY ("id")
      )`);
    await db.query(`CREATE INDEX "audit_checkpoints_unit" ON "audit_checkpoints" ("unitId", "epoch", "at")`);
    await this.#makeAppend(db);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`DROP FUNCTION "audit_append"(bigint, bytea, json)`);
    await db.query(`DROP TABLE "audit_checkpoints"`);
  }

  /**
   * Appends lines in one round trip, if the log still ends where the caller thinks, and answers where it ended before.
   * Each statement of the body sees what was committed before it: the end of the log is read under the lock.
   */
  async #makeAppend(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE FUNCTION "audit_append"("size" bigint, "root" bytea, "lines" json, OUT "seq" bigint, OUT "hash" bytea)
      LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(${CHAIN_LOCK});
        SELECT "l"."seq", "l"."hash" INTO "seq", "hash" FROM "audit_lines" "l" ORDER BY "l"."seq" DESC LIMIT 1;
        "seq" := coalesce("seq", 0);
        IF "seq" = "size" AND ("hash" IS NULL OR "hash" = "root") THEN
          INSERT INTO "audit_lines" SELECT * FROM json_populate_recordset(NULL::"audit_lines", "lines");
        END IF;
      END $$`);
  }
}
