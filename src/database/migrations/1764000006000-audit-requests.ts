import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lines say in which request an act was asked for. `audit_append` takes the table's columns as they are. */
export class AuditRequests1764000006000 implements MigrationInterface {
  readonly name = 'AuditRequests1764000006000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE "audit_lines" ADD COLUMN "correlationId" text, ADD COLUMN "requestPath" text`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE "audit_lines" DROP COLUMN "correlationId", DROP COLUMN "requestPath"`);
  }
}
