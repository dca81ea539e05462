import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { sha256 } from '../shared/bytes.js';
import { needs } from '../shared/errors.js';
import { parseStrictJson } from '../shared/strict-json.js';
import { base64Of, inShape, MAX_SIGNERS } from './command-args.js';
import { spkiOf } from './public-key.js';
import {
  type CommandPayload,
  type CommandSignature,
  DOCUMENT_MEMBERS,
  encodePayload,
  type ParsedCommand,
  parseDocument,
  signatureOver,
  verifies,
} from './signed-command.js';

/**
 * A command on its way from one administrator to the next: JWS General JSON (RFC 7515 section 7.2.1) with none, some or all
 * of its signatures, and two members beside them that a reader of JWS ignores and that never reach a unit:
 *  - `unitFacts`: what each unit signed about itself when the command was made, and the receipt key it signed with;
 *  - `adminKeys`: the public keys of those who signed, so that their signatures can be checked without any server.
 */
const Shape = z.strictObject({
  ...DOCUMENT_MEMBERS,
  unitFacts: z.array(z.strictObject({ receiptKey: base64Of(1, 255), receipt: z.string().max(65_536) })).max(64),
  adminKeys: z.array(base64Of(1, 4096)).max(MAX_SIGNERS),
});
type Members = Readonly<z.infer<typeof Shape>>;
export type UnitFactsInFile = Members['unitFacts'][number];

export class CommandFile {
  readonly command: ParsedCommand;

  private constructor(private readonly members: Members) {
    this.command = parseDocument({ payload: members.payload, signatures: members.signatures });
    const keys = new Map(members.adminKeys.map((text) => [sha256(fromBase64(text)).toString('hex'), text]));
    for (const one of this.command.signatures) {
      const key = keys.get(one.kid);
      needs(key, 'COMMAND_MALFORMED', `the file does not hold the public key ${one.kid}, whose signature it holds`);
      needs(
        isBy(fromBase64(key), one),
        'SIGNATURE_INVALID',
        `the signature by the key ${one.kid} does not verify; the file was changed after it was signed`,
      );
    }
  }

  /** A command that nobody signed yet. Throws COMMAND_MALFORMED when an agent would find the payload malformed. */
  static make(payload: CommandPayload, unitFacts: readonly UnitFactsInFile[]): CommandFile {
    return new CommandFile({
      payload: encodePayload(payload),
      signatures: [],
      unitFacts: [...unitFacts],
      adminKeys: [],
    });
  }

  /** Throws COMMAND_MALFORMED, or SIGNATURE_INVALID when one of the signatures does not verify. */
  static parse(text: string): CommandFile {
    const value = parseStrictJson(text, 'the command file', 'COMMAND_MALFORMED');
    return new CommandFile(inShape(Shape, value, 'the command file', 'COMMAND_MALFORMED'));
  }

  get unitFacts(): readonly UnitFactsInFile[] {
    return this.members.unitFacts;
  }

  /** The fingerprints of those who signed; each once, and each signature verified. */
  get signers(): readonly string[] {
    return this.command.signatures.map(({ kid }) => kid);
  }

  /** The same with one more signature. Throws COMMAND_MALFORMED when the key signed already. */
  signedBy(key: KeyObject): CommandFile {
    const { payload, signatures, unitFacts, adminKeys } = this.members;
    return new CommandFile({
      payload,
      signatures: [...signatures, signatureOver(payload, key)],
      unitFacts,
      adminKeys: [...adminKeys, spkiOf(key).toString('base64')],
    });
  }

  /** What goes to the units: payload and signatures alone. */
  get document(): string {
    const { payload, signatures } = this.members;
    return JSON.stringify({ payload, signatures });
  }

  get text(): string {
    return `${JSON.stringify(this.members, null, 2)}\n`;
  }
}

/** Bytes that are no key have signed nothing. */
function isBy(spki: Buffer, signature: CommandSignature): boolean {
  try {
    return verifies(spki, signature);
  } catch {
    return false;
  }
}

const fromBase64 = (text: string) => Buffer.from(text, 'base64');
