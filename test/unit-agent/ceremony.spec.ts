import { statSync } from 'node:fs';
import type { KeyRowFields } from '../../src/unit-agent/protocol.js';
import { AgentWorld } from './agent-world.js';
import { Ceremony } from './ceremony.js';
import { nssInstalled, nssWorld } from './nss-token.js';

const aad = Buffer.from('aad');

const devices = [
  { device: 'SoftHSM', make: () => new AgentWorld() },
  ...(nssInstalled ? [{ device: 'NSS softoken', make: nssWorld }] : []),
];

describe.each(devices)('a whole ceremony on a token of $device', ({ make }) => {
  const world = make();
  const ceremony = new Ceremony(world);
  const row: KeyRowFields = {
    instance: world.instance,
    key: 'key-1',
    version: '1',
    algorithm: 'AES-256',
    state: 'active',
    policy: '{}',
  };
  afterAll(() => world.end());

  it('claim, importer, import, kmsCryptoUser, encrypt, decrypt', async () => {
    await world.start();
    const admin = await world.admin();
    expect((await ceremony.facts(admin)).record).toBeNull();
    const claimed = await ceremony.claim(admin);
    expect(claimed).toMatchObject({ op: 'claim', outcome: 'ok', counter: 0, unit: world.unit });
    const random = await ceremony.command(admin, 'mk.random', { bytes: 32 });
    expect(Buffer.from(String(random.facts['random']), 'base64')).toHaveLength(32);
    expect(await ceremony.importMasterKey(admin)).toMatchObject({ outcome: 'ok', counter: 3 });
    expect(await ceremony.addKmsUser(admin)).toMatchObject({ outcome: 'ok', counter: 4 });
    const { facts } = await admin.probe();
    expect(facts).toMatchObject({ masterKeyMatches: true, recordLost: false, token: { problem: null } });

    const crypto = await world.crypto(ceremony.kmsUser);
    expect(await crypto.random(16)).toHaveLength(16);
    const { blob, mac } = await crypto.generateRootKey(row);
    const sealed = await crypto.encrypt(row, blob, mac, aad, Buffer.from('data key'));
    expect((await crypto.decrypt(row, blob, mac, aad, sealed)).toString()).toBe('data key');
    sealed[20] = (sealed[20] ?? 0) ^ 1;
    await expect(crypto.decrypt(row, blob, mac, aad, sealed)).rejects.toMatchObject({ code: 'CIPHERTEXT_INVALID' });
  });

  it('what the token can do is found by trying it, which leaves nothing on it', async () => {
    const admin = await world.admin();
    const before = await ceremony.facts(admin);
    expect(await admin.capabilities()).toMatchObject({ missing: [], aesKw: true, hmacSha256: true, ecP256Sign: true });
    expect((await ceremony.facts(admin)).objects).toBe(before.objects);
  });

  it('the socket is for its owner alone', () => {
    expect(statSync(world.socket).mode & 0o777).toBe(0o600);
  });

  it('what was initialised still serves after a restart, with what was wrapped before', async () => {
    const before = await world.crypto(ceremony.kmsUser);
    const { blob, mac } = await before.generateRootKey(row);
    const sealed = await before.encrypt(row, blob, mac, aad, Buffer.from('kept'));
    await world.stop();
    await world.start();
    const crypto = await world.crypto(ceremony.kmsUser);
    expect((await crypto.decrypt(row, blob, mac, aad, sealed)).toString()).toBe('kept');
  });
});
