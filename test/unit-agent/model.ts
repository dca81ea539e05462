import type { KeyObject } from 'node:crypto';
import fc from 'fast-check';
import type { Receipt } from '../../src/admins/receipt.js';
import { signCommand } from '../../src/admins/signed-command.js';
import { type SignedOp, stateOf } from '../../src/shared/unit-state.js';
import type { AdminClient } from '../../src/unit-agent/client.js';
import type { UnitFacts } from '../../src/unit-agent/protocol.js';
import type { AgentWorld } from './agent-world.js';
import { Ceremony, payloadFor, publicPem } from './ceremony.js';

/** What the unit must be, kept in the head. */
export interface Model {
  claimed: boolean;
  masterKey: boolean;
  kmsUser: boolean;
  /** Names; the first one is the claimer's. */
  admins: string[];
  counter: number;
  /** The last document that was answered, and its receipt. */
  last: { document: string; receipt: string } | null;
}

/** The unit, and who administers it. */
export class Real {
  readonly ceremony: Ceremony;
  admin: AdminClient | undefined;

  constructor(
    readonly world: AgentWorld,
    /** Keys of administrators by name; making one takes a second. */
    readonly keys: Readonly<Record<string, KeyObject>>,
  ) {
    this.ceremony = new Ceremony(world);
  }

  async client(): Promise<AdminClient> {
    this.admin ??= await this.world.admin();
    return this.admin;
  }

  async facts(): Promise<UnitFacts> {
    return (await (await this.client()).probe()).facts;
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.world.stop(signal);
    this.admin = undefined;
    await this.world.start();
  }

  async send(model: Model, op: SignedOp, args: object): Promise<Receipt> {
    const admin = await this.client();
    const facts = await this.facts();
    const document = signCommand(payloadFor(facts, op, args), [this.ceremony.adminKey]);
    const { receipt } = await admin.command(document);
    model.last = { document, receipt };
    return JSON.parse(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString()) as Receipt;
  }
}

type Step = fc.AsyncCommand<Model, Real>;
const named = (name: string, check: (m: Model) => boolean, run: (m: Model, r: Real) => Promise<unknown>): Step => ({
  check,
  run: async (model, real) => {
    await run(model, real);
    await agree(model, real);
  },
  toString: () => name,
});
const claimed = (model: Model) => model.claimed;

/** The facts read off the token are the model's, after every step. */
async function agree(model: Model, real: Real): Promise<void> {
  const { record, masterKeyMatches, recordLost, objects, token } = await real.facts();
  const state = stateOf({
    claimed: record !== null,
    masterKey: record?.masterKey != null,
    kmsUser: record?.kmsUser != null,
    maintenance: false,
  });
  expect(state).toBe(stateOf({ ...model, maintenance: false }));
  expect([recordLost, token.problem]).toEqual([false, null]);
  expect(masterKeyMatches).toBe(model.masterKey ? true : null);
  if (!model.claimed) {
    expect(objects).toBe(0);
    return;
  }
  expect(record?.counter).toBe(model.counter);
  expect(record?.admins.slice(1).map(({ name }) => name)).toEqual(model.admins.slice(1));
  const fixed = 3 + (model.masterKey ? 2 : 0);
  expect([fixed + 1, fixed + 2]).toContain(objects);
}

const outcome = (receipt: Receipt, ok: boolean, code: string) => {
  expect([receipt.outcome, receipt.error?.code]).toEqual(ok ? ['ok', undefined] : ['refused', code]);
};

/** Every act that an administrator has, in any order, and the two ways in which an agent ends. */
export const STEPS: readonly fc.Arbitrary<Step>[] = [
  fc.constant(
    named(
      'claim',
      () => true,
      async (model, real) => {
        await real.ceremony.claim(await real.client());
        if (model.claimed) return;
        Object.assign(model, { claimed: true, admins: ['ADMIN'], counter: 0 });
      },
    ),
  ),
  fc.constant(
    named('import', claimed, async (model, real) => {
      const made = await real.send(model, 'mk.importer', {});
      outcome(await real.send(model, 'mk.import', real.ceremony.importArgs(made)), true, '');
      Object.assign(model, { masterKey: true, counter: model.counter + 2 });
    }),
  ),
  fc.constantFrom('bob', 'eve').map((name) =>
    named(`add ${name}`, claimed, async (model, real) => {
      const key = real.keys[name] as KeyObject;
      const receipt = await real.send(model, 'user.add', { type: 'admin', name, certificate: publicPem(key) });
      outcome(receipt, !model.admins.includes(name), 'USER_EXISTS');
      if (!model.admins.includes(name)) model.admins.push(name);
      model.counter += 1;
    }),
  ),
  fc.constantFrom('bob', 'eve').map((name) =>
    named(`remove ${name}`, claimed, async (model, real) => {
      outcome(await real.send(model, 'user.remove', { name }), model.admins.includes(name), 'USER_NOT_FOUND');
      model.admins = model.admins.filter((one) => one !== name);
      model.counter += 1;
    }),
  ),
  fc.constant(
    named('add kms', claimed, async (model, real) => {
      const args = { type: 'kmsCryptoUser', name: 'kms', publicKey: publicPem(real.ceremony.kmsUser) };
      outcome(await real.send(model, 'user.add', args), !model.kmsUser, 'USER_EXISTS');
      Object.assign(model, { kmsUser: true, counter: model.counter + 1 });
    }),
  ),
  fc.constant(
    named('remove kms', claimed, async (model, real) => {
      outcome(await real.send(model, 'user.remove', { name: 'kms' }), model.kmsUser, 'USER_NOT_FOUND');
      Object.assign(model, { kmsUser: false, counter: model.counter + 1 });
    }),
  ),
  fc.constant(
    named('zeroize', claimed, async (model, real) => {
      outcome(await real.send(model, 'zeroize', { force: false }), true, '');
      Object.assign(model, { claimed: false, masterKey: false, kmsUser: false, admins: [], counter: 0 });
    }),
  ),
  fc.constant(
    named(
      'send the last one again',
      (model) => model.last !== null && model.claimed,
      async (model, real) => {
        const { document, receipt } = model.last ?? { document: '', receipt: '' };
        const again = await (await real.client()).command(document).catch((refusal: { code: string }) => refusal.code);
        // the same answer, or, after a zeroize and a new claim, another epoch
        if (typeof again === 'string') expect(again).toBe('COMMAND_TARGET');
        else expect(again.receipt).toBe(receipt);
      },
    ),
  ),
  fc.constant(
    named(
      'crash',
      () => true,
      (_model, real) => real.restart('SIGKILL'),
    ),
  ),
  fc.constant(
    named(
      'restart',
      () => true,
      (_model, real) => real.restart('SIGTERM'),
    ),
  ),
];
