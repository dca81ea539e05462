import { randomBytes, randomUUID } from 'node:crypto';
import { patience } from '../units.js';
import { until } from '../until.js';
import { type Got, type KeyProtectWorld, keyCollection, policyCollection, type Sending } from './key-protect-world.js';
import { sealed, type Token } from './sealed-imports.js';

/** An import token that lasts. */
export async function newToken(w: KeyProtectWorld): Promise<Token> {
  await w.send('POST', '/api/v2/import_token', { body: { expiration: 86_400 } });
  const { payload, nonce } = (await w.send('GET', '/api/v2/import_token')).body;
  return { publicKey: Buffer.from(payload, 'base64').toString(), nonce: Buffer.from(nonce, 'base64') };
}

/** Clients that go through the life of a key without a pause, over and over, until `stop`. */
export class ScenarioLoad {
  /** Answers that were not what the scenario wants. */
  readonly failures: string[] = [];
  /** Whole lives. */
  lived = 0;
  #stopped = false;
  readonly #clients: Promise<void>[];

  constructor(
    private readonly w: KeyProtectWorld,
    private readonly token: Token,
    clients = 2,
  ) {
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  /** Waits until so many more lives were led to their end. */
  more(count: number): Promise<void> {
    const aim = this.lived + count;
    return until(
      async () => this.lived >= aim || this.failures.length > 0,
      patience(60_000),
      () => `no ${count} lives of keys in a minute\n${this.w.world.logTail()}`,
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#life().catch((cause) => this.failures.push(String(cause)));
      this.lived += 1;
    }
  }

  async #ask(status: number, method: string, path: string, sending: Sending = {}): Promise<Got['body']> {
    const got = await this.w.send(method, `/api/v2/${path}`, sending);
    if (got.status !== status) throw new Error(`${method} ${path}: ${got.status} ${got.text}`);
    return got.body;
  }

  async #life(): Promise<void> {
    const [alias, ring] = [`alias-${randomUUID().slice(1)}`, `ring-${randomUUID()}`];
    const made = await this.#ask(201, 'POST', 'keys', {
      body: keyCollection({ name: 'generated', extractable: false }),
    });
    const { id } = made.resources[0];
    await this.#envelope(id);
    await this.#ask(201, 'POST', `keys/${id}/aliases/${alias}`);
    await this.#ask(201, 'POST', `key_rings/${ring}`);
    await this.#ask(200, 'PATCH', `keys/${alias}`, { body: { keyRingID: ring } });
    const policies = policyCollection({ rotation: { interval_month: 2 } }, { dualAuthDelete: { enabled: false } });
    await this.#ask(200, 'PUT', `keys/${id}/policies`, { body: policies });
    await this.#ask(204, 'POST', `keys/${id}/actions/disable`);
    await this.#ask(204, 'POST', `keys/${id}/actions/enable`);
    await this.#ask(200, 'GET', `keys?search=exact:alias:${alias}`);
    await this.#ask(204, 'DELETE', `keys/${id}`);
    await this.#ask(201, 'POST', `keys/${id}/restore`);
    await this.#ask(204, 'DELETE', `keys/${id}`);
    await this.#ask(204, 'DELETE', `key_rings/${ring}?force=true`);
    await this.#imports();
  }

  /** Wrap, rotate, unwrap, rewrap: what was encrypted stays what it was. */
  async #envelope(id: string): Promise<void> {
    const at = (action: string) => `keys/${id}/actions/${action}`;
    const { plaintext, ciphertext } = await this.#ask(200, 'POST', at('wrap'), { body: {} });
    await this.#ask(204, 'POST', at('rotate'));
    const anew = await this.#ask(200, 'POST', at('rewrap'), { body: { ciphertext } });
    for (const body of [{ ciphertext }, { ciphertext: anew.ciphertext }]) {
      const opened = await this.#ask(200, 'POST', at('unwrap'), { body });
      if (opened.plaintext !== plaintext) throw new Error(`${id} opened something else`);
    }
    const { metadata } = await this.#ask(200, 'GET', `keys/${id}/versions`);
    if (metadata.collectionTotal !== 2) throw new Error(`${id} has ${metadata.collectionTotal} versions`);
  }

  /** Material in clear and for the import token, and a standard key. */
  async #imports(): Promise<void> {
    const payload = randomBytes(16).toString('base64');
    const clear = keyCollection({ name: 'imported', extractable: false, payload });
    const { id } = (await this.#ask(201, 'POST', 'keys', { body: clear })).resources[0];
    await this.#ask(204, 'POST', `keys/${id}/actions/rotate`, {
      body: { payload: randomBytes(32).toString('base64') },
    });
    const encrypted = Object.entries(sealed(this.token)).map(([name, bytes]) => [name, bytes.toString('base64')]);
    const secure = { ...Object.fromEntries(encrypted), encryptionAlgorithm: 'RSAES_OAEP_SHA_256' };
    const body = keyCollection({ name: 'secret', extractable: false, ...secure });
    const imported = (await this.#ask(201, 'POST', 'keys', { body })).resources[0];
    await this.#ask(200, 'POST', `keys/${imported.id}/actions/wrap`);
    const standard = keyCollection({ name: 'standard', extractable: true, payload });
    const kept = (await this.#ask(201, 'POST', 'keys', { body: standard })).resources[0];
    const read = (await this.#ask(200, 'GET', `keys/${kept.id}`)).resources[0];
    if (read.payload !== payload) throw new Error(`${kept.id} is something else`);
  }
}
