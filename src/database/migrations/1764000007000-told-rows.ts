import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Key rows say where the audit log stood when they were changed, and lines that tell of a row are found by its id. */
export class ToldRows1764000007000 implements MigrationInterface {
  readonly name = 'ToldRows1764000007000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE "keys" ADD COLUMN "auditSeq" bigint`);
    await db.query(`
      CREATE INDEX "audit_lines_rows" ON "audit_lines" ("target" COLLATE "C", "seq" DESC)
      WHERE "detail" LIKE '%"row":{"of":%'`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`DROP INDEX "audit_lines_rows"`);
    await db.query(`ALTER TABLE "keys" DROP COLUMN "auditSeq"`);
  }
}
