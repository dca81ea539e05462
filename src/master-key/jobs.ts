import { constants, createPublicKey, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import { sha256 } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { Secret } from '../shared/secret.js';
import type { CeremonyAnswers, MadeSet, SetFacts, Verification, WireRequestOf } from './ceremony-request.js';
import { DerivedKeys, mixMasterKey } from './derive.js';
import { DEFAULT_COST, type Keyshare, type ScryptCost, type ShareSet } from './keyshare-file.js';
import { assertEnough, assertOneSet, combineSet, openAll } from './keyshare-set.js';
import { makeSet, placesFor, type Target } from './new-set.js';
import { readShareFile } from './share-reader.js';

/** The four jobs of the ceremony process. Each takes the request as parsed and gives what may be public. */

type WireFile = WireRequestOf<'verify'>['shares'][number];

const targetOf = ({ file, passphrase }: WireFile): Target => ({
  file,
  passphrase: new Secret(Buffer.from(passphrase, 'base64')),
});
const costOf = (N: number | undefined): ScryptCost => ({ ...DEFAULT_COST, N: N ?? DEFAULT_COST.N });

/** A new master key of 32 bytes from the unit and 32 from here, in one new file per share. */
export async function generate(request: WireRequestOf<'generate'>): Promise<MadeSet> {
  const { instance, unitRandom, name, t } = request;
  const to = request.shares.map(targetOf);
  placesFor(to, t);
  const mkId = randomBytes(16);
  using key = mixMasterKey(Buffer.from(unitRandom, 'base64'), mkId);
  using keys = new DerivedKeys(key, mkId);
  const facts = {
    mkId: mkId.toString('hex'),
    instance,
    name,
    algorithm: 'AES-256',
    t,
    mkvp: keys.mkvp(instance, mkId).toString('hex'),
    createdAt: new Date().toISOString(),
  } as const;
  return madeOf(await makeSet(key, facts, to, costOf(request.scryptN)), to);
}

/** The args of the signed command mk.import: the two keys of the master key, encrypted to the importer of each unit. */
export async function importArgs(request: WireRequestOf<'import'>): Promise<CeremonyAnswers['import']> {
  const importers = request.units.map(({ id, importer, oaep }) => ({ id, oaep, ...importerOf(id, importer) }));
  const shares = request.shares.map(({ file }) => readShareFile(file));
  const set = assertOneSet(shares);
  const files = request.shares.map(({ file }) => file).join(', ');
  needs(
    set.instance === request.instance,
    'KEYSHARE_INVALID',
    `${files}: shares of a master key of instance ${set.instance}, not of ${request.instance}`,
  );
  assertEnough(shares);
  using key = await combineFiles(shares, request.shares.map(targetOf));
  const mkId = Buffer.from(set.mkId, 'hex');
  using keys = new DerivedKeys(key, mkId);
  const answer = keys.checkAnswer(Buffer.from(set.mkvp, 'hex'));
  const units = importers.map(({ id, oaep, spki, publicKey }) => {
    const seal = (secret: Secret) => encryptTo(publicKey, oaep, secret).toString('base64');
    return [id, { importer: sha256(spki).toString('hex'), oaep, wrap: seal(keys.wrap), mac: seal(keys.mac) }] as const;
  });
  const { instance: _, ...facts } = factsOf(set);
  return {
    ...facts,
    check: { blob: keys.checkBlob().toString('base64'), answer: answer.toString('hex') },
    units: Object.fromEntries(units),
  };
}

/** What is right and wrong with each file and with all of them together. Refuses nothing: the answer says it. */
export async function verify(request: WireRequestOf<'verify'>): Promise<Verification> {
  const good: Keyshare[] = [];
  const opened: Secret[] = [];
  const files: Verification['files'][number][] = [];
  for (const wire of request.shares) {
    try {
      const share = readShareFile(wire.file);
      opened.push(...(await openAll([share], [targetOf(wire).passphrase])));
      good.push(share);
      files.push({ file: wire.file, index: share.index, error: null });
    } catch (thrown) {
      files.push({ file: wire.file, index: null, error: refusalOf(thrown) });
    }
  }
  try {
    const set = good.length > 0 ? assertOneSet(good) : null;
    if (!set || good.length < set.t) return { files, set: set && factsOf(set), mkvp: null, error: null };
    using key = combineSet(set, opened);
    using keys = new DerivedKeys(key, Buffer.from(set.mkId, 'hex'));
    const mkvp = keys.mkvp(set.instance, Buffer.from(set.mkId, 'hex')).toString('hex');
    return { files, set: factsOf(set), mkvp, error: null };
  } catch (thrown) {
    return { files, set: null, mkvp: null, error: refusalOf(thrown) };
  } finally {
    for (const secret of opened) secret[Symbol.dispose]();
  }
}

/** A new set of files for the same master key: same mkId and MKVP. The old files stay good and should be destroyed. */
export async function reshare(request: WireRequestOf<'reshare'>): Promise<MadeSet> {
  const to = request.to.map(targetOf);
  placesFor(to, request.t);
  const shares = request.shares.map(({ file }) => readShareFile(file));
  const { mkId, instance, name, algorithm, mkvp, createdAt } = assertOneSet(shares);
  assertEnough(shares);
  using key = await combineFiles(shares, request.shares.map(targetOf));
  const facts = { mkId, instance, name, algorithm, t: request.t, mkvp, createdAt };
  return madeOf(await makeSet(key, facts, to, costOf(request.scryptN)), to);
}

async function combineFiles(shares: readonly Keyshare[], targets: readonly Target[]): Promise<Secret> {
  const opened = await openAll(
    shares,
    targets.map(({ passphrase }) => passphrase),
  );
  try {
    return combineSet(assertOneSet(shares), opened);
  } finally {
    for (const secret of opened) secret[Symbol.dispose]();
  }
}

/** RSAES-OAEP (RFC 8017 section 7.1), MGF1 with the same hash, empty label. */
function encryptTo(key: KeyObject, oaep: 'SHA-1' | 'SHA-256', secret: Secret): Buffer {
  const oaepHash = oaep === 'SHA-1' ? 'sha1' : 'sha256';
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, secret.bytes);
}

function importerOf(unit: string, base64: string): { spki: Buffer; publicKey: KeyObject } {
  const spki = Buffer.from(base64, 'base64');
  const problem = `the importer key of unit ${unit} is not an RSA-3072 public key; make a new one with mk.importer`;
  try {
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const { modulusLength = 0, publicExponent } = publicKey.asymmetricKeyDetails ?? {};
    const sound = publicKey.asymmetricKeyType === 'rsa' && modulusLength >= 3072 && publicExponent === 65_537n;
    if (sound) return { spki, publicKey };
  } catch (cause) {
    throw new KeysteadError('IMPORTER_INVALID', problem, { cause });
  }
  throw new KeysteadError('IMPORTER_INVALID', problem);
}

function factsOf({ mkId, setId, instance, name, algorithm, t, n, mkvp, createdAt }: ShareSet): SetFacts {
  return { mkId, setId, instance, name, algorithm, t, n, mkvp, createdAt };
}

function madeOf(set: ShareSet, to: readonly Target[]): MadeSet {
  return { ...factsOf(set), files: to.map(({ file }) => file) };
}

/** A refusal as data; anything else is a fault and goes on. */
function refusalOf(thrown: unknown): NonNullable<Verification['error']> {
  if (thrown instanceof KeysteadError) return { code: thrown.code, message: thrown.message };
  throw thrown;
}
