import { z } from 'zod';
import { inShape } from '../admins/command-args.js';
import type { Capabilities } from '../pkcs11/capabilities.js';
import { probeCapabilities } from '../pkcs11/probe.js';
import { fromBase64url } from '../shared/bytes.js';
import { KeysteadError, needs } from '../shared/errors.js';
import { claim } from './claim.js';
import { obey } from './commands.js';
import type { CryptoUnit } from './crypto-unit.js';
import { readFacts } from './facts.js';
import type { FactsAnswer, Opcode, SignedFacts, UnitFacts, UnitProbe } from './protocol.js';
import { signReceipt } from './receipts.js';

const FactsBody = z.strictObject({ nonce: z.string().optional(), capabilities: z.boolean().optional() });
const CommandBody = z.strictObject({ document: z.string() });

/**
 * The admin set. Claims and commands go through one queue. Reading does not wait for it: making an importer pair takes
 * seconds, on another thread, and a probe that waited so long would look like a hung agent.
 */
export class AdminOps {
  #queue: Promise<unknown> = Promise.resolve();
  #capabilities: Capabilities | undefined;

  constructor(private readonly unit: CryptoUnit) {}

  /** JSON in, JSON out. Throws BAD_REQUEST for an op of another set. */
  async run(op: Opcode, body: Buffer): Promise<Buffer> {
    return Buffer.from(JSON.stringify(await this.#answer(op, parse(body))));
  }

  async #answer(op: Opcode, body: unknown): Promise<object> {
    switch (op) {
      case 'probe':
        return this.#probe();
      case 'facts':
        return this.#facts(inShape(FactsBody, body, 'the question for facts', 'BAD_REQUEST'));
      case 'capabilities':
        return this.#next(() => this.#able());
      case 'claim':
        return this.#next(async () => claim(this.unit, body));
      case 'command':
        return this.#next(() => obey(this.unit, inShape(CommandBody, body, 'the command', 'BAD_REQUEST').document));
      default:
        throw new KeysteadError('BAD_REQUEST', `${op} is not of the admin set`);
    }
  }

  #next<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      this.unit.acting = true;
      try {
        await this.unit.backgroundDone(); // an act may close the module
        return await act();
      } finally {
        this.unit.acting = false;
      }
    });
    this.#queue = turn.catch(() => undefined); // the one who asked hears of it
    return turn;
  }

  #probe(): UnitProbe {
    const start = performance.now();
    this.unit.refresh();
    let facts = readFacts(this.unit);
    let canary = this.#isWell(facts);
    if (facts.token.present && !canary) {
      this.unit.openAnew(); // only that shows a module what was put back
      facts = readFacts(this.unit);
      canary = this.#isWell(facts);
    }
    const sessions = this.unit.keeper.open?.sessions ?? null;
    return { facts, milliseconds: performance.now() - start, canary, sessions };
  }

  #isWell({ token, masterKeyMatches }: UnitFacts): boolean {
    if (!token.present || token.problem !== null || masterKeyMatches === false) return false;
    try {
      this.unit.canary();
      this.unit.keeper.well();
      return true;
    } catch {
      return false; // which is the answer: the facts after opening anew say why
    }
  }

  async #facts({ nonce, capabilities: asked }: z.infer<typeof FactsBody>): Promise<FactsAnswer> {
    const capabilities = asked ? await this.#next(() => this.#able()) : null;
    const facts = readFacts(this.unit);
    if (nonce === undefined) return { facts, receipt: null };
    const { length } = fromBase64url(nonce, 'the nonce');
    needs(length >= 16 && length <= 64, 'BAD_REQUEST', 'the nonce must have 16 to 64 bytes');
    if (!facts.record) return { facts, receipt: null };
    const record = this.unit.record();
    if (!record) return { facts, receipt: null };
    const said = { plan: null, nonce, digest: null, op: 'facts', outcome: 'ok', error: null } as const;
    const { model, manufacturer, firmware } = facts.token;
    const signed: SignedFacts = { ...facts.record, token: { model, manufacturer, firmware }, capabilities };
    return { facts, receipt: signReceipt(this.unit.keeper.token(), record, { ...said, facts: { ...signed } }) };
  }

  async #able(): Promise<Capabilities> {
    const found = this.#capabilities ?? (await probeCapabilities(this.unit.keeper.token()));
    this.#capabilities = found;
    return found;
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new KeysteadError('BAD_REQUEST', 'the body is not JSON', { cause });
  }
}
