import { Session as GrapheneSession, Module, ObjectClass, type SessionObject, Slot } from 'graphene-pk11';
import type { Handle } from 'pkcs11js';
import { isAbsent } from './objects.js';
import type { Session } from './session-pool.js';

/** An object on the token, whoever made it. */
export interface TokenObject {
  readonly kind: 'data' | 'certificate' | 'secret' | 'private' | 'public';
  /** CKA_ID, or CKA_OBJECT_ID of a data object; empty when a kill tore the object before it got one. */
  readonly id: Buffer;
  readonly label: string;
  /** False for a torn object: SoftHSM shows a key that was killed in the making, without its value. */
  readonly usable: boolean;
}

const KIND = new Map<number, TokenObject['kind']>([
  [ObjectClass.DATA, 'data'],
  [ObjectClass.CERTIFICATE, 'certificate'],
  [ObjectClass.SECRET_KEY, 'secret'],
  [ObjectClass.PRIVATE_KEY, 'private'],
  [ObjectClass.PUBLIC_KEY, 'public'],
]);

/** Per kind, attributes of which a whole object shows at least one. The value of a secret key shows itself by its length. */
const SIGN_OF_LIFE = {
  data: ['value'],
  certificate: ['value'],
  secret: ['valueLen'],
  private: ['modulus', 'paramsEC'],
  public: ['modulus', 'pointEC'],
} as const satisfies Record<TokenObject['kind'], readonly string[]>;

/** Every object on the token, read by graphene in this session. Classes that Keystead knows nothing of are left out. */
export function takeInventory(session: Session, slot: Handle): TokenObject[] {
  const { lib, handle } = session;
  const view = new GrapheneSession(handle, new Slot(slot, new Module(lib), lib), lib);
  const found = view.find({ token: true });
  return Array.from({ length: found.length }, (_, i) => describe(found.items(i))).filter(
    (object) => object !== undefined,
  );
}

function describe(object: SessionObject): TokenObject | undefined {
  const kind = KIND.get(Number(read(object, 'class')));
  if (!kind) return undefined;
  const id = bytes(read(object, 'id')) ?? bytes(read(object, 'objectId')) ?? Buffer.alloc(0);
  const whole = SIGN_OF_LIFE[kind].some((name) => isThere(read(object, name)));
  return { kind, id, label: String(read(object, 'label') ?? ''), usable: whole && id.length > 0 };
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

function isThere(value: unknown): boolean {
  return typeof value === 'number' ? value > 0 : bytes(value) !== undefined;
}
