import { z } from 'zod';
import {
  base64Of,
  type CommandArgs,
  hexOf,
  MasterKeyName,
  Moment,
  OaepHash,
  ShareCount,
} from '../admins/command-args.js';
import type { ErrorCode } from '../shared/errors.js';

/** What kp and the ceremony process say to each other: one request and one answer, JSON, secrets in base64. */

const ShareFile = z.strictObject({ file: z.string().min(1).max(4096), passphrase: base64Of(0, 1020) });
const ShareFiles = z.array(ShareFile).min(1).max(255);
const Instance = z.string().min(1).max(255);
/** For tests of large sets; the default is DEFAULT_COST, and below the least N a reader refuses the file. */
const ScryptN = z
  .int()
  .min(2 ** 14)
  .max(2 ** 20);

export const RequestShape = z.discriminatedUnion('job', [
  z.strictObject({
    job: z.literal('generate'),
    instance: Instance,
    unitRandom: base64Of(32),
    name: MasterKeyName,
    t: ShareCount,
    shares: ShareFiles,
    scryptN: ScryptN.optional(),
  }),
  z.strictObject({
    job: z.literal('import'),
    instance: Instance,
    shares: ShareFiles,
    units: z
      .array(z.strictObject({ id: z.string().min(1).max(255), importer: base64Of(1, 2048), oaep: OaepHash }))
      .min(1)
      .max(64),
  }),
  z.strictObject({ job: z.literal('verify'), shares: ShareFiles }),
  z.strictObject({
    job: z.literal('reshare'),
    shares: ShareFiles,
    to: ShareFiles,
    t: ShareCount,
    scryptN: ScryptN.optional(),
  }),
]);
export type WireRequest = z.infer<typeof RequestShape>;
export type JobName = WireRequest['job'];
export type WireRequestOf<Job extends JobName> = Extract<WireRequest, { job: Job }>;

/** What the share files of a master key say of it. */
const set = {
  mkId: hexOf(16),
  setId: hexOf(16),
  instance: Instance,
  name: MasterKeyName,
  algorithm: z.literal('AES-256'),
  t: ShareCount,
  n: ShareCount,
  mkvp: hexOf(16),
  createdAt: Moment,
};
const SetAnswer = z.strictObject(set);
export type SetFacts = Readonly<z.infer<typeof SetAnswer>>;

export interface MadeSet extends SetFacts {
  /** The files, share 1 first. */
  readonly files: readonly string[];
}
export interface Verification {
  /** One line per file, in the order given. */
  readonly files: readonly {
    readonly file: string;
    readonly index: number | null;
    readonly error: { readonly code: ErrorCode; readonly message: string } | null;
  }[];
  /** What all good files say; null when none is good or they are not of one set. */
  readonly set: SetFacts | null;
  /** The MKVP of the combined key; null when the good files are fewer than t, or not of one set. */
  readonly mkvp: string | null;
  /** What is wrong with the files together; null when nothing is. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface CeremonyAnswers {
  readonly generate: MadeSet;
  readonly import: CommandArgs['mk.import'];
  readonly verify: Verification;
  readonly reshare: MadeSet;
}

export type WireAnswer =
  | { readonly ok: true; readonly answer: CeremonyAnswers[JobName] }
  | { readonly ok: false; readonly error: { readonly code: ErrorCode; readonly message: string } };
