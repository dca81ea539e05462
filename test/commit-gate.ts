import pg from 'pg';
import { until } from './until.js';

const LOCK = 4711;
const PATIENCE_MS = 20_000;

/**
 * Holds the database in the middle of a commit, so that the server can be killed there, with nothing changed in the server:
 * a deferred trigger on every table counts the transactions that write, and lets the nth wait for a lock that we have.
 */
export class CommitGate {
  private constructor(private readonly client: pg.Client) {}

  static async on(databaseUrl: string): Promise<CommitGate> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await client.query(GATE);
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    return new CommitGate(client);
  }

  /** The nth transaction from now on waits in its commit. */
  async holdAt(nth: number): Promise<void> {
    await this.client.query(`SELECT setval('gate_commits', $1)`, [-nth]);
  }

  /** No transaction waits from now on. */
  async open(): Promise<void> {
    await this.client.query(`SELECT setval('gate_commits', 1)`);
  }

  /** The backend that waits in its commit now. */
  async held(): Promise<number | undefined> {
    const { rows } = await this.client.query(
      `SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = "database"
       WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()`,
    );
    return rows[0]?.pid;
  }

  /** The backend goes on with its commit, for nobody, or its transaction never was. It is gone when this returns. */
  async letGo(backend: number, how: 'commit' | 'roll back'): Promise<void> {
    await this.open();
    if (how === 'roll back') await this.client.query('SELECT pg_terminate_backend($1)', [backend]);
    else await this.client.query('SELECT pg_advisory_unlock($1)', [LOCK]);
    const isGone = async () => {
      const { rows } = await this.client.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [backend]);
      return rows.length === 0;
    };
    await until(isGone, PATIENCE_MS, () => 'the held transaction does not end');
    if (how === 'commit') await this.client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  }

  end(): Promise<void> {
    return this.client.end();
  }
}

/** A sequence counts, since it does not go back with a transaction; the setting tells the rows of one transaction apart. */
const GATE = `
  CREATE SEQUENCE gate_commits MINVALUE -1000000 START 1;
  CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF current_setting('gate.transaction', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
      PERFORM set_config('gate.transaction', pg_current_xact_id()::text, true);
      IF nextval('gate_commits') = 0 THEN PERFORM pg_advisory_xact_lock(${LOCK}); END IF;
    END IF;
    RETURN NULL;
  END $$;
  DO $$
  DECLARE at regclass;
  BEGIN
    FOR at IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
      EXECUTE format(
        'CREATE CONSTRAINT TRIGGER gate AFTER INSERT OR UPDATE OR DELETE ON %s
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_gate()', at);
    END LOOP;
  END $$`;
