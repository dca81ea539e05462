import { Session as GrapheneSession, Module, ObjectClass, type SessionObject, Slot } from 'graphene-pk11';
import type { Handle } from 'pkcs11js';
import { wrapAesKw } from './aes-kw.js';
import { ckrOf } from './ckr.js';
import { signEs256 } from './ecdsa.js';
import { hmacSha256 } from './hmac.js';
import { AES_256_BYTES, MECHANISMS } from './mechanisms.js';
import { isAbsent } from './objects.js';
import type { Session } from './session-pool.js';
import { P256_PARAMETERS, rootKeyToGenerate } from './templates.js';
import type { Token } from './token.js';

/** An object on the token, whoever made it. */
export interface TokenObject {
  readonly kind: 'data' | 'certificate' | 'secret' | 'private' | 'public';
  /** CKA_ID, or CKA_OBJECT_ID of a data object; empty when a kill tore the object before it got one. */
  readonly id: Buffer;
  readonly label: string;
  /** Good until the token is closed. */
  readonly handle: Handle;
  /** Found by using it: SoftHSM shows a key that was killed in the making with all attributes and without a value. */
  readonly usable: boolean;
}

const KIND = new Map<number, TokenObject['kind']>([
  [ObjectClass.DATA, 'data'],
  [ObjectClass.CERTIFICATE, 'certificate'],
  [ObjectClass.SECRET_KEY, 'secret'],
  [ObjectClass.PRIVATE_KEY, 'private'],
  [ObjectClass.PUBLIC_KEY, 'public'],
]);

/** Every object on the token, listed by graphene; classes that Keystead knows nothing of are left out. */
export function takeInventory(token: Token): TokenObject[] {
  const seen = token.pool.use('listing the objects of the token', ({ lib, handle }) => {
    const view = new GrapheneSession(handle, new Slot(token.slot, new Module(lib), lib), lib);
    const found = view.find({ token: true });
    return Array.from({ length: found.length }, (_, i) => look(found.items(i))).filter(
      (object) => object !== undefined,
    );
  });
  return seen.map(({ exercise, ...object }) => ({
    ...object,
    usable: object.id.length > 0 && passes(token, exercise),
  }));
}

type Exercise = boolean | ((session: Session) => unknown);
type Seen = Omit<TokenObject, 'usable'> & { exercise: Exercise };

function look(object: SessionObject): Seen | undefined {
  const kind = KIND.get(Number(read(object, 'class')));
  if (!kind) return undefined;
  const id = bytes(read(object, 'id')) ?? bytes(read(object, 'objectId')) ?? Buffer.alloc(0);
  const label = String(read(object, 'label') ?? '');
  return { kind, id, label, handle: object.handle, exercise: EXERCISE[kind](object) };
}

/** What shows that an object of this kind is whole: its value, or that it does what it is for. */
const EXERCISE: Record<TokenObject['kind'], (object: SessionObject) => Exercise> = {
  data: (object) => bytes(read(object, 'value')) !== undefined,
  certificate: (object) => bytes(read(object, 'value')) !== undefined,
  public: (object) => (bytes(read(object, 'pointEC')) ?? bytes(read(object, 'modulus'))) !== undefined,
  private: (object) => {
    const isP256 = bytes(read(object, 'paramsECDSA'))?.equals(P256_PARAMETERS);
    return isP256
      ? (session) => signEs256(session, object.handle, PROBE)
      : bytes(read(object, 'modulus')) !== undefined;
  },
  secret: (object) => {
    if (read(object, 'sign') === true) return (session) => hmacSha256(session, object.handle, PROBE);
    return read(object, 'wrap') === true ? (session) => wrapSomething(session, object.handle) : true;
  },
};

const PROBE = Buffer.from('keystead/inventory/v1');

function wrapSomething(session: Session, wrappingKey: Handle): void {
  const { lib, handle } = session;
  const key = lib.C_GenerateKey(handle, { mechanism: MECHANISMS.CKM_AES_KEY_GEN }, rootKeyToGenerate());
  try {
    wrapAesKw(session, wrappingKey, key, AES_256_BYTES);
  } finally {
    lib.C_DestroyObject(handle, key);
  }
}

function passes(token: Token, exercise: Exercise): boolean {
  if (typeof exercise === 'boolean') return exercise;
  try {
    token.sessionObjectsMade += 1;
    token.pool.use('trying an object of the token', exercise);
    return true;
  } catch (cause) {
    if (ckrOf(cause) === undefined) throw cause;
    return false; // which is the answer: the token does not use it
  }
}

function read(object: SessionObject, name: string): unknown {
  try {
    return object.getAttribute(name);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw cause;
  }
}

function bytes(value: unknown): Buffer | undefined {
  return Buffer.isBuffer(value) && value.length > 0 ? value : undefined;
}
