import type { DataSource } from 'typeorm';

/** Does the work unless another server is at it; false when one is. The lock goes with its transaction, whatever happens. */
export async function onceAmongServers(db: DataSource, name: string, work: () => Promise<void>): Promise<boolean> {
  return db.transaction(async (tx) => {
    await tx.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    const [row] = await tx.query<{ taken: boolean }[]>(
      'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "taken"',
      [`keystead/job/${name}`],
    );
    if (!row?.taken) return false;
    await work();
    return true;
  });
}
