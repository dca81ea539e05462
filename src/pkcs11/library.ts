import pkcs11js, { type PKCS11 } from 'pkcs11js';
import { needs } from '../shared/errors.js';
import { ckrOf, toKeysteadError } from './ckr.js';

/**
 * Every module this process ever loaded, by path, for as long as the process lives. Dropping the last reference would
 * let the garbage collector unload the module, and SoftHSM crashes in its static destructors when that happens.
 */
const LOADED = new Map<string, Library>();

/**
 * A PKCS#11 module: the only caller of C_Initialize and C_Finalize, both of which concern the whole process.
 * Without CKF_OS_LOCKING_OK a module may drop its mutexes, and calls from the thread pool (`…Async`) then crash it.
 */
export class Library {
  readonly native: PKCS11;
  #initialized = false;

  private constructor(readonly path: string) {
    this.native = new pkcs11js.PKCS11(path);
  }

  /** The module at this path, loaded once per process. Throws TOKEN_UNSUITABLE when it is not a PKCS#11 module. */
  static load(path: string): Library {
    const known = LOADED.get(path);
    if (known) return known;
    try {
      const library = new Library(path);
      LOADED.set(path, library);
      return library;
    } catch (cause) {
      throw toKeysteadError(cause, `cannot load the PKCS#11 module ${path}; check the path`, 'TOKEN_UNSUITABLE');
    }
  }

  /**
   * C_Initialize, PKCS#11 2.40 section 5.4. `parameters` is the NSS init string.
   * Throws UNIT_FAULT when the module is in use by this process already: one process serves one unit.
   */
  initialize(parameters?: string): void {
    needs(!this.#initialized, 'UNIT_FAULT', `${this.path} is open in this process already; close its token first`);
    try {
      this.#initializeAnew(parameters);
    } catch (cause) {
      throw toKeysteadError(cause, `${this.path} does not initialize; check its configuration`);
    }
    this.#initialized = true;
  }

  /** C_Finalize: ends every session and login, and is the only cure for a lost token or link. */
  finalize(): void {
    if (!this.#initialized) return;
    this.#initialized = false;
    this.native.C_Finalize();
  }

  /** A module that is in use although nobody here uses it refused an earlier C_Finalize. */
  #initializeAnew(parameters: string | undefined): void {
    const flags = pkcs11js.CKF_OS_LOCKING_OK;
    // pkcs11js hands NSS the string without its last character: the space is what gets lost
    const how = parameters === undefined ? { flags } : { flags, libraryParameters: `${parameters} ` };
    try {
      this.native.C_Initialize(how);
    } catch (cause) {
      if (ckrOf(cause) !== pkcs11js.CKR_CRYPTOKI_ALREADY_INITIALIZED) throw cause;
      this.native.C_Finalize();
      this.native.C_Initialize(how);
    }
  }
}
