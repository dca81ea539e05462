import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { CliContext } from './context.js';
import { syncDirectory } from './files.js';

/**
 * What known_hosts is to ssh: the receipt key of each crypto unit, as this person saw it first. A receipt counts only
 * under the key in here. The file is `known-units.json` in KP_HOME, else in ~/.keystead: 0600, replaced as a whole,
 * changed only by the holder of `known-units.json.lock`.
 */
const KnownUnit = z.strictObject({
  instance: z.string(),
  /** SPKI DER, base64. */
  spki: z.base64(),
  /** SHA-256 of it, hex. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  since: z.string(),
});
export type KnownUnit = z.infer<typeof KnownUnit>;
const KnownFile = z.strictObject({ v: z.literal(1), units: z.record(z.string(), KnownUnit) });
type Known = z.infer<typeof KnownFile>;

const LOCK_PATIENCE_MS = 5_000;
const LOCK_POLL_MS = 25;

const codeOf = (thrown: unknown) => (thrown as NodeJS.ErrnoException).code;

export class KnownUnits {
  readonly #directory: string;
  readonly #path: string;

  constructor(private readonly ctx: Pick<CliContext, 'env' | 'now' | 'wait'>) {
    this.#directory = ctx.env['KP_HOME'] || join(ctx.env['HOME'] || homedir(), '.keystead');
    this.#path = join(this.#directory, 'known-units.json');
  }

  /** What is known of the unit; undefined when it was never seen. FILE_INVALID when the file cannot be trusted to say. */
  async find(unitId: string): Promise<KnownUnit | undefined> {
    return (await this.#read()).units[unitId];
  }

  /** Remembers the key of a unit in place of any other. */
  remember(unitId: string, instance: string, spki: Buffer, fingerprint: string): Promise<void> {
    const since = this.ctx.now().toISOString();
    const unit = { instance, spki: spki.toString('base64'), fingerprint, since };
    return this.#change((known) => ({ ...known, units: { ...known.units, [unitId]: unit } }));
  }

  /** Forgets a unit whose key is gone for good: it was zeroized. */
  forget(unitId: string): Promise<void> {
    return this.#change((known) => {
      const { [unitId]: _gone, ...units } = known.units;
      return { ...known, units };
    });
  }

  async #read(): Promise<Known> {
    try {
      return KnownFile.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return { v: 1, units: {} };
      throw new KeysteadError(
        'FILE_INVALID',
        `cannot read ${this.#path}: ${cause instanceof z.ZodError ? 'it is not in its format' : messageOf(cause)}; restore it, or move it away and compare the units' fingerprints again`,
        { cause },
      );
    }
  }

  async #change(edit: (known: Known) => Known): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const lock = `${this.#path}.lock`;
    await this.#take(lock);
    try {
      await replaceFile(this.#path, `${JSON.stringify(edit(await this.#read()), null, 2)}\n`);
    } finally {
      await unlink(lock);
    }
    await syncDirectory(this.#directory);
  }

  /** Makes the lock file; one left by a process that is gone is taken over. */
  async #take(lock: string): Promise<void> {
    const deadline = Date.now() + LOCK_PATIENCE_MS;
    while (!(await makeLock(lock))) {
      if (await isAbandoned(lock)) await unlink(lock).catch(ignoreMissing);
      else if (Date.now() > deadline) {
        throw new KeysteadError('FILE_EXISTS', `another kp holds ${lock}; when none runs, delete that file`);
      } else await this.ctx.wait(LOCK_POLL_MS);
    }
  }
}

async function makeLock(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, 'wx', 0o600);
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw cause;
  }
}

/** Whether the process that made the lock is gone. An empty file is a lock being written: not abandoned. */
async function isAbandoned(lock: string): Promise<boolean> {
  const pid = await readFile(lock, 'utf8').catch((cause: unknown) => {
    ignoreMissing(cause);
    return '';
  });
  if (!/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (cause) {
    return codeOf(cause) === 'ESRCH';
  }
}

function ignoreMissing(cause: unknown): void {
  if (codeOf(cause) !== 'ENOENT') throw cause;
}

async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomUUID()}`;
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}
