import { Secret } from '../shared/secret.js';
import { type CliContext, notice, usage } from './context.js';
import { readBytes } from './files.js';

/** Bytes that an argument may stand for. */
export interface MaterialKind {
  /** As in "the key material". */
  readonly what: string;
  /** Typed on the command line it is warned of. */
  readonly secret: boolean;
  /** The lengths that it may have, in bytes; any from 1 to `most` when left out. */
  readonly lengths?: readonly number[];
  readonly most?: number;
}

export const ROOT_KEY: MaterialKind = { what: 'the key material of a root key', secret: true, lengths: [16, 24, 32] };
export const STANDARD_KEY: MaterialKind = { what: 'the key material of a standard key', secret: true, most: 7500 };
export const DATA_KEY: MaterialKind = { what: 'the data key', secret: true };
export const CIPHERTEXT: MaterialKind = { what: 'the ciphertext', secret: false };
export const NONCE: MaterialKind = { what: 'the nonce', secret: false, lengths: [12] };
/** RSA ciphertext: as long as the modulus of the import token. */
export const ENCRYPTED_KEY: MaterialKind = { what: 'the encrypted key', secret: false, lengths: [256, 384, 512] };
export const ENCRYPTED_NONCE: MaterialKind = { what: 'the encrypted nonce', secret: false, lengths: [28] };
export const IV: MaterialKind = { what: 'the IV', secret: false, lengths: [12] };

/** For help: the forms that an argument with bytes may have. */
export const FORMS = 'base64, @FILE, raw:FILE, env:VAR, fd:N or stdin';

/**
 * Reads bytes for one run of `kp`, wherever they are:
 *   base64 itself   env:VAR, fd:N, stdin   which hold base64 (of fd and stdin a line for each argument)
 *   raw:FILE        the bytes of the file as they are
 *   @FILE           base64; for what has a fixed length also the bytes themselves, when they can be nothing else
 */
export class MaterialReader {
  readonly #lines = new Map<number, string[]>();
  #warned = false;

  constructor(private readonly ctx: CliContext) {}

  /** The bytes, for the caller to wipe. USAGE or FILE_INVALID with what to do; no refusal quotes what it refuses. */
  async read(text: string, kind: MaterialKind, flag: string): Promise<Secret> {
    const bytes = await this.#bytes(text, kind, flag);
    if (fits(bytes, kind)) return new Secret(bytes);
    bytes.fill(0);
    throw usage(`${kind.what} (${flag}) must have ${lengthsOf(kind)} bytes; it has ${bytes.length}`);
  }

  async #bytes(text: string, kind: MaterialKind, flag: string): Promise<Buffer> {
    const [, scheme, rest = ''] = /^(@|raw:|env:|fd:)(.*)$/s.exec(text) ?? [];
    if (scheme === '@') return inFile(rest, await readBytes(rest, `file of ${flag}`), kind);
    if (scheme === 'raw:') return readBytes(rest, `file of ${flag}`);
    if (scheme === 'env:') return decoded(this.#variable(rest, kind), kind, `the variable ${rest}`);
    if (scheme === 'fd:' || text === 'stdin') return this.#line(text, kind, flag);
    if (kind.secret) this.#warn(flag);
    return decoded(text, kind, flag);
  }

  #variable(name: string, { what }: MaterialKind): string {
    const value = this.ctx.env[name];
    if (value) return value;
    throw usage(`the variable ${name}, which should hold ${what} in base64, is not set`);
  }

  async #line(text: string, kind: MaterialKind, flag: string): Promise<Buffer> {
    const fd = text === 'stdin' ? 0 : Number(/^fd:(\d{1,4})$/.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(fd)) throw usage(`fd: in ${flag} must be followed by the number of an open file descriptor`);
    const lines = this.#lines.get(fd) ?? (await this.ctx.linesOf(fd));
    this.#lines.set(fd, lines);
    const line = lines.shift();
    const name = fd === 0 ? 'stdin' : `file descriptor ${fd}`;
    if (line) return decoded(line, kind, name);
    throw usage(`${name} holds no line with ${kind.what} in base64`);
  }

  #warn(flag: string): void {
    if (this.#warned) return;
    this.#warned = true;
    notice(
      this.ctx,
      `Warning: key material on the command line (${flag}) can be seen in the process list and in the shell history; better in its place: @FILE, raw:FILE, env:VAR, fd:N or stdin.`,
    );
  }
}

function inFile(path: string, bytes: Buffer, kind: MaterialKind): Buffer {
  const text = fromBase64(bytes.toString('latin1'));
  if (!kind.lengths) {
    if (text) return text;
    throw usage(`${path} does not hold base64; raw:${path} takes its bytes as they are`);
  }
  const asText = text !== null && fits(text, kind);
  const asBytes = fits(bytes, kind);
  if (asText && asBytes) {
    const both = `${bytes.length} bytes or the base64 of ${text.length}`;
    throw usage(`${path} may be ${both}; say raw:${path} for its bytes, or end it with a newline if it is base64`);
  }
  return asText || !asBytes ? (text ?? bytes) : bytes;
}

function decoded(text: string, { what }: MaterialKind, place: string): Buffer {
  const bytes = fromBase64(text);
  if (bytes) return bytes;
  throw usage(
    `${place} must hold ${what} in base64 (try: base64 -w0 FILE), or be one of @FILE, raw:FILE, env:VAR, fd:N, stdin`,
  );
}

/** Standard base64 (RFC 4648, 4) of at least one byte, line breaks and blanks left out; null for any other text. */
function fromBase64(text: string): Buffer | null {
  const digits = text.replace(/\s/g, '');
  const bytes = Buffer.from(digits, 'base64');
  return digits !== '' && bytes.toString('base64') === digits ? bytes : null;
}

const fits = ({ length }: Buffer, { lengths, most = Number.POSITIVE_INFINITY }: MaterialKind) =>
  lengths ? lengths.includes(length) : length >= 1 && length <= most;

function lengthsOf({ lengths, most }: MaterialKind): string {
  if (!lengths) return most === undefined ? '1 or more' : `1 to ${most}`;
  return [lengths.slice(0, -1).join(', '), lengths.at(-1)].filter((part) => part !== '').join(' or ');
}
