import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Instances, their crypto units, and the operations of administrators on them. */
export class Instances1764000001000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE "instances" (
        "id"          uuid        PRIMARY KEY,
        "name"        text        NOT NULL,
        "cryptoUnits" integer     NOT NULL,
        "createdAt"   timestamptz NOT NULL,
        "mkvp"        text,
        "deletedAt"   timestamptz
      )`);
    await db.query(`
      CREATE TABLE "crypto_units" (
        "id"           uuid        PRIMARY KEY,
        "instanceId"   uuid        NOT NULL,
        "ordinal"      integer     NOT NULL,
        "descriptor"   jsonb       NOT NULL,
        "serial"       text,
        "claimedEpoch" text,
        "receiptKey"   bytea,
        "lastRecord"   jsonb,
        "seenAt"       timestamptz,
        "capabilities" jsonb,
        "maintenance"  boolean     NOT NULL,
        "createdAt"    timestamptz NOT NULL,
        "retiredAt"    timestamptz
      )`);
    await db.query(`CREATE INDEX "crypto_units_instance" ON "crypto_units" ("instanceId")`);
    await db.query(`
      CREATE TABLE "operations" (
        "id"         uuid        PRIMARY KEY,
        "instanceId" uuid        NOT NULL,
        "op"         text        NOT NULL,
        "documents"  text[]      NOT NULL,
        "by"         text        NOT NULL,
        "createdAt"  timestamptz NOT NULL
      )`);
    await db.query(`
      CREATE TABLE "operation_units" (
        "operationId"  uuid    NOT NULL,
        "unitId"       uuid    NOT NULL,
        "document"     integer NOT NULL,
        "outcome"      text    NOT NULL,
        "receipt"      text,
        "errorCode"    text,
        "errorMessage" text,
        "finishedAt"   timestamptz,
        PRIMARY KEY ("operationId", "unitId")
      )`);
    await db.query(
      `CREATE INDEX "operation_units_pending" ON "operation_units" ("outcome") WHERE "outcome" = 'pending'`,
    );
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of ['operation_units', 'operations', 'crypto_units', 'instances']) {
      await db.query(`DROP TABLE "${table}"`);
    }
  }
}
