import { spawn } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { provisionSoftHsm, softHsmConfPath } from '../../src/pkcs11/provision-softhsm.js';
import { encryptOaep } from '../../src/pkcs11/rsa-oaep.js';
import {
  backupTokenObject,
  dropTokens,
  fsyncTokens,
  restoreTokenObject,
  tokenDirectories,
  tokensDirectory,
} from '../../src/pkcs11/softhsm-store.js';
import { UnitToken } from '../../src/pkcs11/unit-token.js';
import { freshPin, softHsm, softHsmModule, type TestToken, temporaryDir } from './devices.js';
import { keepLoaded, realEnv } from './real-env.js';

const refused = (code: string) => expect.objectContaining({ code });
const newId = () => randomBytes(16);
const AAD = Buffer.from('context');
const mode = (path: string) => statSync(path).mode & 0o777;
const tokenOf = (unitDir: string) => tokenDirectories(unitDir)[0] ?? '';

describe('provisioning a SoftHSM unit', () => {
  const module = softHsmModule();
  let unitDir: string;
  beforeEach(() => {
    keepLoaded(module);
    unitDir = temporaryDir();
    realEnv.SOFTHSM2_CONF = softHsmConfPath(unitDir);
  });
  afterEach(() => rmSync(unitDir, { recursive: true, force: true }));

  it('makes one token with its label, open to nobody else, whose PIN opens it', () => {
    const pin = freshPin();
    const { serial } = provisionSoftHsm({ unitDir, module, label: 'unit-é', pin });
    expect(tokenDirectories(unitDir)).toHaveLength(1);
    expect(mode(softHsmConfPath(unitDir))).toBe(0o600);
    expect(mode(tokensDirectory(unitDir))).toBe(0o700);
    for (const name of readdirSync(tokenOf(unitDir))) expect(mode(join(tokenOf(unitDir), name)) & 0o077).toBe(0);
    const unit = UnitToken.open({ module, serial, pin, recordStore: 'token' });
    expect(unit.info()).toMatchObject({ serial, userPinProblem: 'none' });
    expect(unit.inventory()).toEqual([]);
    unit.close();
  });
  it('never makes a second token beside one that is there', () => {
    const pin = freshPin();
    provisionSoftHsm({ unitDir, module, label: 'unit-1', pin });
    expect(() => provisionSoftHsm({ unitDir, module, label: 'unit-1', pin })).toThrow(refused('UNIT_FAULT'));
    expect(tokenDirectories(unitDir)).toHaveLength(1);
  });
  it('refuses to work under another configuration than the unit’s own', () => {
    const other = temporaryDir();
    mkdirSync(join(other, 'tokens'));
    writeFileSync(
      softHsmConfPath(other),
      `directories.tokendir = ${join(other, 'tokens')}\nobjectstore.backend = file\n`,
    );
    realEnv.SOFTHSM2_CONF = softHsmConfPath(other);
    const attempt = () => provisionSoftHsm({ unitDir, module, label: 'unit-1', pin: freshPin() });
    expect(attempt).toThrow(refused('CONFIG_INVALID'));
    rmSync(other, { recursive: true });
  });
  it.each(['', 'x'.repeat(33), 'é'.repeat(17)])('refuses the label %p, which has no 1 to 32 bytes', (label) => {
    expect(() => provisionSoftHsm({ unitDir, module, label, pin: freshPin() })).toThrow(refused('BAD_REQUEST'));
  });

  it('killed at any moment, it can start again and there is never more than one token', async () => {
    const pin = freshPin().bytes.toString();
    const child = join(import.meta.dirname, 'provision-child.mjs');
    const env = { ...process.env, SOFTHSM2_CONF: softHsmConfPath(unitDir) };
    let finished = 0;
    for (const delay of [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 1000]) {
      dropTokens(unitDir);
      const started = spawn(process.execPath, [child, unitDir, module, pin], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(started, 'exit');
      await Promise.race([once(started.stdout, 'data'), ended]);
      await Promise.race([pause(delay), ended]);
      started.kill('SIGKILL');
      await ended;
      finished += started.exitCode === 0 ? 1 : 0;
      expect(tokenDirectories(unitDir).length).toBeLessThanOrEqual(1);
    }
    expect(finished).toBeGreaterThan(0);
    dropTokens(unitDir);
    const ownPin = freshPin();
    const { serial } = provisionSoftHsm({ unitDir, module, label: 'unit-1', pin: ownPin });
    UnitToken.open({ module, serial, pin: ownPin, recordStore: 'token' }).close();
  });
});

describe('a SoftHSM unit whose files are harmed', () => {
  let made: TestToken;
  let unit: UnitToken;
  let blob: Buffer;
  const wrapId = newId();
  const macId = newId();

  beforeEach(async () => {
    made = softHsm.make();
    unit = UnitToken.open(made.wanted);
    unit.generateUnitMac(macId);
    const importer = await unit.generateImporter();
    const publicKey = createPublicKey({ key: importer.publicKey, format: 'der', type: 'spki' });
    unit.importMasterKey(importer, 'mk-wrap', wrapId, encryptOaep(publicKey, importer.oaepHash, randomBytes(32)));
    importer.destroy();
    blob = unit.generateRootKey(wrapId);
  });
  afterEach(() => {
    unit.close();
    made.remove();
  });
  const reopen = () => {
    unit.close();
    unit = UnitToken.open(made.wanted);
  };

  it('is TOKEN_LOST when its directory was moved away, though cached keys still work, and comes back by close and open', () => {
    const sealed = unit.encrypt(wrapId, blob, Buffer.from('plain'), AAD);
    const away = `${tokensDirectory(made.unitDir)}.away`;
    renameSync(tokensDirectory(made.unitDir), away);
    expect(unit.decrypt(wrapId, blob, sealed, AAD)).toEqual(Buffer.from('plain'));
    expect(() => unit.info()).toThrow(refused('TOKEN_LOST'));
    expect(() => unit.canary(null)).toThrow(refused('TOKEN_LOST'));
    expect(() => unit.canary(wrapId)).toThrow(refused('TOKEN_LOST'));
    expect(() => unit.checkAnswer(wrapId, blob, AAD)).toThrow(refused('TOKEN_LOST'));
    expect(() => reopen()).toThrow(expect.objectContaining({ code: expect.stringMatching(/TOKEN_LOST|UNIT_FAULT/) }));
    renameSync(away, tokensDirectory(made.unitDir));
    unit = UnitToken.open(made.wanted);
    expect(unit.decrypt(wrapId, blob, sealed, AAD)).toEqual(Buffer.from('plain'));
    expect(() => unit.canary(wrapId)).not.toThrow();
  });

  it('is TOKEN_LOST when another token took its place', () => {
    const { unitDir } = made;
    unit.close();
    dropTokens(unitDir);
    provisionSoftHsm({ unitDir, module: made.wanted.module, label: 'unit-1', pin: made.wanted.pin });
    expect(() => UnitToken.open(made.wanted)).toThrow(refused('TOKEN_LOST'));
  });

  it('has its token.object put back from the copy when a kill in a login emptied it', () => {
    backupTokenObject(made.unitDir);
    expect(mode(join(made.unitDir, 'token.object.copy'))).toBe(0o600);
    unit.close();
    truncateSync(join(tokenOf(made.unitDir), 'token.object'));
    expect(() => UnitToken.open(made.wanted)).toThrow(refused('TOKEN_LOST'));
    expect(restoreTokenObject(made.unitDir)).toBe(true);
    expect(restoreTokenObject(made.unitDir)).toBe(false);
    unit = UnitToken.open(made.wanted);
    expect(() => unit.canary(wrapId)).not.toThrow();
  });
  it('is TOKEN_LOST when token.object is empty and there is no copy; an empty one is never copied', () => {
    const original = join(tokenOf(made.unitDir), 'token.object');
    const bytes = readFileSync(original);
    unit.close();
    truncateSync(original);
    expect(() => backupTokenObject(made.unitDir)).toThrow(refused('TOKEN_LOST'));
    expect(() => restoreTokenObject(made.unitDir)).toThrow(refused('TOKEN_LOST'));
    writeFileSync(original, bytes);
    unit = UnitToken.open(made.wanted);
  });

  it.each([
    ['empty', 0],
    ['cut short', 0.5],
    ['cut at the last byte', 1],
  ])('a creation whose file is %s on disk, as on a full disk, does not count, and the next one does', (_how, left) => {
    unit.close();
    const newest = () => {
      const files = readdirSync(tokenOf(made.unitDir)).filter(
        (name) => name.endsWith('.object') && name !== 'token.object',
      );
      const byTime = files.map((name) => join(tokenOf(made.unitDir), name));
      return byTime.sort((a, b) => statSync(b).ctimeMs - statSync(a).ctimeMs)[0] ?? '';
    };
    let full = true;
    const durable = () => {
      if (full) truncateSync(newest(), Math.max(0, Math.floor(statSync(newest()).size * left) - 1));
      fsyncTokens(made.unitDir);
    };
    unit = UnitToken.open({ ...made.wanted, durable });
    const [lost, kept] = [newId(), newId()];
    expect(() => unit.createData('unit-record', lost, Buffer.from('x'))).toThrow(refused('UNIT_FAULT'));
    full = false;
    unit.createData('unit-record', kept, Buffer.from('x'));
    reopen();
    expect(unit.readData('unit-record')).toEqual([{ id: kept, value: Buffer.from('x') }]);
  });
  it('what a kill left empty is cleared away before the token is opened again', () => {
    unit.close();
    const left = join(tokenOf(made.unitDir), '00000000-0000-0000-0000-000000000000.object');
    writeFileSync(left, '');
    expect(() => fsyncTokens(made.unitDir)).toThrow(refused('UNIT_FAULT'));
    expect(restoreTokenObject(made.unitDir)).toBe(false);
    expect(existsSync(left)).toBe(false);
    expect(() => fsyncTokens(made.unitDir)).not.toThrow();
    unit = UnitToken.open(made.wanted);
    expect(() => unit.canary(wrapId)).not.toThrow();
  });
  it('a key whose file was harmed is seen by the canary and not usable in the inventory', () => {
    const before = unit.inventory();
    expect(before.every(({ usable }) => usable)).toBe(true);
    unit.close();
    for (const name of readdirSync(tokenOf(made.unitDir))) {
      if (!name.endsWith('.object') || name === 'token.object') continue;
      const file = join(tokenOf(made.unitDir), name);
      truncateSync(file, Math.floor(statSync(file).size / 2));
    }
    unit = UnitToken.open(made.wanted);
    expect(unit.inventory().filter(({ usable }) => usable)).toEqual([]);
    expect(() => unit.canary(wrapId)).toThrow(refused('UNIT_FAULT'));
    expect(() => unit.hmac(macId, AAD)).toThrow();
  });

  it('is wiped with its copy, so that nothing of it opens again', () => {
    backupTokenObject(made.unitDir);
    unit.close();
    dropTokens(made.unitDir);
    expect(existsSync(join(made.unitDir, 'token.object.copy'))).toBe(false);
    expect(tokenDirectories(made.unitDir)).toEqual([]);
    expect(() => restoreTokenObject(made.unitDir)).toThrow(refused('TOKEN_LOST'));
  });
});
