import { createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import type { CryptoClient } from '../../src/unit-agent/client.js';
import type { KeyRowFields, WrappedKey } from '../../src/unit-agent/protocol.js';
import { KeyWorld } from '../keys/key-world.js';
import { type Sealed, sealed, type Token, WRONG } from './sealed-imports.js';

const READY_MADE = 8;
/** The slowest tenth is the machine's. */
const KEPT = 0.9;

/** How long a unit takes to refuse an import, asked without the API, which would burn the token after ten times. */
export class ImportTiming {
  private constructor(
    private readonly at: KeyWorld,
    private readonly unit: CryptoClient,
    private readonly pair: WrappedKey,
    private readonly pairRow: KeyRowFields,
    private readonly token: Token,
  ) {}

  static async start(): Promise<ImportTiming> {
    const at = await KeyWorld.start();
    const unit = await at.cryptoClient((await at.world.units())[0]?.id ?? '');
    const pairRow = rowOf(at, 'RSA-2048');
    const { publicKey, ...pair } = await unit.generateImportPair(pairRow);
    const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
    const token = { publicKey: key.export({ format: 'pem', type: 'spki' }).toString(), nonce: randomBytes(12) };
    return new ImportTiming(at, unit, pair, pairRow, token);
  }

  async end(): Promise<void> {
    this.unit.connection.close();
    await this.at.end();
  }

  /** Welch's t between the first kind of wrong input and each of them, over so many refusals of each in mixed order. */
  async tellsApart(samples: number): Promise<(readonly [kind: string, t: number])[]> {
    const kinds = Object.keys(WRONG);
    const inputs = kinds.map((kind) =>
      Array.from({ length: READY_MADE }, () => WRONG[kind]?.(this.token) ?? sealed(this.token)),
    );
    const times = kinds.map(() => new Float64Array(samples));
    for (let n = 0; n < samples; n += 1) {
      for (const kind of shuffled(kinds.length)) {
        (times[kind] as Float64Array)[n] = await this.#refusalTakes(inputs[kind]?.[n % READY_MADE] as Sealed);
      }
    }
    const kept = times.map((sample) => sample.sort().subarray(0, samples * KEPT));
    return kinds.map((kind, n) => [kind, welch(kept[0] as Float64Array, kept[n] as Float64Array)] as const);
  }

  /** Nanoseconds. Throws when it is not refused. */
  async #refusalTakes({ payload, ...rest }: Sealed): Promise<number> {
    const given = { oaep: 'SHA-256', wrappedKey: payload, nonce: this.token.nonce, ...rest } as const;
    const row = rowOf(this.at, 'AES-256');
    const began = process.hrtime.bigint();
    const code = await this.unit.importWithPair(this.pairRow, this.pair.blob, this.pair.mac, given, row).then(
      () => 'ok',
      (cause) => cause.code,
    );
    const took = Number(process.hrtime.bigint() - began);
    if (code !== 'IMPORT_INVALID') throw new Error(`a wrong import was answered with ${code}`);
    return took;
  }
}

function rowOf({ instance }: KeyWorld, algorithm: string): KeyRowFields {
  const id = randomUUID();
  return { instance, key: id, version: id, algorithm, state: 'active', policy: '{"use":"import"}' };
}

/** Welch's t of two samples. */
function welch(a: Float64Array, b: Float64Array): number {
  const [x, y] = [momentsOf(a), momentsOf(b)];
  return (x.mean - y.mean) / Math.sqrt(x.variance / a.length + y.variance / b.length);
}

function momentsOf(sample: Float64Array): { mean: number; variance: number } {
  const mean = sample.reduce((sum, one) => sum + one, 0) / sample.length;
  const variance = sample.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}

/** The numbers below `count`, in an order of their own each time. */
function shuffled(count: number): number[] {
  const order = [...Array(count).keys()];
  const keys = randomBytes(count);
  return order.sort((a, b) => (keys[a] as number) - (keys[b] as number));
}
