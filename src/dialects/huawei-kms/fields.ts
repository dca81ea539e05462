import { z } from 'zod';
import type { KmsCode } from './refusals.js';

/** What members of requests look like. The message of each is the code that refuses it. */

const UUID = /^[0-9a-z]{8}(-[0-9a-z]{4}){3}-[0-9a-z]{12}$/;
const NAMED = /^(alias\/[a-zA-Z0-9:/_-]{1,249}|[0-9a-z]{8}(-[0-9a-z]{4}){3}-[0-9a-z]{12})$/;
const ALIAS_URN = /^urn:[^\s]*:(alias\/[a-zA-Z0-9:/_-]{1,249})$/;
const SEQUENCE_CHARACTERS = 36;
const HEX_DIGITS = /^(?:[0-9a-fA-F]{2})*$/;

/** The id of a key. */
export const KeyId = text('KMS.0205').regex(UUID, 'KMS.0205');

/** The id of a key, or one of its aliases: `alias/x`, or a URN that ends so. */
export const KeyName = text('KMS.0205')
  .transform((name) => ALIAS_URN.exec(name)?.[1] ?? name)
  .refine((name) => NAMED.test(name), 'KMS.0205');

export const KeyAlias = text('KMS.1101')
  .regex(/^[a-zA-Z0-9:/_-]{1,255}$/, 'KMS.1101')
  .refine((alias) => !alias.endsWith('/default'), 'KMS.1101');

export const Description = text('KMS.1103').max(255, 'KMS.1103').refine(hasNoNul, 'KMS.1103');

/** Text without NUL, which the database cannot hold. */
export function text(code: KmsCode) {
  return z.string(code);
}

export function hasNoNul(value: string): boolean {
  return !value.includes('\0');
}

/** An integer, as a number or as digits: clients send both. */
export function integer(code: KmsCode, least: number, most: number) {
  const digits = z.string().regex(/^-?[0-9]{1,16}$/, code);
  return z
    .union([z.int(), digits], code)
    .transform(Number)
    .refine((value) => value >= least && value <= most, code);
}

/** As `integer`; absent when it is empty text. */
export function optionalInteger(code: KmsCode, least: number, most: number) {
  const blank = z.literal('').transform(() => undefined);
  return z.union([blank, integer(code, least, most)], code).optional();
}

/** Base64 (RFC 4648 section 4) of so many characters, as bytes. */
export function base64(code: KmsCode, least: number, most: number) {
  return text(code)
    .min(least, code)
    .max(most, code)
    .transform((given) => [given, Buffer.from(given, 'base64')] as const)
    .refine(([given, bytes]) => bytes.toString('base64') === given, code)
    .transform(([, bytes]) => bytes);
}

/** Hexadecimal digits in either case, blanks between them left out, as bytes. */
export function hex(code: KmsCode, most: number) {
  return text(code)
    .transform((given) => given.replace(/\s/g, ''))
    .refine((digits) => digits.length > 0 && digits.length <= most && HEX_DIGITS.test(digits), code)
    .transform((digits) => Buffer.from(digits, 'hex'));
}

/** A request's own number: 36 characters. Accepted and not used. */
const Sequence = z.union([z.literal(''), z.string().length(SEQUENCE_CHARACTERS, 'KMS.0206')], 'KMS.0206').optional();

/** The body of a request. */
export function body<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object({ ...shape, sequence: Sequence });
}
