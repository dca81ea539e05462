import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type DirectoryLock, lockDirectory } from '../shared/directory-lock.js';
import { isThere, readIfThere, removeDurably, writeDurably } from '../shared/durable-file.js';
import { KeysteadError, messageOf } from '../shared/errors.js';

const UnitConfig = z.object({
  v: z.literal(1),
  id: z.uuid(),
  /** The instance for which the server made the unit; an agent that runs by itself learns it from the claim. */
  instance: z.uuid().optional(),
  provider: z.enum(['softhsm', 'generic']),
  module: z.string().min(1),
  label: z.string().optional(),
  serial: z.string().optional(),
  parameters: z.string().optional(),
  pinFile: z.string().optional(),
  recordStore: z.enum(['token', 'file']).default('token'),
});
/** unit.json: what the server, or the command line of an agent that runs by itself, says about the unit. */
export type UnitConfig = z.infer<typeof UnitConfig>;

const Mark = z.strictObject({ v: z.literal(1), serial: z.string(), epoch: z.string(), seq: z.int() });
/**
 * `claimed`: the last commit that this agent finished. It tells a lost record from one that never was, and a token
 * directory of yesterday from today's: the record on the token must be at least as new.
 */
export type Mark = z.infer<typeof Mark>;

/** The directory of one crypto unit: unit.json, and beside it what the agent itself keeps there. */
export class UnitDir {
  readonly path: string;
  readonly config: UnitConfig;

  /** Throws CONFIG_INVALID when unit.json is missing or is not one. */
  constructor(path: string) {
    try {
      this.path = realpathSync(path);
      this.config = UnitConfig.parse(JSON.parse(readIfThere(join(path, 'unit.json'))?.toString('utf8') ?? 'null'));
    } catch (cause) {
      throw new KeysteadError('CONFIG_INVALID', `${path} is not the directory of a crypto unit: ${messageOf(cause)}`);
    }
  }

  get id(): string {
    return this.config.id;
  }

  /**
   * The kernel's lock on the unit: one agent per token directory, because two processes that log in to one SoftHSM token
   * break each other. Undefined when another process holds it.
   */
  lock(): Promise<DirectoryLock | undefined> {
    return lockDirectory(this.path, 'agent');
  }

  at(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return isThere(this.at(name));
  }

  read(name: string): Buffer | undefined {
    return readIfThere(this.at(name));
  }

  write(name: string, data: Buffer | string): void {
    writeDurably(this.at(name), data);
  }

  remove(name: string): void {
    removeDurably(this.at(name));
  }

  /** The serial of the token that this agent made; undefined before there is one. */
  serial(): string | undefined {
    return this.read('serial')?.toString('utf8').trim();
  }

  mark(): Mark | undefined {
    const text = this.read('claimed')?.toString('utf8');
    return text === undefined ? undefined : Mark.parse(JSON.parse(text));
  }

  setMark(mark: Mark): void {
    this.write('claimed', `${JSON.stringify(mark)}\n`);
  }
}
