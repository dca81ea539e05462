import pkcs11js, { type Handle } from 'pkcs11js';
import { KeysteadError, messageOf, needs } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import { ckrClass, ckrOf, toKeysteadError } from './ckr.js';
import { Library } from './library.js';
import { destroyAll, withId } from './objects.js';
import { forgetOpenSslErrors } from './openssl-errors.js';
import { type Session, SessionPool } from './session-pool.js';

/** Which token to open, and how. Found by serial or label, never by slot number, which modules change at will. */
export interface OpenToken {
  /** Path of the PKCS#11 module. */
  readonly module: string;
  /** Init string of NSS softoken. */
  readonly parameters?: string;
  readonly serial?: string;
  readonly label?: string;
  readonly pin: Secret;
  /** Where the unit keeps its record: on the token, or in a file because the token has no data objects. */
  readonly recordStore: 'token' | 'file';
  /** Called around C_Login, however it ends: a process that is killed in between can destroy a SoftHSM token. */
  readonly onLogin?: (phase: 'begin' | 'end') => void;
  /** Makes what the module wrote durable, and throws when it is not on disk; called before a creation counts. */
  readonly durable?: () => void;
}

export interface TokenInfo {
  readonly serial: string;
  readonly label: string;
  readonly model: string;
  readonly manufacturer: string;
  readonly firmware: string;
  readonly userPinProblem: 'none' | 'count-low' | 'final-try' | 'locked';
}

/** Sessions besides the guard: one for all synchronous work, the rest for key pairs in the making. */
const SESSION_BUDGET = 4;

let generations = 0;

/** A token that is open and logged in, from C_Initialize to C_Finalize. Handles are good for one such generation only. */
export class Token {
  readonly pool: SessionPool;
  /** A new number per open; a handle of another generation means nothing. */
  readonly generation = ++generations;
  /** Session objects made since C_Initialize: SoftHSM loses about 240 bytes for each, until C_Finalize. */
  sessionObjectsMade = 0;
  #closed = false;

  private constructor(
    private readonly library: Library,
    readonly slot: Handle,
    /** Logged in, never closed, owner of the long-lived session objects (session-pool.ts). */
    private readonly guard: Session,
    readonly serial: string,
    private readonly durable: () => void,
  ) {
    this.pool = new SessionPool(() => openSession(library, slot), SESSION_BUDGET);
  }

  /** C_Initialize, find, guard session, one C_Login. Throws TOKEN_LOST, PIN_REFUSED, TOKEN_UNSUITABLE or UNIT_FAULT. */
  static open(wanted: OpenToken): Token {
    const library = Library.load(wanted.module);
    library.initialize(wanted.parameters);
    try {
      const { slot, info } = findToken(library, wanted);
      const guard = openSession(library, slot);
      login(guard, info, wanted);
      return new Token(library, slot, guard, info.serial, wanted.durable ?? (() => {}));
    } catch (cause) {
      library.finalize();
      throw toKeysteadError(cause, 'the token does not open; look at the module and its configuration');
    }
  }

  /** What the token says of itself now (C_GetTokenInfo). TOKEN_LOST when it does not answer or is another one. */
  info(): TokenInfo {
    this.#assertOpen();
    let info: TokenInfo;
    try {
      info = readInfo(this.library, this.slot);
    } catch (cause) {
      throw new KeysteadError('TOKEN_LOST', `the token ${this.serial} does not answer (${messageOf(cause)})`, {
        cause,
      });
    }
    needs(info.serial === this.serial, 'TOKEN_LOST', `the slot of token ${this.serial} now holds ${info.serial}`);
    return info;
  }

  /** Runs a call that leaves no operation behind on the guard session: what it makes lives until the token is closed. */
  atGuard<T>(doing: string, work: (guard: Session) => T): T {
    this.#assertOpen();
    try {
      return work(this.guard);
    } catch (cause) {
      forgetOpenSslErrors();
      throw toKeysteadError(cause, doing);
    }
  }

  /** Like atGuard, for a call that makes one session object: it is counted. */
  make(doing: string, work: (guard: Session) => Handle): Handle {
    this.sessionObjectsMade += 1;
    return this.atGuard(doing, work);
  }

  /** Destroys a session object. One that is gone already is as good as destroyed. */
  discard(object: Handle): void {
    try {
      this.guard.lib.C_DestroyObject(this.guard.handle, object);
    } catch (cause) {
      if (ckrClass(cause) !== 'handle') throw toKeysteadError(cause, 'destroying a session object');
    }
  }

  /**
   * Runs the creation of a token object under a new id. It counts only once it is durable; otherwise it is destroyed
   * again. UNIT_FAULT when the id is taken: objects are never overwritten.
   */
  create(doing: string, id: Buffer, work: (guard: Session) => unknown): void {
    const taken = this.pool.use(doing, (session) => withId(session, id)).length > 0;
    needs(!taken, 'UNIT_FAULT', `${doing}: the id ${id.toString('hex')} is in use on the token; take a new one`);
    try {
      this.atGuard(doing, work);
      this.durable();
    } catch (cause) {
      throw this.#takenBack(doing, id, cause);
    }
  }

  /** A key pair is being made on another thread. */
  get busy(): boolean {
    return this.pool.running > 0;
  }

  /** C_CloseAllSessions, C_Finalize; never C_Logout. UNIT_FAULT while a key pair is being made on another thread. */
  close(): void {
    if (this.#closed) return;
    needs(!this.busy, 'UNIT_FAULT', 'the token is making a key pair; close it when that is done');
    this.#closed = true;
    this.pool.close();
    try {
      this.library.native.C_CloseAllSessions(this.slot);
    } finally {
      this.library.finalize();
    }
  }

  /** Destroys what a failed creation left, on the token and on disk; the error tells what could not be. */
  #takenBack(doing: string, id: Buffer, cause: unknown): KeysteadError {
    const error = toKeysteadError(cause, doing);
    const acts = [() => this.pool.use(doing, (session) => destroyAll(session, id)), this.durable];
    const left = acts.flatMap((act) => {
      try {
        act();
        return [];
      } catch (undoing) {
        return [messageOf(undoing)];
      }
    });
    return left.length === 0 ? error : new KeysteadError(error.code, [error.message, ...left].join('; '), { cause });
  }

  #assertOpen(): void {
    if (this.#closed) throw new KeysteadError('UNIT_FAULT', 'the token was closed; open it again');
  }
}

function openSession(library: Library, slot: Handle): Session {
  const handle = library.native.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
  return { lib: library.native, handle };
}

function findToken(library: Library, { serial, label }: OpenToken): { slot: Handle; info: TokenInfo } {
  needs(serial ?? label, 'CONFIG_INVALID', 'a token is named by its serial or its label; give one of them');
  const name = [serial && `serial ${serial}`, label && `label ${label}`].filter(Boolean).join(' and ');
  const unreadable: string[] = [];
  const found: { slot: Handle; info: TokenInfo }[] = [];
  for (const slot of library.native.C_GetSlotList(true)) {
    try {
      const info = readInfo(library, slot);
      if ((serial ?? info.serial) === info.serial && (label ?? info.label) === info.label) found.push({ slot, info });
    } catch (cause) {
      unreadable.push(messageOf(cause)); // another unit's token may be ill; ours is judged by whether it is found
    }
  }
  const [one, ...others] = found;
  const trouble = unreadable.length > 0 ? `; slots that do not answer: ${unreadable.join(', ')}` : '';
  if (!one) throw new KeysteadError('TOKEN_LOST', `${library.path} has no token with ${name}${trouble}`);
  needs(others.length === 0, 'UNIT_FAULT', `${library.path} has ${found.length} tokens with ${name}; give the serial`);
  return { slot: one.slot, info: one.info };
}

function login(guard: Session, info: TokenInfo, { pin, onLogin }: OpenToken): void {
  needs(info.userPinProblem !== 'locked', 'PIN_REFUSED', `the user PIN of token ${info.serial} is locked; unlock it`);
  onLogin?.('begin');
  try {
    guard.lib.C_Login(guard.handle, pkcs11js.CKU_USER, pin.bytes.toString('utf8'));
  } catch (cause) {
    if (ckrOf(cause) !== pkcs11js.CKR_USER_ALREADY_LOGGED_IN) {
      throw toKeysteadError(cause, `token ${info.serial} refused the login; it is not tried again with this PIN`);
    }
  } finally {
    onLogin?.('end');
  }
}

function readInfo(library: Library, slot: Handle): TokenInfo {
  const info = library.native.C_GetTokenInfo(slot);
  return {
    serial: unpadded(info.serialNumber),
    label: unpadded(info.label),
    model: unpadded(info.model),
    manufacturer: unpadded(info.manufacturerID),
    firmware: `${info.firmwareVersion.major}.${info.firmwareVersion.minor}`,
    userPinProblem: pinProblem(info.flags),
  };
}

/** PKCS#11 pads its texts with blanks; tokens that other tools made may hold zero bytes. */
export function unpadded(text: string): string {
  return text.replaceAll('\0', ' ').trim();
}

function pinProblem(flags: number): TokenInfo['userPinProblem'] {
  if (flags & pkcs11js.CKF_USER_PIN_LOCKED) return 'locked';
  if (flags & pkcs11js.CKF_USER_PIN_FINAL_TRY) return 'final-try';
  return flags & pkcs11js.CKF_USER_PIN_COUNT_LOW ? 'count-low' : 'none';
}
