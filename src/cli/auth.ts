import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { fingerprintOf } from '../admins/public-key.js';
import { isEncrypted, openSigKey } from '../admins/sig-key-file.js';
import { usage } from './context.js';
import { readText } from './files.js';
import { type FileReference, type PassphraseReader, parseReference, printable } from './passphrase.js';

/** One member of --auth: the name that the person gave the signer, and its file. */
export interface SignerReference {
  readonly name: string;
  readonly reference: FileReference;
}
/** What --auth or --cu asked for. `units: null` means every unit of the instance. */
export interface Authority {
  readonly units: readonly { readonly id: string; readonly signers: readonly SignerReference[] }[] | null;
  readonly signers: readonly SignerReference[];
}
/** An opened signature key. */
export interface Signer {
  readonly name: string;
  readonly kid: string;
  readonly key: KeyObject;
  readonly reference: FileReference;
}

const AUTH_EXAMPLE = `--auth '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]'`;
const CU_EXAMPLE = `--cu '[{"CryptoUnitId":"UUID","Auth":[{"ADMIN":"admin.key#env:ADMIN_PASS"}]}]'`;

const AuthList = z.array(z.record(z.string().min(1).max(255), z.string().min(1))).min(1);
const CuList = z.array(z.strictObject({ CryptoUnitId: z.guid(), Auth: AuthList.optional() })).min(1);

/**
 * The authority of a signed command. Exactly one of --auth and --cu, and with --cu an Auth for every unit, else USAGE;
 * where nothing is sent, signers may be missing.
 */
export async function readAuthority(
  options: { auth?: string; cu?: string },
  needed: string,
  nothingSent = false,
): Promise<Authority> {
  const { auth, cu } = options;
  if (auth !== undefined && cu !== undefined) throw usage('--auth and --cu exclude each other; give one of them');
  if (cu !== undefined) {
    const units = await readUnits(cu);
    const bare = nothingSent ? undefined : units.find((unit) => unit.signers.length === 0);
    if (bare) throw usage(`--cu names no Auth for crypto unit ${bare.id}; ${needed}`, CU_EXAMPLE);
    return { units, signers: units.flatMap((unit) => unit.signers) };
  }
  if (auth === undefined && nothingSent) return { units: null, signers: [] };
  if (auth === undefined) throw usage(needed, AUTH_EXAMPLE);
  const { value, fromArgv } = await jsonArgument(auth, '--auth');
  const parsed = AuthList.safeParse(value);
  if (!parsed.success) throw usage('--auth must be a JSON list of objects with one signer each', AUTH_EXAMPLE);
  return { units: null, signers: signersOf(parsed.data, fromArgv, '--auth') };
}

/** The units that --cu names; signers are empty where there is no Auth (reading commands need none). */
export async function readUnits(cu: string): Promise<NonNullable<Authority['units']>> {
  const { value, fromArgv } = await jsonArgument(cu, '--cu');
  const parsed = CuList.safeParse(value);
  if (!parsed.success) throw usage('--cu must be a JSON list of objects with CryptoUnitId and Auth', CU_EXAMPLE);
  const units = parsed.data.map(({ CryptoUnitId, Auth }) => ({
    id: CryptoUnitId.toLowerCase(),
    signers: Auth ? signersOf(Auth, fromArgv, '--cu') : [],
  }));
  const twice = units.find((unit, index) => units.findIndex((other) => other.id === unit.id) !== index);
  if (twice) throw usage(`--cu names crypto unit ${twice.id} twice`);
  return units;
}

function signersOf(list: readonly Record<string, string>[], fromArgv: boolean, flag: string): SignerReference[] {
  return list.map((member) => {
    const [entry, more] = Object.entries(member);
    if (!entry || more) throw usage(`each object in ${flag} must hold exactly one signer`, AUTH_EXAMPLE);
    return { name: entry[0], reference: parseReference(entry[1], fromArgv) };
  });
}

/** The parsed JSON of an argument or, after '@', of the file it names. */
export async function jsonArgument(text: string, flag: string): Promise<{ value: unknown; fromArgv: boolean }> {
  const fromFile = text.startsWith('@');
  const json = fromFile ? await readText(text.slice(1), `${flag} file`) : text;
  try {
    return { value: JSON.parse(json), fromArgv: !fromFile };
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    // the parser's own message quotes the text, and with it passphrases
    throw usage(`${flag} is not JSON; put it in single quotes, or in a file: ${flag} @FILE`);
  }
}

/** Opens signature keys, each file once, and asks for what passphrases are missing. */
export class SignerOpener {
  readonly #opened = new Map<string, Signer>();

  constructor(private readonly passphrases: PassphraseReader) {}

  /** The signers, in the order given. USAGE when one key signs twice; FILE_INVALID, PASSPHRASE_WRONG. */
  async open(references: readonly SignerReference[]): Promise<Signer[]> {
    const signers: Signer[] = [];
    for (const reference of references) {
      const signer = await this.#one(reference);
      const twin = signers.find((other) => other.kid === signer.kid);
      if (twin)
        throw usage(`${signer.reference.file} and ${twin.reference.file} hold the same key; name each signer once`);
      signers.push(signer);
    }
    return signers;
  }

  async #one({ name, reference }: SignerReference): Promise<Signer> {
    const known = this.#opened.get(reference.file);
    if (known) return known;
    const text = await readText(reference.file, 'signature key file');
    const subject = reference.file;
    const passphrase = isEncrypted(text)
      ? await this.passphrases.read(reference.source, reference.fromArgv, { subject })
      : null;
    try {
      const key = openSigKey(text, passphrase, reference.file);
      const signer = { name, kid: fingerprintOf(key), key, reference };
      this.#opened.set(reference.file, signer);
      return signer;
    } finally {
      passphrase?.[Symbol.dispose]();
    }
  }
}

/** The value of --cu that names these units with their signers, without any literal passphrase. */
export function cuArgument(units: readonly { id: string; signers: readonly SignerReference[] }[]): string {
  return JSON.stringify(
    units.map(({ id, signers }) => ({
      CryptoUnitId: id,
      Auth: signers.map(({ name, reference }) => ({ [name]: printable(reference) })),
    })),
  );
}
