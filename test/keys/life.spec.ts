import { until } from '../until.js';
import { KeyWorld, keyBody, policyBody, refusalOf } from './key-world.js';

/** The life of keys against real units, with timers short enough to wait for. */
let at: KeyWorld;
const TIMERS = {
  KEYSTEAD_TIMER_ENABLE_MS: '800',
  KEYSTEAD_TIMER_RESTORE_MS: '800',
  KEYSTEAD_TIMER_PURGE_MS: '1200',
  KEYSTEAD_TIMER_SYNC_MS: '800',
  KEYSTEAD_TIMER_ROTATE_MS: '800',
  KEYSTEAD_TIMER_RESTORE_WINDOW_MS: '4000',
  KEYSTEAD_TIMER_AUTO_PURGE_MS: '3600000',
  KEYSTEAD_TIMER_AUTHORIZATION_MS: '3000',
  KEYSTEAD_TIMER_ROTATION_MONTH_MS: '1500',
  KEYSTEAD_TIMER_DUE_KEYS_MS: '200',
  KEYSTEAD_TIMER_INTEGRITY_MS: '500',
  KEYSTEAD_LIMIT_KEYS: '45',
  KEYSTEAD_LIMIT_KEY_RINGS: '2',
};
beforeAll(async () => {
  at = await KeyWorld.start(TIMERS);
}, 120_000);
afterAll(() => at.end());

const act = (id: string, action: string, body?: unknown, apiKey?: string) =>
  at.send('POST', `keys/${id}/actions/${action}`, body, apiKey === undefined ? {} : { apiKey });
const remove = (id: string, apiKey?: string) =>
  at.send('DELETE', `keys/${id}`, undefined, apiKey === undefined ? {} : { apiKey });

describe('disable and enable', () => {
  it('stop and start the use of a key, the latter not too early', async () => {
    const id = await at.key();
    const { body } = await act(id, 'wrap', { aad: ['a', 'b'] });
    expect((await act(id, 'disable')).status).toBe(204);
    const opened = { ciphertext: body.ciphertext, aad: ['a', 'b'] };
    expect(refusalOf(await act(id, 'unwrap', opened))).toEqual([409, 'KEY_ACTION_INVALID_STATE_ERR']);
    expect(refusalOf(await act(id, 'wrap'))).toEqual([409, 'KEY_ACTION_INVALID_STATE_ERR']);
    expect(refusalOf(await act(id, 'enable'))).toEqual([409, 'REQ_TOO_EARLY_ERR']);
    await until(async () => (await act(id, 'enable')).status === 204, 5_000);
    expect((await act(id, 'unwrap', opened)).body.plaintext).toBe(body.plaintext);
  });
});

describe('rotation', () => {
  it('makes a new version; the old ciphertext opens and comes back wrapped anew', async () => {
    const id = await at.key();
    const { body: wrapped } = await act(id, 'wrap');
    expect((await act(id, 'rotate')).status).toBe(204);
    expect(refusalOf(await act(id, 'rotate'))).toEqual([409, 'KEY_ROTATION_NOT_PERMITTED']);
    const { body: opened } = await act(id, 'unwrap', { ciphertext: wrapped.ciphertext });
    expect(opened).toMatchObject({ plaintext: wrapped.plaintext, keyVersion: { id } });
    expect(opened.rewrappedKeyVersion.id).not.toBe(id);
    const again = await act(id, 'unwrap', { ciphertext: opened.ciphertext });
    expect(again.body).toMatchObject({ plaintext: wrapped.plaintext, keyVersion: opened.rewrappedKeyVersion });
    expect(again.body.rewrappedKeyVersion).toBeUndefined();
  });

  it('of an imported key needs material, which may have another length', async () => {
    const payload = (length: number) => ({
      payload: Buffer.from('0123456789abcdefghijklmnopqrstuv'.slice(0, length)).toString('base64'),
    });
    const id = await at.key(payload(16));
    expect(refusalOf(await act(id, 'rotate'))).toEqual([400, 'KEY_PAYLOAD_REQ_ERR']);
    expect((await act(id, 'rotate', payload(32))).status).toBe(204);
    const { body } = await at.send('GET', `keys/${id}`);
    expect(body.resources[0]).toMatchObject({ imported: true, algorithmBitSize: 256 });
  });

  it('happens by itself when a policy says so', async () => {
    const id = await at.key();
    expect((await at.setPolicy(id, { rotation: { interval_month: 1 } })).status).toBe(200);
    await until(async () => (await at.send('GET', `keys/${id}/versions`)).body.resources.length >= 2, 15_000);
    const { rows } = await at.db.query(
      `SELECT "by" FROM "audit_lines" WHERE "act" = 'kms.secrets.rotate' AND "target" = $1`,
      [id],
    );
    expect(rows[0]).toEqual({ by: 'keystead' });
    await at.setPolicy(id, { rotation: { enabled: false } });
  }, 30_000);
});

describe('deletion', () => {
  it('can be undone for a while, with versions, aliases and policies', async () => {
    const id = await at.key({ aliases: ['comes-back'] });
    const { body: wrapped } = await act(id, 'wrap');
    expect((await remove(id)).status).toBe(204);
    expect(await at.state(id)).toBe(5);
    expect(refusalOf(await remove(id))).toEqual([410, 'KEY_DELETED_ERR']);
    expect(refusalOf(await act(id, 'unwrap', { ciphertext: wrapped.ciphertext }))[0]).toBe(409);
    expect(refusalOf(await at.send('POST', `keys/${id}/restore`))).toEqual([409, 'REQ_TOO_EARLY_ERR']);
    await until(async () => (await at.send('POST', `keys/${id}/restore`)).status === 201, 3_000);
    expect((await act('comes-back', 'unwrap', { ciphertext: wrapped.ciphertext })).body.plaintext).toBe(
      wrapped.plaintext,
    );
  });

  it('cannot be undone when the window has passed', async () => {
    const id = await at.key();
    await remove(id);
    await at.untilRow(`SELECT 1 FROM "keys" WHERE "id" = $1 AND "deletedAt" < now() - interval '4.1 s'`, id);
    expect(refusalOf(await at.send('POST', `keys/${id}/restore`))).toEqual([400, 'KEY_RESTORE_EXPIRED']);
  }, 30_000);

  it('ends in a purge by whoever has that role, not too early, and then no blob is left', async () => {
    const purger = (await at.apiKey(['KeyPurge'])).apiKey;
    const id = await at.key({ aliases: ['to-be-purged'] });
    await act(id, 'rotate');
    const purge = (apiKey?: string) =>
      at.send('DELETE', `keys/${id}/purge`, undefined, apiKey === undefined ? {} : { apiKey });
    expect((await purge()).status).toBe(401);
    expect(refusalOf(await purge(purger))).toEqual([409, 'KEY_ACTION_INVALID_STATE_ERR']);
    await remove(id);
    expect(refusalOf(await purge(purger))).toEqual([409, 'REQ_TOO_EARLY_ERR']);
    await until(async () => (await purge(purger)).status === 204, 5_000);
    for (const [table, column] of [
      ['keys', 'id'],
      ['key_versions', 'keyId'],
      ['key_aliases', 'keyId'],
    ]) {
      expect((await at.db.query(`SELECT 1 FROM "${table}" WHERE "${column}" = $1`, [id])).rowCount).toBe(0);
    }
    expect(refusalOf(await at.send('GET', `keys/${id}`))).toEqual([404, 'KEY_NOT_FOUND_ERR']);
  });

  it('ends in a purge by the server when nobody restores or purges the key for its whole time', async () => {
    const [id, younger] = [await at.key({ aliases: ['forgotten'] }), await at.key()];
    for (const one of [id, younger]) await remove(one);
    await at.db.query(`UPDATE "keys" SET "deletedAt" = now() - interval '1 h' WHERE "id" = $1`, [id]);
    await until(async () => (await at.send('GET', `keys/${id}/metadata`)).status === 404, 10_000);
    expect((await at.db.query(`SELECT 1 FROM "key_versions" WHERE "keyId" = $1`, [id])).rowCount).toBe(0);
    expect((await at.send('GET', 'keys/forgotten')).status).toBe(404);
    const line = `SELECT "by" FROM "audit_lines" WHERE "act" = 'kms.secrets.purge' AND "target" = $1`;
    expect((await at.db.query(line, [id])).rows).toEqual([{ by: 'keystead' }]);
    expect(await at.state(younger)).toBe(5);
  }, 30_000);

  it('needs two people when the key has that policy, and the first authorisation lapses', async () => {
    const second = await at.apiKey(['Manager']);
    const id = await at.key();
    expect(refusalOf(await act(id, 'setKeyForDeletion'))).toEqual([409, 'NOT_DUAL_AUTH_ERR']);
    await at.setPolicy(id, { dualAuthDelete: { enabled: true } });
    expect((await at.setPolicy(id, { dualAuthDelete: { enabled: false } })).status).toBe(400);
    expect(refusalOf(await remove(id))).toEqual([409, 'AUTHORIZATIONS_NOT_MET']);
    expect((await act(id, 'setKeyForDeletion')).status).toBe(204);
    expect(refusalOf(await remove(id))).toEqual([409, 'AUTHORIZATIONS_NOT_MET']);
    await at.untilRow(`SELECT 1 FROM "keys" WHERE "id" = $1 AND "setForDeletionBy" IS NULL`, id);
    expect(refusalOf(await remove(id, second.apiKey))).toEqual([409, 'AUTHORIZATIONS_NOT_MET']);
    await act(id, 'setKeyForDeletion');
    expect((await remove(id, second.apiKey)).status).toBe(204);
  }, 30_000);
});

describe('time', () => {
  it('deactivates a key that expires: it decrypts and does not encrypt', async () => {
    const id = await at.key({ expirationDate: new Date(Date.now() + 1_500).toISOString() });
    const { body: wrapped } = await act(id, 'wrap');
    await at.untilRow(`SELECT 1 FROM "keys" WHERE "id" = $1 AND "state" = 3`, id);
    expect(refusalOf(await act(id, 'wrap'))[0]).toBe(409);
    expect((await act(id, 'unwrap', { ciphertext: wrapped.ciphertext })).body.plaintext).toBe(wrapped.plaintext);
    const lines = await at.db.query(
      `SELECT 1 FROM "audit_lines" WHERE "act" = 'kms.secrets.expire' AND "target" = $1`,
      [id],
    );
    expect(lines.rowCount).toBe(1);
  }, 30_000);

  it('lets sync through once the last act is long enough ago', async () => {
    const id = await at.key();
    expect(refusalOf(await act(id, 'sync'))).toEqual([409, 'REQ_TOO_EARLY_ERR']);
    await until(async () => (await act(id, 'sync')).status === 204, 5_000);
    expect(refusalOf(await act(id, 'sync'))).toEqual([409, 'REQ_TOO_EARLY_ERR']);
  });
});

describe('rings and aliases', () => {
  it('hold what they promise', async () => {
    const id = await at.key({ aliases: ['moved'] });
    expect((await at.send('POST', 'key_rings/Ring-1')).status).toBe(201);
    expect((await at.send('POST', 'key_rings/Ring-1')).status).toBe(409);
    expect((await at.send('PATCH', `keys/${id}`, { keyRingID: 'Ring-1' })).body.resources[0].keyRingID).toBe('Ring-1');
    expect(refusalOf(await at.send('GET', `keys/${id}`, undefined, { ring: 'default' }))).toEqual([
      404,
      'KEY_NOT_FOUND_ERR',
    ]);
    expect(refusalOf(await at.send('DELETE', 'key_rings/Ring-1'))).toEqual([409, 'KEY_RING_NOT_EMPTY_ERR']);
    expect(refusalOf(await at.send('DELETE', 'key_rings/Ring-1?force=true'))).toEqual([
      409,
      'KEY_RING_KEYS_NOT_DELETED_ERR',
    ]);
    await remove('moved');
    expect((await at.send('DELETE', 'key_rings/Ring-1?force=true')).status).toBe(204);
    expect((await at.send('GET', `keys/${id}/metadata`)).body.resources[0].keyRingID).toBe('default');
  });

  it('are counted: no third ring, no sixth alias, no alias twice', async () => {
    for (const ring of ['Ring-2', 'Ring-3']) expect((await at.send('POST', `key_rings/${ring}`)).status).toBe(201);
    expect((await at.send('POST', 'key_rings/Ring-4')).status).toBe(409);
    const id = await at.key({ aliases: ['al-1', 'al-2', 'al-3', 'al-4'] });
    expect((await at.send('POST', `keys/${id}/aliases/al-5`)).status).toBe(201);
    expect((await at.send('POST', `keys/${id}/aliases/al-6`)).status).toBe(409);
    expect((await act('al-5', 'wrap')).status).toBe(200);
    expect(refusalOf(await at.send('POST', 'keys', keyBody({ aliases: ['al-5'] })))).toEqual([
      409,
      'KEY_ALIAS_NOT_UNIQUE_ERR',
    ]);
    expect((await at.send('DELETE', `keys/${id}/aliases/al-5`)).status).toBe(204);
    expect((await act('al-5', 'wrap')).status).toBe(404);
  });
});

describe('scopes', () => {
  it('of a caller with one ring end at that ring', async () => {
    const { apiKey } = await at.apiKey([], [{ role: 'Writer', instanceId: at.instance, keyRingId: 'Ring-2' }]);
    const [mine, other] = [await at.key({}, { apiKey, ring: 'Ring-2' }), await at.key()];
    expect((await act(mine, 'wrap', undefined, apiKey)).status).toBe(200);
    expect((await act(other, 'wrap', undefined, apiKey)).status).toBe(401);
    expect((await at.send('POST', 'keys', keyBody({}), { apiKey })).status).toBe(401);
    const listed = (await at.send('GET', 'keys', undefined, { apiKey })).body.resources;
    expect(listed.map((key: { id: string }) => key.id)).toEqual([mine]);
  });

  it('end with the API key: revoked, it and its tokens are refused at once', async () => {
    const { id, apiKey } = await at.apiKey(['Reader']);
    const form = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: apiKey });
    const answer = await fetch(`${at.world.url}/identity/token`, { method: 'POST', body: form });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    expect((await at.send('GET', 'keys', undefined, { apiKey: token })).status).toBe(200);
    expect((await at.world.api('DELETE', `/api/v1/api-keys/${id}`)).status).toBe(200);
    for (const credential of [token, apiKey]) {
      expect((await at.send('GET', 'keys', undefined, { apiKey: credential })).status).toBe(401);
    }
  });
});

describe('instance policies', () => {
  it('reach new keys, and forbid', async () => {
    const set = (type: string, enabled: boolean, attributes?: object) =>
      at.send(
        'PUT',
        `instance/policies?policy=${type}`,
        policyBody({ policy_type: type, policy_data: { enabled, ...(attributes && { attributes }) } }),
      );
    expect((await set('rotation', true, { interval_month: 12 })).status).toBe(204);
    const id = await at.key();
    expect((await at.send('GET', `keys/${id}/policies`)).body.resources[0].rotation).toEqual({
      enabled: true,
      interval_month: 12,
    });
    expect((await set('rotation', false)).status).toBe(204);
    expect((await at.send('GET', `keys/${await at.key()}/policies`)).body.resources).toEqual([]);
    expect((await set('keyCreateImportAccess', true, { create_root_key: false })).status).toBe(204);
    expect(refusalOf(await at.send('POST', 'keys', keyBody({})))).toEqual([409, 'KEY_CREATE_IMPORT_ACCESS_ERR']);
    expect((await set('keyCreateImportAccess', false)).status).toBe(204);
  });
});

describe('a row that was changed behind our back', () => {
  const CHANGES = {
    state: `UPDATE "keys" SET "state" = 1 WHERE "id" = $1`,
    ring: `UPDATE "keys" SET "keyRingId" = 'Ring-2' WHERE "id" = $1`,
    expiry: `UPDATE "keys" SET "expiresAt" = now() + interval '1 year' WHERE "id" = $1`,
    'dual authorisation': `UPDATE "keys" SET "dualAuthDelete" = NULL WHERE "id" = $1`,
    blob: `UPDATE "key_versions" SET "blob" = (SELECT "blob" FROM "key_versions" WHERE "keyId" <> $1 AND length("blob") = 40 LIMIT 1) WHERE "keyId" = $1`,
  };
  it.each(Object.keys(CHANGES) as (keyof typeof CHANGES)[])(
    '(%s) is refused before use, and shown in health',
    async (what) => {
      const id = await at.key();
      if (what === 'state') await act(id, 'disable');
      if (what === 'dual authorisation') await at.setPolicy(id, { dualAuthDelete: { enabled: true } });
      const saved = await at.db.query(
        `SELECT k."state", k."keyRingId", k."expiresAt", k."dualAuthDelete", v."blob" FROM "keys" k JOIN "key_versions" v ON v."keyId" = k."id" WHERE k."id" = $1`,
        [id],
      );
      await at.db.query(CHANGES[what], [id]);
      expect((await act(id, 'wrap')).status).toBe(500);
      const reported = async () => {
        const { body } = await at.world.api('GET', '/health');
        return body.checks['keys:integrity'][0];
      };
      await until(async () => (await reported()).status === 'warn', 5_000);
      const { state, keyRingId, expiresAt, dualAuthDelete, blob } = saved.rows[0];
      await at.db.query(
        `UPDATE "keys" SET "state" = $2, "keyRingId" = $3, "expiresAt" = $4, "dualAuthDelete" = $5 WHERE "id" = $1`,
        [id, state, keyRingId, expiresAt, dualAuthDelete],
      );
      await at.db.query(`UPDATE "key_versions" SET "blob" = $2 WHERE "keyId" = $1`, [id, blob]);
      await until(async () => (await reported()).status === 'pass', 5_000);
    },
  );

  it('as an alias leads nowhere', async () => {
    const [mine, theirs] = [await at.key({ aliases: ['pointed'] }), await at.key()];
    await at.db.query(`UPDATE "key_aliases" SET "keyId" = $1 WHERE "alias" = 'pointed'`, [theirs]);
    expect((await act('pointed', 'wrap')).status).toBe(404);
    expect((await act(mine, 'wrap')).status).toBe(200);
  });
});

describe('limits', () => {
  it('a version that has encrypted 2^32 times does so no more, until it is rotated', async () => {
    const id = await at.key();
    await at.db.query(`UPDATE "key_versions" SET "wraps" = 4294967296 WHERE "id" = $1`, [id]);
    expect(refusalOf(await act(id, 'wrap'))[0]).toBe(409);
    await act(id, 'rotate');
    expect((await act(id, 'wrap')).status).toBe(200);
  });

  it('keep the number of keys, also when many are made at once; deleted keys count until they are purged', async () => {
    const made: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => at.send('POST', 'keys', keyBody({}))));
      made.push(...answers.filter(({ status }) => status === 201).map(({ body }) => body.resources[0].id));
      if (answers.some(({ status }) => status === 409)) break;
    }
    const { rows } = await at.db.query(`SELECT count(*)::int AS "n" FROM "keys" `);
    expect(rows[0].n).toBe(45);
    const [first = ''] = made;
    await remove(first);
    expect((await at.send('POST', 'keys', keyBody({}))).status).toBe(409);
    const purger = (await at.apiKey(['KeyPurge'])).apiKey;
    const purge = () => at.send('DELETE', `keys/${first}/purge`, undefined, { apiKey: purger });
    await until(async () => (await purge()).status === 204, 5_000);
    expect((await at.send('POST', 'keys', keyBody({}))).status).toBe(201);
  }, 60_000);

  it('the totals say what a count says', async () => {
    const counted = await at.db.query(
      `SELECT "instanceId", "keyRingId", "state", "extractable", count(*)::int AS "keys" FROM "keys" GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 4`,
    );
    const kept = await at.db.query(
      `SELECT "instanceId", "keyRingId", "state", "extractable", "keys"::int FROM "key_totals" WHERE "keys" <> 0 ORDER BY 2, 3, 4`,
    );
    expect(kept.rows).toEqual(counted.rows);
  });
});
