import { backupTokenObject, fsyncTokens, restoreTokenObject, tokenDirectories } from '../pkcs11/softhsm-store.js';
import { UnitToken } from '../pkcs11/unit-token.js';
import { KeysteadError, messageOf } from '../shared/errors.js';
import type { AgentLog } from './agent-log.js';
import { PinAttempts } from './pin-attempts.js';
import { pinFromFile, provisionOnce, sealedPin } from './pin-source.js';
import { SealKey } from './seal.js';
import type { UnitDir } from './unit-dir.js';

/** Between two attempts; a unit that is not well is probed about as often. */
const PAUSE_MS = 1_000;
/** SoftHSM loses about 240 bytes per session object until C_Finalize. */
const RECYCLE_AFTER = 1_000_000;

/**
 * Holds the token open, and gets it back when it was lost:
 * 1. A token that stopped answering, was moved away or failed a canary is closed (C_Finalize) and opened anew
 *    (C_Initialize, login): nothing less heals a PKCS#11 module. Nothing of the old generation is kept.
 * 2. Attempts come at probes, at most one in a second. While SoftHSM's token directory is away there is nothing to attempt,
 *    so when it is back the next probe opens it.
 * 3. A token.object that a kill left empty is put back from its copy first.
 * 4. Only a unit that never had a serial gets a token made.
 */
export class TokenKeeper {
  #token: UnitToken | undefined;
  #problem = new KeysteadError('TOKEN_LOST', 'the token is not open yet');
  #suspect = false;
  #notBefore = 0;
  /** Once known, kept: a directory that lost its serial file must not be provisioned by a running agent. */
  #hadToken = false;

  /** `onOpen` reads what is on a token that was just opened; when it throws, the token is closed again. */
  constructor(
    private readonly dir: UnitDir,
    private readonly sealKeyPath: string,
    private readonly log: AgentLog,
    private readonly onOpen: (token: UnitToken) => void,
  ) {}

  /** The open token. Throws why there is none. */
  token(): UnitToken {
    if (!this.#token) throw this.#problem;
    return this.#token;
  }

  get open(): UnitToken | undefined {
    return this.#token;
  }

  /** Why there is no open token; undefined when there is one. */
  get problem(): KeysteadError | undefined {
    return this.#token ? undefined : this.#problem;
  }

  /** Something failed that may be the token's fault: the next `refresh` opens it anew. */
  suspect(): void {
    this.#suspect = true;
  }

  /** Looks whether the token is the same and answers; gets it back when it can. `idle`: no call is under way in the module. */
  refresh(idle: boolean): void {
    if (this.#token) {
      const problem = this.#healthProblem(this.#token);
      if (!problem) return;
      this.#problem = problem;
      if (!idle) return;
      this.log.warn({ event: 'token-lost', code: problem.code, message: problem.message });
      this.close();
      this.#notBefore = 0;
    }
    if (idle && Date.now() >= this.#notBefore && !this.#away()) this.tryOpen();
  }

  /**
   * The token answers and is not well: what is on it is wrong, or does not work. Opening it anew may be the cure, and
   * shows the module what was put back meanwhile.
   */
  openAnew(): void {
    if (!this.#token || Date.now() < this.#notBefore) return;
    this.log.warn({ event: 'token-unwell' });
    this.tryOpen();
    this.#notBefore = Date.now() + PAUSE_MS;
  }

  /** All that is on the token is right and works. */
  well(): void {
    this.#notBefore = 0;
  }

  /** Opens the token, or keeps the reason why it does not open. */
  tryOpen(): void {
    this.close();
    this.#suspect = false;
    try {
      if (this.#away()) throw new KeysteadError('TOKEN_LOST', `${this.dir.at('tokens')} is gone; put it back`);
      const token = this.#open();
      this.#hadToken = true;
      try {
        this.onOpen(token);
      } catch (cause) {
        token.close();
        throw cause;
      }
      this.#token = token;
      this.#notBefore = 0;
      this.log.info({ event: 'token-open', serial: token.serial, generation: token.generation });
    } catch (cause) {
      this.#problem =
        cause instanceof KeysteadError ? cause : new KeysteadError('UNIT_FAULT', messageOf(cause), { cause });
      this.#notBefore = this.#away() ? 0 : Date.now() + PAUSE_MS;
      this.log.error({
        event: 'token-problem',
        code: this.#problem.code,
        message: this.#problem.message,
      });
    }
  }

  /** Opens the module anew when it has leaked enough; `patience` times as much when something would be lost by it. */
  recycleIfDue(patience = 1): void {
    if (!this.#token || this.#token.sessionObjectsMade <= patience * RECYCLE_AFTER) return;
    this.log.info({ event: 'recycle', sessionObjects: this.#token.sessionObjectsMade });
    this.tryOpen();
  }

  /** C_Finalize. A module that fails to close has nothing left that we could lose. */
  close(): void {
    const token = this.#token;
    this.#token = undefined;
    try {
      token?.close();
    } catch (cause) {
      this.log.warn({ event: 'close-failed', message: messageOf(cause) });
    }
  }

  /** The token was dropped on purpose: a new one may be made. */
  forget(): void {
    this.close();
    this.#hadToken = false;
  }

  #healthProblem(token: UnitToken): KeysteadError | undefined {
    if (this.#away()) return new KeysteadError('TOKEN_LOST', `${this.dir.at('tokens')} is gone; put it back`);
    try {
      token.info();
      if (this.#suspect) token.canary(null);
      this.#suspect = false;
      return undefined;
    } catch (cause) {
      return cause instanceof KeysteadError ? cause : new KeysteadError('UNIT_FAULT', messageOf(cause), { cause });
    }
  }

  /** SoftHSM only: the token was made and its directory is not there. */
  #away(): boolean {
    const expected = this.#hadToken || this.dir.serial() !== undefined;
    return this.dir.config.provider === 'softhsm' && expected && tokenDirectories(this.dir.path).length === 0;
  }

  #open(): UnitToken {
    return this.dir.config.provider === 'softhsm' ? this.#openSoftHsm() : this.#openPrepared();
  }

  #openSoftHsm(): UnitToken {
    const { dir } = this;
    const { module, recordStore } = dir.config;
    this.#logLogin('begin'); // C_InitToken and C_InitPIN write the same file as C_Login
    try {
      if (!this.#hadToken) provisionOnce(dir, this.sealKeyPath, this.log);
    } finally {
      this.#logLogin('end');
    }
    const serial = dir.serial();
    if (serial === undefined)
      throw new KeysteadError('TOKEN_LOST', `${dir.at('serial')} is gone; put the directory back`);
    if (restoreTokenObject(dir.path)) this.log.warn({ event: 'token-object-restored' });
    using pin = sealedPin(dir, this.sealKeyPath).pin();
    const durable = () => fsyncTokens(dir.path);
    const onLogin = (phase: 'begin' | 'end') => this.#logLogin(phase);
    const token = UnitToken.open({ module, serial, pin, recordStore, onLogin, durable });
    backupTokenObject(dir.path);
    return token;
  }

  #openPrepared(): UnitToken {
    const { dir } = this;
    const { module, recordStore, serial, label, parameters } = dir.config;
    const wanted = { module, recordStore, ...given({ serial, label, parameters }) };
    using pin = pinFromFile(dir).pin();
    const attempts = new PinAttempts(dir, SealKey.open(this.sealKeyPath, true), pin);
    attempts.assertAllowed();
    let tried = false;
    const onLogin = (phase: 'begin' | 'end') => {
      this.#logLogin(phase);
      if (phase === 'end') return;
      tried = true;
      attempts.begin();
    };
    try {
      const token = UnitToken.open({ ...wanted, pin, onLogin });
      attempts.end('accepted');
      return token;
    } catch (cause) {
      const refused = cause instanceof KeysteadError && cause.code === 'PIN_REFUSED';
      if (tried || refused) attempts.end(refused ? 'refused' : 'not tried');
      throw cause;
    }
  }

  #logLogin(phase: 'begin' | 'end'): void {
    this.log.info({ event: `login-${phase}` });
  }
}

/** The properties that are there. */
function given<T extends Record<string, string | undefined>>(properties: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}
