import type { Command, Query } from '@nestjs/cqrs';
import type { z } from 'zod';
import type { Caller } from '../../access/caller.js';
import type { RequestClass } from '../../access/gate.js';
import type { KeyTarget } from '../../keys/key-target.js';
import { blobIn } from './blob.js';
import type { Refusals } from './errors.js';
import { keyNamed } from './parameters.js';

/** What an operation was asked, checked. */
export interface Asked<Given> {
  readonly by: Caller;
  readonly instanceId: string;
  readonly given: Given;
  /** The gate, as this caller. */
  readonly ask: <T>(request: Command<T> | Query<T>) => Promise<T>;
  /** A key of the instance, by id or alias. */
  readonly at: (key: string) => KeyTarget;
}

/** One operation of the API, said once: its name, who may ask, what it reads, its own refusals, and what it answers. */
export interface Operation<Schema extends z.ZodType = z.ZodType> {
  /** The value of `Action`. */
  readonly name: string;
  /** The command or query whose permission decides. */
  readonly request: RequestClass;
  readonly parameters: Schema;
  /** Codes of ours that this operation calls otherwise than the table does. */
  readonly refusals?: Refusals;
  /** Knows `DryRun`: the key that the parameters name is looked at, and nothing is done. */
  readonly dryRun?: true;
  /** The members of the answer, without `RequestId`. */
  readonly serve: (asked: Asked<z.output<Schema>>) => Promise<object>;
}

/** The operation, its types checked; what is kept no longer says which schema it was. */
export function operation<Schema extends z.ZodType>(given: Operation<Schema>): Operation {
  return given as unknown as Operation;
}

/** The key that a call is about, before its parameters are checked; undefined when it names none. */
export function keyOf(parameters: ReadonlyMap<string, string>): string | undefined {
  const named = parameters.get('KeyId') ?? parameters.get('DestinationKeyId') ?? parameters.get('AliasName');
  if (named !== undefined) return keyNamed(named);
  return blobIn(parameters.get('CiphertextBlob') ?? '')?.keyId;
}
