import 'reflect-metadata';
import { OPERATIONS as ALIBABA } from '../../src/dialects/alibaba-kms/operations.js';
import { OPERATIONS as HUAWEI } from '../../src/dialects/huawei-kms/operations.js';
import { AlibabaWorld } from '../alibaba-kms/alibaba-world.js';
import { HuaweiWorld } from '../huawei-kms/huawei-world.js';
import { Dice, drawnAfter } from '../key-protect/drawn-requests.js';

/** How many requests to each dialect. */
const REQUESTS = Number(process.env['KEYSTEAD_FUZZ_REQUESTS'] ?? 300);
const SEED = Number(process.env['KEYSTEAD_FUZZ_SEED'] ?? Date.now() % 1_000_000);
const AT_ONCE = 4;
/** Each costs an RSA pair. */
const COSTLY = /import-parameters|GetParametersForImport|create-key|CreateKey/i;
const COSTLY_PART = 0.1;

let huawei: HuaweiWorld;
let alibaba: AlibabaWorld;
let keys: string[];
let ciphertexts: readonly string[];
beforeAll(async () => {
  huawei = await HuaweiWorld.start({ KEYSTEAD_LIMIT_KEYS: '0' });
  alibaba = await AlibabaWorld.of(huawei.world);
  keys = [await alibaba.createKey({}), await alibaba.createKey(), await huawei.newCmk()];
  const plain = Buffer.from('x').toString('base64');
  const { CiphertextBlob } = await alibaba.ask('Encrypt', { KeyId: keys[0], Plaintext: plain });
  ciphertexts = [CiphertextBlob, `${CiphertextBlob.slice(0, -8)}AAAAAAA=`];
}, 180_000);
afterAll(() => huawei?.end(), 30_000);

type Members = Record<string, unknown>;

/** A drawn object, in which what names a key or holds a ciphertext is a real one, mostly. */
function members(value: unknown, dice: Dice): Members {
  const drawn = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
  const real = Object.keys(drawn).map((name): [string, unknown] => {
    if (dice.chance(0.2)) return [name, drawn[name]];
    if (/^(KeyId|DestinationKeyId|key_id)$/i.test(name)) return [name, dice.oneOf(keys)];
    return /^(CiphertextBlob|cipher_text)$/i.test(name) ? [name, dice.oneOf(ciphertexts)] : [name, drawn[name]];
  });
  const named = dice.chance(0.6) ? [['KeyId', dice.oneOf(keys)] as [string, unknown]] : [];
  return Object.fromEntries([...named, ...real]);
}

function oneOf<Operation>(operations: readonly Operation[], nameOf: (one: Operation) => string, dice: Dice): Operation {
  const drawn = dice.oneOf(operations);
  return COSTLY.test(nameOf(drawn)) && !dice.chance(COSTLY_PART) ? oneOf(operations, nameOf, dice) : drawn;
}

/** Faults among so many requests, each drawn from a seed of its own. */
async function faultsOf(send: (dice: Dice) => Promise<string | null>): Promise<string[]> {
  const faults: string[] = [];
  let sent = 0;
  const client = async () => {
    for (let n = sent++; n < REQUESTS; n = sent++) {
      const fault = await send(new Dice(SEED + n)).catch((cause) => String(cause));
      if (fault !== null) faults.push(`request ${n}: ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  expect(sent).toBeGreaterThanOrEqual(REQUESTS);
  return faults;
}

describe(`whatever is sent (seed ${SEED})`, () => {
  it('in Alibaba’s dialect is answered below 500, and a refusal has its code, sentence and id', async () => {
    const faults = await faultsOf(async (dice) => {
      const { name, parameters } = oneOf(ALIBABA, (one) => one.name, dice);
      const given = Object.entries(members(drawnAfter(parameters, dice), dice)).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]);
      const { status, body, text } = await alibaba.send(
        dice.chance(0.02) ? dice.text() : name,
        Object.fromEntries(given),
      );
      const told = status < 400 || (/^[A-Z][\w.]+$/.test(body.Code) && body.Message !== '');
      const whole = told && /^[0-9A-F-]{36}$/i.test(body.RequestId);
      return status < 500 && whole ? null : `${name} ${JSON.stringify(given)} → ${status} ${text}`;
    });
    expect(faults).toEqual([]);
  }, 3_600_000);

  it('in Huawei’s dialect is answered below 500, in the shape of its operation', async () => {
    const faults = await faultsOf(async (dice) => {
      const { method, path, body } = oneOf(HUAWEI, (one) => one.path, dice);
      const place = path
        .replace(':project', huawei.key.project)
        .replace(/:(\w+)/g, () => encodeURIComponent(dice.chance(0.8) ? dice.oneOf(keys) : dice.text() || 'x'));
      const given = members(drawnAfter(body, dice), dice);
      if ('KeyId' in given) given['key_id'] = given['KeyId'];
      const { KeyId: _, ...all } = given;
      const text = dice.chance(0.05) ? dice.oneOf(['', 'null', '{', '[]', '"x"', '\u0000']) : JSON.stringify(all);
      const headers = { 'x-auth-token': await huawei.token(), 'content-type': 'application/json' };
      const got = await huawei.send(place, { method, headers, ...(method === 'POST' && { body: text }) });
      return got.status < 500 ? null : `${method} ${place} ${text} → ${got.status} ${got.text}`;
    });
    expect(faults).toEqual([]);
    expect(huawei.world.log).not.toContain('"event":"internal-error"');
  }, 3_600_000);
});
