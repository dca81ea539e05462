import { createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import type { CryptoClient } from '../../src/unit-agent/client.js';
import type { KeyRowFields, WrappedKey } from '../../src/unit-agent/protocol.js';
import { KeyWorld } from '../keys/key-world.js';
import { type Sealed, sealed, type Token, WRONG } from './sealed-imports.js';

/** How long a unit takes to refuse an import, asked without the API, which would burn the token after ten times. */
const SAMPLES = 500;
const READY_MADE = 8;
/** The slowest tenth is the machine's. */
const KEPT = 0.9;

let at: KeyWorld;
let unit: CryptoClient;
let pair: WrappedKey;
let token: Token;
const rowAs = (algorithm: string): KeyRowFields => {
  const id = randomUUID();
  return { instance: at.instance, key: id, version: id, algorithm, state: 'active', policy: '{"use":"import"}' };
};
let pairRow: KeyRowFields;
beforeAll(async () => {
  at = await KeyWorld.start();
  unit = await at.cryptoClient((await at.world.units())[0]?.id ?? '');
  pairRow = rowAs('RSA-2048');
  const { publicKey, ...wrapped } = await unit.generateImportPair(pairRow);
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
  pair = wrapped;
  token = { publicKey: key.export({ format: 'pem', type: 'spki' }).toString(), nonce: randomBytes(12) };
}, 180_000);
afterAll(async () => {
  unit?.connection.close();
  await at?.end();
}, 30_000);

async function refusalTakes({ payload, ...rest }: Sealed): Promise<number> {
  const given = { oaep: 'SHA-256', wrappedKey: payload, nonce: token.nonce, ...rest } as const;
  const row = rowAs('AES-256');
  const began = process.hrtime.bigint();
  const code = await unit.importWithPair(pairRow, pair.blob, pair.mac, given, row).then(
    () => 'ok',
    (cause) => cause.code,
  );
  const took = Number(process.hrtime.bigint() - began);
  expect(code).toBe('IMPORT_INVALID');
  return took;
}

/** Welch's t of two samples. */
function welch(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [momentsOf(a), momentsOf(b)];
  return (x.mean - y.mean) / Math.sqrt(x.variance / a.length + y.variance / b.length);
}

function momentsOf(sample: readonly number[]): { mean: number; variance: number } {
  const mean = sample.reduce((sum, one) => sum + one, 0) / sample.length;
  const variance = sample.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}

it('tells the kinds of wrong input apart by time no better than chance does', async () => {
  const kinds = Object.keys(WRONG);
  const inputs = kinds.map((kind) => Array.from({ length: READY_MADE }, () => WRONG[kind]?.(token) ?? sealed(token)));
  const times: number[][] = kinds.map(() => []);
  for (let n = 0; n < SAMPLES; n += 1) {
    for (const kind of shuffled(kinds.length)) {
      times[kind]?.push(await refusalTakes(inputs[kind]?.[n % READY_MADE] as Sealed));
    }
  }
  const kept = times.map((sample) => sample.sort((a, b) => a - b).slice(0, SAMPLES * KEPT));
  const told = kinds.map((kind, n) => [kind, welch(kept[0] as number[], kept[n] as number[])] as const);
  expect(told.filter(([, t]) => Math.abs(t) >= 10)).toEqual([]);
}, 240_000);

/** The numbers below `count`, in an order of their own each time. */
function shuffled(count: number): number[] {
  const order = [...Array(count).keys()];
  const keys = randomBytes(count);
  return order.sort((a, b) => (keys[a] as number) - (keys[b] as number));
}
