import { randomBytes } from 'node:crypto';
import type { Caller } from '../../src/access/caller.js';
import { CreateAlias, DeleteAlias } from '../../src/keys/alias.command.js';
import { CreateKey } from '../../src/keys/create-key.command.js';
import { DecryptData, ReencryptData } from '../../src/keys/decrypt-data.command.js';
import { DeleteKeyMaterial } from '../../src/keys/delete-key-material.command.js';
import { EncryptData, GenerateDataKey } from '../../src/keys/encrypt-data.command.js';
import { GetKeyMetadata } from '../../src/keys/get-key.query.js';
import { CreateGrant, RetireGrant, RevokeGrant } from '../../src/keys/grants.command.js';
import { GetImportParameters } from '../../src/keys/import-parameters.command.js';
import { LabelKey, UnlabelKey } from '../../src/keys/labels.command.js';
import { ListAliases } from '../../src/keys/list-aliases.query.js';
import { ListGrants, ListRetirableGrants } from '../../src/keys/list-grants.query.js';
import { ListKeys } from '../../src/keys/list-keys.query.js';
import { ListLabels } from '../../src/keys/list-labels.query.js';
import { ListVersions } from '../../src/keys/list-versions.query.js';
import { MoveAlias } from '../../src/keys/move-alias.command.js';
import { Random } from '../../src/keys/random.query.js';
import { CancelKeyDeletion, ScheduleKeyDeletion } from '../../src/keys/scheduled-deletion.command.js';
import { SetKeyRotation } from '../../src/keys/set-key-rotation.command.js';
import { DisableKey, EnableKey } from '../../src/keys/switch-key.command.js';
import { UpdateKey } from '../../src/keys/update-key.command.js';
import { refusalOf } from './key-world.js';
import { MANAGER, Model } from './model.js';

/** What the key model does for every dialect, on real units; days are short here. */
let model: Model;
beforeAll(async () => {
  model = await Model.start({
    KEYSTEAD_TIMER_DUE_KEYS_MS: '200',
    KEYSTEAD_TIMER_DELETION_DAY_MS: '500',
    KEYSTEAD_TIMER_ROTATION_DAY_MS: '200',
    KEYSTEAD_LIMIT_KEYS: '0',
  });
}, 120_000);
afterAll(() => model?.end());

const context = { dialect: 'spec', context: ['a'] };
const t = (id: string) => model.target(id);
const encrypt = (id: string, by: Caller = MANAGER) =>
  model.ask(new EncryptData(by, t(id), { ...context, plaintext: Buffer.from('secret') }), by);
const refuses = (code: string) => expect.objectContaining({ code });
const generated = async (input: object = {}) =>
  model.ask(new CreateKey(MANAGER, { instanceId: model.at.instance }, { name: 'k', extractable: false, ...input }));
const view = (id: string) => model.ask(new GetKeyMetadata(MANAGER, t(id)));

describe('a scheduled deletion', () => {
  const schedule = (id: string, days = 1_000) => model.ask(new ScheduleKeyDeletion(MANAGER, t(id), { days }));
  const cancel = (id: string, to: 'active' | 'suspended') => model.ask(new CancelKeyDeletion(MANAGER, t(id), { to }));

  it('makes the key unusable at once, by every way', async () => {
    const { id } = await generated();
    const sealed = await encrypt(id);
    expect(await schedule(id)).toMatchObject({ deletionDueAt: expect.any(Date) });
    await expect(encrypt(id)).rejects.toEqual(refuses('DELETION_PENDING'));
    await expect(model.ask(new DecryptData(MANAGER, t(id), { ...context, ...sealed }))).rejects.toEqual(
      refuses('DELETION_PENDING'),
    );
    for (const action of ['wrap', 'enable', 'rotate']) {
      expect(refusalOf(await model.at.send('POST', `keys/${id}/actions/${action}`))).toEqual([
        409,
        'KEY_ACTION_INVALID_STATE_ERR',
      ]);
    }
    await expect(schedule(id)).rejects.toEqual(refuses('DELETION_PENDING'));
    await model.at.db.query(`UPDATE "keys" SET "deletionDueAt" = NULL, "state" = 1 WHERE "id" = $1`, [id]);
    await expect(encrypt(id)).rejects.toEqual(refuses('KEY_ROW_INVALID'));
  });

  it.each([
    ['active', 1],
    ['suspended', 2],
  ] as const)('can be cancelled to %s', async (to, state) => {
    const { id } = await generated();
    const sealed = await encrypt(id);
    await schedule(id);
    expect(await cancel(id, to)).toMatchObject({ state, deletionDueAt: null });
    await expect(cancel(id, to)).rejects.toEqual(refuses('DELETION_NOT_PENDING'));
    const opened = model.ask(new DecryptData(MANAGER, t(id), { ...context, ...sealed }));
    if (to === 'active') expect((await opened).plaintext.toString()).toBe('secret');
    else await expect(opened).rejects.toEqual(refuses('KEY_STATE'));
  });

  it('of a key without material is cancelled to pending; material deleted meanwhile is gone', async () => {
    const pending = await model.external();
    await schedule(pending.id);
    expect((await cancel(pending.id, 'active')).state).toBe(0);
    const { id } = await model.imported();
    const { deletionDueAt } = await schedule(id);
    await expect(model.import(id, randomBytes(32))).rejects.toEqual(refuses('DELETION_PENDING'));
    const dropped = await model.ask(new DeleteKeyMaterial(MANAGER, t(id)));
    expect(dropped).toMatchObject({ state: 0, deletionDueAt });
    expect(await model.blob(id)).toHaveLength(0);
    expect((await cancel(id, 'active')).state).toBe(0);
  });

  it('removes the key when it is due: rows, blobs, aliases, grants, and what was given to import it', async () => {
    const { id } = await model.imported();
    await model.ask(new CreateAlias(MANAGER, t(id), `alias/gone-${id}`));
    await model.ask(new CreateGrant(MANAGER, t(id), { grantee: 'x', operations: ['encrypt'] }));
    await schedule(id, 1);
    await model.at.untilRow(`SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM "keys" WHERE "id" = $1)`, id);
    for (const table of ['key_versions', 'key_aliases', 'key_grants', 'import_parameters']) {
      const { rowCount } = await model.at.db.query(`SELECT 1 FROM "${table}" WHERE "keyId" = $1`, [id]);
      expect([table, rowCount]).toEqual([table, 0]);
    }
    await expect(view(id)).rejects.toEqual(refuses('KEY_NOT_FOUND'));
  });

  it('needs two people where the key does', async () => {
    const { id } = await generated({ overrides: { dualAuthDelete: { enabled: true } } });
    await expect(schedule(id)).rejects.toEqual(refuses('AUTHORIZATIONS_NOT_MET'));
  });
});

describe('data', () => {
  it('a data key is of the length that was asked, and comes without plaintext when not wanted', async () => {
    const { id } = await model.imported();
    const make = (bytes: number, withoutPlaintext = false) =>
      model.ask(new GenerateDataKey(MANAGER, t(id), { ...context, bytes, withoutPlaintext }));
    const made = await make(24);
    expect(made.plaintext).toHaveLength(24);
    expect((await model.ask(new DecryptData(MANAGER, t(id), { ...context, ...made }))).plaintext).toEqual(
      made.plaintext,
    );
    const silent = await make(64, true);
    expect(silent.plaintext).toHaveLength(0);
    expect((await model.ask(new DecryptData(MANAGER, t(id), { ...context, ...silent }))).plaintext).toHaveLength(64);
    await expect(make(0)).rejects.toEqual(refuses('FIELD_INVALID'));
  });

  it('goes from key to key and context to context without its plaintext', async () => {
    const [from, to] = [await model.imported(), await generated()];
    const sealed = await encrypt(from.id);
    const moved = await model.ask(
      new ReencryptData(
        MANAGER,
        { target: t(from.id), ...sealed, context: ['a'] },
        { target: t(to.id), context: ['b'] },
        'spec',
      ),
    );
    expect(moved).toMatchObject({ keyId: to.id, sourceKeyId: from.id });
    const opened = new DecryptData(MANAGER, t(to.id), { dialect: 'spec', context: ['b'], ...moved });
    expect((await model.ask(opened)).plaintext.toString()).toBe('secret');
  });

  it('random bytes are as many as asked', async () => {
    const bytes = await model.ask(new Random(MANAGER, { instanceId: model.at.instance }, 77));
    expect(bytes).toHaveLength(77);
  });

  it('a deactivated key is rewrapped under its latest version (Key Protect allows it in state 3)', async () => {
    const soon = new Date(Date.now() + 2_500).toISOString();
    const id = await model.at.key({ expirationDate: soon });
    const { body } = await model.at.send('POST', `keys/${id}/actions/wrap`);
    await model.at.untilRow(`SELECT 1 FROM "keys" WHERE "id" = $1 AND "state" = 3`, id);
    const rewrapped = await model.at.send('POST', `keys/${id}/actions/rewrap`, { ciphertext: body.ciphertext });
    expect(rewrapped.status).toBe(200);
    const opened = await model.at.send('POST', `keys/${id}/actions/unwrap`, { ciphertext: rewrapped.body.ciphertext });
    expect(opened.body.plaintext).toBe(body.plaintext);
  });
});

describe('names', () => {
  it('change, with the aliases: names that are gone mean nothing, those that are taken stay', async () => {
    const [one, two] = [await generated({ aliases: ['up-1', 'up-2'] }), await generated({ aliases: ['up-3'] })];
    const change = (input: object) => model.ask(new UpdateKey(MANAGER, t(one.id), input));
    expect(await change({ name: 'n', description: '', aliases: ['up-2', 'alias/up:4'] })).toMatchObject({
      name: 'n',
      description: '',
      aliases: ['up-2', 'alias/up:4'],
    });
    expect((await view('alias/up:4')).id).toBe(one.id);
    await expect(view('up-1')).rejects.toEqual(refuses('KEY_NOT_FOUND'));
    await expect(change({ aliases: ['up-3'] })).rejects.toEqual(refuses('ALIAS_EXISTS'));
    await expect(change({ name: '' })).rejects.toEqual(refuses('FIELD_INVALID'));
    expect((await view('up-3')).id).toBe(two.id);
    await encrypt(one.id);
  });

  it('move from key to key', async () => {
    const [one, two] = [await generated({ aliases: ['alias/moving'] }), await generated()];
    expect(await model.ask(new MoveAlias(MANAGER, t(two.id), 'alias/moving'))).toMatchObject({ keyId: two.id });
    expect((await view('alias/moving')).id).toBe(two.id);
    expect((await view(one.id)).aliases).toEqual([]);
    await encrypt(one.id);
    await encrypt('alias/moving');
    await expect(model.ask(new MoveAlias(MANAGER, t(one.id), 'alias/none'))).rejects.toEqual(
      refuses('ALIAS_NOT_FOUND'),
    );
    await expect(model.ask(new DeleteAlias(MANAGER, t(one.id), 'alias/moving'))).rejects.toEqual(
      refuses('ALIAS_NOT_FOUND'),
    );
    const listed = await model.ask(
      new ListAliases(MANAGER, { instanceId: model.at.instance }, { prefix: 'alias/mov' }),
    );
    expect(listed).toMatchObject({ aliases: [{ alias: 'alias/moving', keyId: two.id }], total: 1 });
  });
});

describe('labels', () => {
  const label = (id: string, labels: Record<string, string>, most?: number) =>
    model.ask(new LabelKey(MANAGER, t(id), { labels, most }));

  it('are set, taken away, counted and listed; no MAC covers them', async () => {
    const { id } = await generated({ labels: { team: 'blue' } });
    await label(id, { stage: 'prod', team: 'red' });
    expect((await view(id)).labels).toEqual({ team: 'red', stage: 'prod' });
    await expect(label(id, { third: '' }, 2)).rejects.toEqual(refuses('LABEL_QUOTA'));
    const unlabel = (names: string[], lenient = false) => model.ask(new UnlabelKey(MANAGER, t(id), { names, lenient }));
    await expect(unlabel(['none'])).rejects.toEqual(refuses('LABEL_NOT_FOUND'));
    const used = await model.ask(new ListLabels(MANAGER, { instanceId: model.at.instance }));
    expect(used).toEqual([
      { name: 'stage', values: ['prod'] },
      { name: 'team', values: ['red'] },
    ]);
    expect((await unlabel(['none', 'stage'], true)).labels).toEqual({ team: 'red' });
    await encrypt(id);
  });
});

describe('a list', () => {
  it('shows the keys of a condition, algorithm, origin, label and part of a name, the newest first', async () => {
    const one = await model.external('AES-256', { name: 'List One', labels: { list: 'x' } });
    const two = await model.external('EC-P256', { name: 'list two', labels: { list: 'y' } });
    const three = await generated({ name: 'LIST three' });
    await model.ask(new DisableKey(MANAGER, t(three.id)));
    const four = await generated({ name: 'list four' });
    await model.ask(new ScheduleKeyDeletion(MANAGER, t(four.id), { days: 1_000 }));
    const list = async (filter: object) => {
      const { keys, total } = await model.ask(
        new ListKeys(MANAGER, { instanceId: model.at.instance }, { name: 'list ', ...filter }),
      );
      return [keys.map(({ id }) => id), total];
    };
    expect(await list({})).toEqual([[four.id, three.id, two.id, one.id], 4]);
    expect(await list({ limit: 2, offset: 1 })).toEqual([[three.id, two.id], 4]);
    expect(await list({ limit: 0 })).toEqual([[], 4]);
    expect(await list({ conditions: ['pending-import'] })).toEqual([[two.id, one.id], 2]);
    expect(await list({ conditions: ['disabled', 'pending-deletion'] })).toEqual([[four.id, three.id], 2]);
    expect(await list({ conditions: ['enabled'] })).toEqual([[], 0]);
    expect(await list({ algorithms: ['EC-P256'], usages: ['SIGN_VERIFY'] })).toEqual([[two.id], 1]);
    expect(await list({ external: false })).toEqual([[four.id, three.id], 2]);
    expect(await list({ labels: { list: [] } })).toEqual([[two.id, one.id], 2]);
    expect(await list({ labels: { list: ['y', 'z'] } })).toEqual([[two.id], 1]);
  });

  it('tells enabled keys', async () => {
    const { id } = await generated({ name: 'enabled one' });
    const asked = new ListKeys(
      MANAGER,
      { instanceId: model.at.instance },
      { conditions: ['enabled'], name: 'enabled' },
    );
    expect((await model.ask(asked)).keys.map((key) => key.id)).toEqual([id]);
  });
});

describe('grants', () => {
  const stranger = (id: string): Caller => ({ id, name: id, roles: [], scopes: [] });
  const grant = (id: string, input: object, by: Caller = MANAGER) =>
    model.ask(new CreateGrant(by, t(id), { grantee: 'friend', operations: ['encrypt'], ...input }), by);

  it('let somebody without roles do what they name with that key, until they are revoked', async () => {
    const [one, two] = [await generated(), await generated()];
    const friend = stranger('friend');
    await expect(encrypt(one.id, friend)).rejects.toEqual(refuses('FORBIDDEN'));
    const made = await grant(one.id, { operations: ['encrypt', 'describe'] });
    expect(made).toMatchObject({ keyId: one.id, id: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const sealed = await encrypt(one.id, friend);
    expect(await model.ask(new GetKeyMetadata(friend, t(one.id)), friend)).toMatchObject({ id: one.id });
    await expect(encrypt(two.id, friend)).rejects.toEqual(refuses('FORBIDDEN'));
    const open = new DecryptData(friend, t(one.id), { ...context, ...sealed });
    await expect(model.ask(open, friend)).rejects.toEqual(refuses('FORBIDDEN'));
    const asDataKey = new EncryptData(friend, t(one.id), { ...context, plaintext: Buffer.alloc(1), dataKey: true });
    await expect(model.ask(asDataKey, friend)).rejects.toEqual(refuses('FORBIDDEN'));
    expect(await model.ask(new ListGrants(MANAGER, t(one.id)))).toMatchObject({ grants: [{ id: made.id }], total: 1 });
    await model.ask(new RevokeGrant(MANAGER, t(one.id), made.id));
    await expect(encrypt(one.id, friend)).rejects.toEqual(refuses('FORBIDDEN'));
    await expect(model.ask(new RevokeGrant(MANAGER, t(one.id), made.id))).rejects.toEqual(refuses('GRANT_NOT_FOUND'));
  });

  it('are given on no further than they go', async () => {
    const { id } = await generated();
    const friend = stranger('friend');
    await grant(id, { operations: ['create-grant', 'encrypt'] });
    await expect(grant(id, { grantee: 'other', operations: ['decrypt'] }, friend)).rejects.toEqual(
      refuses('FORBIDDEN'),
    );
    await grant(id, { grantee: 'other', operations: ['encrypt'] }, friend);
    await encrypt(id, stranger('other'));
    await expect(grant(id, { operations: ['create-grant'] })).rejects.toEqual(refuses('FIELD_INVALID'));
  });

  it('are retired by whom they name, and by grantees that may', async () => {
    const { id } = await generated();
    const [friend, principal] = [stranger('friend'), { ...stranger('principal'), roles: ['Reader'] as const }];
    const retire = (grantId: string, by: Caller) => model.ask(new RetireGrant(by, t(id), grantId), by);
    const first = await grant(id, { retiringPrincipal: 'principal' });
    const place = { instanceId: model.at.instance };
    const retirable = () => model.ask(new ListRetirableGrants(principal, place), principal);
    expect(await retirable()).toMatchObject({ grants: [{ id: first.id }], total: 1 });
    await expect(retire(first.id, friend)).rejects.toEqual(refuses('FORBIDDEN'));
    await retire(first.id, principal);
    expect(await retirable()).toMatchObject({ total: 0 });
    const second = await grant(id, { operations: ['encrypt', 'retire-grant'] });
    await retire(second.id, friend);
    await expect(encrypt(id, friend)).rejects.toEqual(refuses('FORBIDDEN'));
  });
});

describe('rotation by days', () => {
  it('makes new versions until it is switched off, and Key Protect sees months', async () => {
    const { id } = await generated();
    const set = (enabled: boolean, days?: number) => model.ask(new SetKeyRotation(MANAGER, t(id), { enabled, days }));
    expect((await set(true, 2)).rotation).toEqual({ enabled: true, intervalDays: 2, intervalMonth: 1 });
    await model.at.untilRow(`SELECT 1 FROM "key_versions" WHERE "keyId" = $1 HAVING count(*) >= 3`, id);
    expect((await set(false)).rotation).toEqual({ enabled: false, intervalDays: 2, intervalMonth: 1 });
    const { total } = await model.ask(new ListVersions(MANAGER, t(id)));
    expect(total).toBeGreaterThanOrEqual(3);
    const { body } = await model.at.send('GET', `keys/${id}/metadata`);
    expect(body.resources[0].rotation).toEqual({ enabled: false, interval_month: 1 });
  });

  it('is refused for external keys', async () => {
    const { id } = await model.external();
    const asked = new SetKeyRotation(MANAGER, t(id), { enabled: true, days: 30 });
    await expect(model.ask(asked)).rejects.toEqual(refuses('KEY_EXTERNAL'));
    expect(refusalOf(await model.at.send('POST', `keys/${(await model.imported()).id}/actions/rotate`))).toEqual([
      400,
      'KEY_EXTERNAL_ERR',
    ]);
  });
});

it('a key is enabled at once, and stays so, where that is asked', async () => {
  const { id } = await generated();
  for (const options of [{}, { idempotent: true }]) await model.ask(new DisableKey(MANAGER, t(id), options));
  await expect(model.ask(new DisableKey(MANAGER, t(id)))).rejects.toEqual(refuses('KEY_STATE'));
  const options = { immediately: true, idempotent: true };
  for (let n = 0; n < 2; n += 1) await model.ask(new EnableKey(MANAGER, t(id), options));
  expect((await view(id)).state).toBe(1);
});

it('an external key that was deleted without material cannot be restored; for services with external keys it is not there', async () => {
  const { id } = await model.external();
  expect((await model.at.send('DELETE', `keys/${id}`)).status).toBe(204);
  const asked = new GetImportParameters(MANAGER, t(id), { algorithm: 'RSAES_OAEP_SHA_1' });
  await expect(model.ask(asked)).rejects.toEqual(refuses('KEY_NOT_FOUND'));
  expect((await view(id)).state).toBe(5);
});
