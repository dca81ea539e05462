import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AuditLines1764000000000 implements MigrationInterface {
  readonly name = 'AuditLines1764000000000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE "audit_lines" (
        "seq"        bigint         NOT NULL,
        "at"         timestamptz(3) NOT NULL,
        "act"        text           NOT NULL,
        "outcome"    text           NOT NULL,
        "by"         text           NOT NULL,
        "instanceId" text,
        "unitId"     text,
        "target"     text,
        "detail"     text,
        "hash"       bytea          NOT NULL,
        CONSTRAINT "PK_audit_lines" PRIMARY KEY ("seq")
      )`);
    await db.query(`
      CREATE FUNCTION "audit_lines_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit_lines is append-only: % refused', TG_OP;
      END $$`);
    await db.query(`
      CREATE TRIGGER "audit_lines_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_lines"
      FOR EACH STATEMENT EXECUTE FUNCTION "audit_lines_append_only"()`);
    await db.query(`ALTER TABLE "audit_lines" ENABLE ALWAYS TRIGGER "audit_lines_append_only"`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`DROP TABLE "audit_lines"`);
    await db.query(`DROP FUNCTION "audit_lines_append_only"()`);
  }
}
