import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fingerprintOf } from '../../src/admins/public-key.js';
import { parseCommand } from '../../src/admins/signed-command.js';
import { HTTP_STATUS, KeysteadError, needs } from '../../src/shared/errors.js';
import { refusal, StandInUnit } from './stand-in-units.js';

type Body = Record<string, unknown>;
type Handler = (match: RegExpExecArray, body: Body, query: URLSearchParams) => unknown;

/** A relay in front of stand-in units that can be told to lie. It speaks the part of the server's API that `kp` uses. */
export class StandInServer {
  readonly apiKey = randomUUID();
  readonly instance = { id: randomUUID(), name: 'payments', state: 'active' };
  units: StandInUnit[];
  /** Applied to each answer before it is sent: a lie. */
  lie: (path: string, answer: unknown) => unknown = (_path, answer) => answer;
  readonly seen: string[] = [];
  readonly #operations = new Map<string, unknown>();
  readonly #kmsUser = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  readonly #server: Server;

  constructor(units: number) {
    this.units = Array.from({ length: units }, () => new StandInUnit(this.instance.id));
    this.#server = createServer(async (request, response) => {
      const url = new URL(request.url ?? '/', 'http://stand-in');
      this.seen.push(`${request.method} ${url.pathname}`);
      const sent = await text(request);
      const { status, answer } = this.#answer(
        `${request.method} ${url.pathname}`,
        sent,
        url.searchParams,
        request.headers.authorization,
      );
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(status === 204 ? undefined : JSON.stringify(answer));
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }
  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
  get env(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    return { KP_TARGET_ADDR: `http://127.0.0.1:${port}`, KP_API_KEY: this.apiKey };
  }

  #answer(call: string, sent: string, query: URLSearchParams, authorization: string | undefined) {
    try {
      needs(authorization === `Bearer ${this.apiKey}`, 'UNAUTHENTICATED', 'who are you');
      for (const [pattern, handler] of this.#routes) {
        const match = pattern.exec(call);
        if (!match) continue;
        const answer = handler(match, sent === '' ? {} : (JSON.parse(sent) as Body), query);
        return { status: answer === null ? 204 : 200, answer: this.lie(call, answer) };
      }
      throw new KeysteadError('NOT_FOUND', `there is no ${call}`);
    } catch (thrown) {
      const { code, message } = refusal(thrown);
      const status = HTTP_STATUS[code as keyof typeof HTTP_STATUS];
      return { status, answer: { resources: [{ errorMsg: message, reasons: [{ code, message, status }] }] } };
    }
  }

  readonly #routes: readonly (readonly [RegExp, Handler])[] = [
    [/^GET \/api\/v1\/instances$/, () => ({ instances: [this.#instance()] })],
    [/^DELETE \/api\/v1\/instances\/[^/]+$/, () => null],
    [/^GET \/api\/v1\/cryptounits$/, () => this.units.map((unit) => view(unit))],
    [/^GET \/api\/v1\/cryptounits\/([^/]+)$/, ([, id]) => ({ ...view(this.#unit(id)), record: this.#unit(id).record })],
    [
      /^GET \/api\/v1\/cryptounits\/([^/]+)\/facts$/,
      ([, id], _, query) => this.#unit(id).facts(query.get('nonce') ?? ''),
    ],
    [
      /^POST \/api\/v1\/cryptounits\/([^/]+)\/claim$/,
      ([, id], { plan, certificate }) => {
        const unit = this.#unit(id);
        return { receipt: unit.claim(String(plan), String(certificate)), state: unit.state };
      },
    ],
    [/^GET \/api\/v1\/cryptouser\/metadata$/, () => this.#cryptoUser()],
    [/^POST \/api\/v1\/operations$/, (_, { documents }) => this.#operate(documents as string[])],
    [/^GET \/api\/v1\/operations\/([^/]+)$/, ([, id]) => this.#operations.get(id ?? '')],
  ];

  #instance() {
    const endpoints = { public: this.env['KP_TARGET_ADDR'] };
    return { ...this.instance, guid: this.instance.id, crypto_units: this.units.map(view), extensions: { endpoints } };
  }

  #unit(id: string | undefined): StandInUnit {
    const unit = this.units.find((one) => one.id === id);
    needs(unit, 'UNIT_NOT_FOUND', `there is no crypto unit ${id}`);
    return unit;
  }

  #cryptoUser() {
    const key = this.#kmsUser.export({ type: 'spki', format: 'pem' }).toString();
    return { user_name: 'payments-kp-user', public_key: key, slot_id: 104, fingerprint: fingerprintOf(this.#kmsUser) };
  }

  #operate(documents: readonly string[]) {
    const parsed = documents.map((document) => ({ document, payload: parseCommand(document).payload }));
    const units = parsed.flatMap(({ document, payload }) =>
      payload.units.map(({ id }) => {
        try {
          const receipt = this.#unit(id).command(document);
          return { id, outcome: 'ok', receipt, error: null };
        } catch (thrown) {
          return { id, outcome: 'failed', receipt: null, error: refusal(thrown) };
        }
      }),
    );
    const { plan: id = '', op, instance: instanceId } = parsed[0]?.payload ?? {};
    const operation = { id, op, instanceId, units };
    this.#operations.set(id, operation);
    return operation;
  }
}

function view({ id, instance, state }: StandInUnit) {
  return { id, instanceId: instance, state, zone: 'a', conditions: [], receiptKey: state === 'reserved' ? null : {} };
}
