import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient } from '../../src/unit-agent/client.js';
import { coreFilesIn, NO_CORE_FILES, withCoreFiles } from '../core-files.js';
import { AGENT, AgentWorld, eventually } from './agent-world.js';
import { Ceremony } from './ceremony.js';

describe('the process of an agent', () => {
  let world: AgentWorld;
  beforeEach(() => {
    world = new AgentWorld();
  });
  afterEach(() => world.end());

  it('provisions its token once: private files, one token, a sealed PIN', async () => {
    await world.start();
    const serial = readFileSync(join(world.unitDir, 'serial'), 'utf8');
    expect(readdirSync(join(world.unitDir, 'tokens'))).toHaveLength(1);
    for (const name of readdirSync(world.unitDir)) {
      if (name !== 'unit.json') expect([name, statSync(join(world.unitDir, name)).mode & 0o077]).toEqual([name, 0]);
    }
    expect(readdirSync(world.unitDir)).not.toContain('pin.pending');
    await world.stop();
    await world.start();
    expect(readFileSync(join(world.unitDir, 'serial'), 'utf8')).toBe(serial);
    expect(world.lines.filter(({ event }) => event === 'provisioned')).toHaveLength(1);
  });

  it('whose provisioning was cut off removes the token and starts again', async () => {
    await world.start();
    await world.stop();
    const before = readFileSync(join(world.unitDir, 'serial'), 'utf8');
    rmSync(join(world.unitDir, 'serial'));
    await world.start();
    expect(readFileSync(join(world.unitDir, 'serial'), 'utf8')).not.toBe(before);
    expect(readdirSync(join(world.unitDir, 'tokens'))).toHaveLength(1);
  });

  it('says login-begin and login-end around the login, and ready after that', async () => {
    await world.start();
    const events = world.lines.map(({ event }) => event);
    expect(events.lastIndexOf('login-begin')).toBeLessThan(events.lastIndexOf('login-end'));
    expect(events.lastIndexOf('login-end')).toBeLessThan(events.indexOf('ready'));
  });

  it('is the only one on its unit: a second one ends with a sentence', async () => {
    await world.start();
    const args = [AGENT, '--unit-dir', world.unitDir, '--socket', `${world.socket}2`, '--seal-key', world.sealKey];
    const second = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(second.status).toBe(75);
    expect(second.stderr).toContain('another agent holds unit');
    await (await world.admin()).probe();
  });

  it('ends when its standard input does', async () => {
    await world.start();
    const child = world.child;
    child?.stdin?.end();
    if (child?.exitCode === null) await once(child, 'exit');
    expect(child?.exitCode).toBe(0);
    expect(readdirSync(world.unitDir)).not.toContain('agent.pid');
  });

  it('finishes what was begun on SIGTERM', async () => {
    await world.start();
    const admin = await world.admin();
    const ceremony = new Ceremony(world);
    await ceremony.claim(admin);
    const document = await ceremony.document(admin, 'mk.importer', {});
    const answer = admin.command(document);
    await eventually(() => world.said('command'), 'the command has begun');
    const child = world.child;
    child?.kill('SIGTERM');
    expect((await answer).receipt).toContain('.');
    if (child?.exitCode === null) await once(child, 'exit');
    expect(child?.exitCode).toBe(0);
  });

  it('opens no debugger on SIGUSR1, and neither ends nor writes its memory to a file on SIGUSR2', async () => {
    await world.start();
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) world.child?.kill(signal);
    await (await world.admin()).probe();
    expect(world.stderr).not.toContain('Debugger');
  });

  it('has time to try what its token can do, however short the deadline of other questions is', async () => {
    await world.start();
    const deadlineMs = 50;
    const admin = new AdminClient(await world.connect(deadlineMs));
    const began = performance.now();
    const { facts } = await admin.facts({ nonce: randomBytes(16).toString('base64url'), capabilities: true });
    expect(facts.token).toMatchObject({ present: true, problem: null });
    expect(performance.now() - began).toBeGreaterThan(deadlineMs);
  });

  it('leaves no core file when it is aborted, whatever limit it was started with', async () => {
    await world.start({ under: withCoreFiles(world.root) });
    const { child } = world;
    expect(readFileSync(`/proc/${child?.pid}/limits`, 'utf8')).toMatch(NO_CORE_FILES);
    expect(world.said('core-files-allowed')).toBe(false);
    await world.stop('SIGABRT');
    expect([child?.signalCode, coreFilesIn(world.root)]).toEqual(['SIGABRT', []]);
  });

  it.each(['--inspect=0', '--heapsnapshot-signal=SIGUSR2', '--report-on-signal'])(
    'is not started with %s',
    (option) => {
      const args = [AGENT, '--unit-dir', world.unitDir, '--socket', world.socket, '--seal-key', world.sealKey];
      const env = { ...process.env, NODE_OPTIONS: option };
      const refused = spawnSync(process.execPath, args, { encoding: 'utf8', env });
      expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining(`not started with ${option}`)]);
    },
  );

  it('refuses a socket path that Node would cut off', async () => {
    const socket = join(world.root, 'x'.repeat(120));
    const args = [AGENT, '--unit-dir', world.unitDir, '--socket', socket, '--seal-key', world.sealKey];
    const refused = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('107');
  });

  it('refuses a socket directory that is open to others', async () => {
    const open = join(world.root, 'open');
    mkdirSync(open);
    chmodSync(open, 0o755);
    const args = [AGENT, '--unit-dir', world.unitDir, '--socket', join(open, 's'), '--seal-key', world.sealKey];
    const refused = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('open to others')]);
  });

  it('listens and says why when its token cannot be opened', async () => {
    await world.start();
    await world.stop();
    rmSync(world.sealKey);
    await world.start();
    const { facts } = await (await world.admin()).probe();
    expect(facts.token.problem).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(facts.token.problem?.message).toContain('seal key');
  });

  it.each([[[]], [['--unit-dir', '/nowhere']], [['--verbose']], [['zeroize']]])(
    'explains itself when asked %j',
    (args) => {
      const { status, stderr } = spawnSync(process.execPath, [AGENT, ...args], { encoding: 'utf8' });
      expect(status).toBe(2);
      expect(stderr).toContain('usage:');
    },
  );
});

describe('a prepared token of the generic provider', () => {
  const maker = new AgentWorld();
  let world: AgentWorld;
  const pinFile = join(maker.root, 'pin');
  afterAll(async () => {
    await world.end();
    await maker.end();
  });
  const writePin = (pin: string) => {
    rmSync(pinFile, { force: true });
    writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  };
  const problem = async () => (await (await world.admin()).probe()).facts.token.problem;
  const logins = () => world.lines.filter(({ event }) => event === 'login-begin').length;
  let right: string;

  beforeAll(async () => {
    await maker.start();
    await maker.stop();
    const { SealKey } = await import('../../src/unit-agent/seal.js');
    const serial = readFileSync(join(maker.unitDir, 'serial'), 'utf8').trim();
    const sealed = readFileSync(join(maker.unitDir, 'pin.sealed'), 'utf8');
    right = SealKey.open(maker.sealKey, false).unseal(sealed, maker.unit, serial).bytes.toString();
    world = new AgentWorld(undefined, { provider: 'generic', serial, pinFile, recordStore: 'file' });
    world.env = { SOFTHSM2_CONF: join(maker.unitDir, 'softhsm2.conf') };
  });

  it('with a PIN file that others may read is not opened', async () => {
    writePin(right);
    chmodSync(pinFile, 0o644);
    await world.start();
    expect(await problem()).toMatchObject({ code: 'CONFIG_INVALID' });
    rmSync(pinFile);
    mkdirSync(pinFile);
    await world.stop();
    await world.start();
    expect(await problem()).toMatchObject({ code: 'CONFIG_INVALID' });
    rmSync(pinFile, { recursive: true });
    expect(logins()).toBe(0);
  });

  it('a PIN that was refused is not tried again, across restarts, until its file changes', async () => {
    writePin('wrong-pin');
    await world.stop();
    await world.start();
    expect(await problem()).toMatchObject({ code: 'PIN_REFUSED' });
    const tried = logins();
    await world.stop('SIGKILL');
    await world.start();
    expect(await problem()).toMatchObject({ code: 'PIN_REFUSED' });
    expect(logins()).toBe(tried);
    writePin(right);
    await eventually(async () => (await problem()) === null, 'opened with the right PIN');
    expect(logins()).toBe(tried + 1);
    expect(readdirSync(world.unitDir)).not.toContain('login.pending');
  });

  it('keeps its record in files when the token takes no data objects, and goes through the whole ceremony', async () => {
    const ceremony = new Ceremony(world);
    const admin = await world.admin();
    await ceremony.initialise(admin);
    await world.stop('SIGKILL');
    await world.start();
    const again = await world.admin();
    expect((await again.probe()).facts).toMatchObject({ masterKeyMatches: true, objects: 5 });
    expect(readdirSync(world.unitDir).filter((name) => name.startsWith('record.'))).toHaveLength(2);
    expect(await (await world.crypto(ceremony.kmsUser)).random(8)).toHaveLength(8);
  });

  it('zeroized, holds nothing and is reserved again, with the same serial', async () => {
    const admin = await world.admin();
    expect((await admin.probe()).facts.record).not.toBeNull();
    await world.stop();
    const args = [
      AGENT,
      'zeroize',
      '--unit',
      world.unit,
      '--data-dir',
      world.root,
      '--seal-key',
      world.sealKey,
      '--yes',
    ];
    const done = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...world.env } });
    expect([done.stderr.includes('Error'), done.status]).toEqual([false, 0]);
    await world.start();
    const { facts } = await (await world.admin()).probe();
    expect(facts).toMatchObject({ record: null, recordLost: false, objects: 0, token: { problem: null } });
    expect(facts.zeroized?.serial).toBe(facts.token.serial);
  });
});
