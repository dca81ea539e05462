import { z } from 'zod';
import { type ErrorCode, KeysteadError } from '../shared/errors.js';
import type { SignedOp } from '../shared/unit-state.js';

/** What each signed op carries: one strict shape per op, shared by kp, which signs it, and the agent, which obeys it. */

const CONTROL = /\p{Cc}/u;

/** 1 to 255 characters, none of them a control character: it is shown to people and kept as text. */
export const Line = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => !CONTROL.test(text), 'has a control character');

/** The name of an administrator or of the kmsCryptoUser. */
export const UserName = Line;

/** The name of a master key: 1 to 8 printable ASCII characters, no blank at either end. */
export const MasterKeyName = z
  .string()
  .regex(/^(?! )[\x20-\x7e]{1,8}(?<! )$/, 'is not 1 to 8 printable ASCII characters without a blank at either end');

/** So many bytes in lower-case hex. */
export const hexOf = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `is not ${bytes} bytes in lower-case hex`);

/** Strict padded base64 (RFC 4648 section 4) of `least` to `most` bytes. */
export const base64Of = (least: number, most = least) =>
  z.string().refine(
    (text) => {
      const bytes = Buffer.from(text, 'base64');
      return bytes.toString('base64') === text && bytes.length >= least && bytes.length <= most;
    },
    `is not base64 of ${least === most ? least : `${least} to ${most}`} bytes`,
  );

/** A moment as Date.prototype.toISOString writes it. */
export const Moment = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text, 'is not a UTC time');

const Pem = z.string().min(1).max(16_384);
export const OaepHash = z.enum(['SHA-1', 'SHA-256']);

/** t of n: 2 ≤ t ≤ n ≤ 255. */
export const ShareCount = z.int().min(2).max(255);

/** So many administrators can sign one command. */
export const MAX_SIGNERS = 16;

/** How many administrators must sign each command. */
export const Threshold = z.int().min(1).max(MAX_SIGNERS);

export const ImportArgs = z
  .strictObject({
    mkId: hexOf(16),
    setId: hexOf(16),
    name: MasterKeyName,
    algorithm: z.literal('AES-256'),
    t: ShareCount,
    n: ShareCount,
    mkvp: hexOf(16),
    createdAt: Moment,
    /** The check key under mk-wrap (AES-KW, RFC 3394), and what a unit that opens it answers. */
    check: z.strictObject({ blob: base64Of(40), answer: hexOf(32) }),
    /** Per unit id: SHA-256 of the importer's SPKI, and both keys encrypted to it with RSAES-OAEP. */
    units: z
      .record(
        z.string().min(1).max(255),
        z.strictObject({ importer: hexOf(32), oaep: OaepHash, wrap: base64Of(256, 1024), mac: base64Of(256, 1024) }),
      )
      .refine((units) => Object.keys(units).length > 0, 'names no unit'),
  })
  .refine(({ t, n }) => t <= n, 'has a threshold above the number of shares');

export const COMMAND_ARGS = {
  'mk.random': z.strictObject({ bytes: z.literal(32) }),
  'mk.importer': z.strictObject({}),
  'mk.import': ImportArgs,
  'user.add': z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('admin'), name: UserName, certificate: Pem }),
    z.strictObject({ type: z.literal('kmsCryptoUser'), name: UserName, publicKey: Pem }),
  ]),
  'user.remove': z.strictObject({ name: UserName }),
  'threshold.set': z.strictObject({ threshold: Threshold }),
  /** The audit log as it was restored: so many lines, and the hash of the last. */
  'restore.accept': z.strictObject({ size: z.int().min(0), root: hexOf(32) }),
  zeroize: z.strictObject({ force: z.boolean() }),
} as const satisfies Record<SignedOp, z.ZodType>;

export type CommandArgs = { readonly [Op in SignedOp]: z.infer<(typeof COMMAND_ARGS)[Op]> };

/** The args of an op in their exact shape. Throws COMMAND_MALFORMED. */
export function readArgs<Op extends SignedOp>(op: Op, args: unknown): CommandArgs[Op] {
  return inShape(COMMAND_ARGS[op], args, `the args of ${op}`, 'COMMAND_MALFORMED') as CommandArgs[Op];
}

/** The value when it has the shape; else the code, with `what` and the first thing that is wrong. Never quotes a value. */
export function inShape<Shape extends z.ZodType>(
  shape: Shape,
  value: unknown,
  what: string,
  code: ErrorCode,
): z.infer<Shape> {
  const read = shape.safeParse(value);
  if (read.success) return read.data;
  const { path, message } = read.error.issues[0] ?? { path: [], message: 'is malformed' };
  throw new KeysteadError(code, `${what}: ${[path.join('.'), message].filter(Boolean).join(': ')}`);
}
