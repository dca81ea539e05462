import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isClosed } from '../shared/durable-file.js';
import { CONFIG_VARIABLES, loadConfig, unknownVariables } from './config.js';

/** The sentence with which the environment is refused. */
function refusal(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (cause) {
    expect(cause).toMatchObject({ code: 'CONFIG_INVALID' });
    return (cause as Error).message;
  }
  throw new Error('it was accepted');
}

const OPEN = { KEYSTEAD_HOST: '0.0.0.0' };

describe('the configuration', () => {
  it('of an empty environment is a server on loopback with an embedded database', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      tls: undefined,
      databaseUrl: undefined,
      bareClaim: true,
    });
    expect(config.dataDir).toBe(resolve('.keystead'));
    expect(config.sealKeyFile).toBe(join(config.dataDir, 'seal-key'));
  });

  it('is frozen', () => {
    expect(Object.isFrozen(loadConfig({}))).toBe(true);
  });

  it('takes an empty value for none', () => {
    expect(loadConfig({ KEYSTEAD_PORT: '', KEYSTEAD_DATABASE_URL: '' })).toMatchObject({
      port: 8080,
      databaseUrl: undefined,
    });
  });

  it.each([
    ['KEYSTEAD_PORT', '65536'],
    ['KEYSTEAD_PORT', 'http'],
    ['KEYSTEAD_DATABASE_URL', 'mysql://x/y'],
    ['KEYSTEAD_PROFILE', 'prod'],
    ['KEYSTEAD_BARE_CLAIM', 'yes'],
    ['KEYSTEAD_CALL_DEADLINE_MS', '5s'],
    ['KEYSTEAD_PROBE_INTERVAL_MS', '0'],
    ['KEYSTEAD_LOG_LEVEL', 'loud'],
    ['KEYSTEAD_ALLOW_PLAINTEXT', 'true'],
  ])('names %s when it is %s', (name, value) => {
    expect(refusal({ [name]: value })).toContain(name);
  });

  it('wants TLS beyond loopback, or the word that a proxy does it', () => {
    expect(refusal(OPEN)).toMatch(/KEYSTEAD_TLS_CERT_FILE.*KEYSTEAD_ALLOW_PLAINTEXT/);
    expect(loadConfig({ ...OPEN, KEYSTEAD_ALLOW_PLAINTEXT: '1' }).tls).toBeUndefined();
    const tls = { KEYSTEAD_TLS_CERT_FILE: '/c', KEYSTEAD_TLS_KEY_FILE: '/k' };
    expect(loadConfig({ ...OPEN, ...tls }).tls).toEqual({ certFile: '/c', keyFile: '/k' });
    expect(refusal({ KEYSTEAD_TLS_CERT_FILE: '/c' })).toMatch(/both or none/);
  });

  it.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('counts %s as loopback', (host) => {
    expect(loadConfig({ KEYSTEAD_HOST: host }).host).toBe(host);
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.com', 'example.com'])(
    'does not count %s as loopback',
    (host) => {
      expect(refusal({ KEYSTEAD_HOST: host })).toContain('KEYSTEAD_HOST');
    },
  );

  describe('of the production profile', () => {
    const PRODUCTION = { KEYSTEAD_PROFILE: 'production', KEYSTEAD_AGENTS_FILE: '/a', KEYSTEAD_ALLOW_PLAINTEXT: '1' };
    it.each([
      ['agents of its own', { KEYSTEAD_AGENTS_FILE: '' }, /isolation: process-only.*KEYSTEAD_AGENTS_FILE/],
      ['HTTP that nobody said a proxy ends', { KEYSTEAD_ALLOW_PLAINTEXT: '' }, /KEYSTEAD_TLS_CERT_FILE/],
      ['the bare claim', { KEYSTEAD_BARE_CLAIM: 'on' }, /KEYSTEAD_BARE_CLAIM/],
      ['a PIN in the environment', { KEYSTEAD_PIN: '1234' }, /no secret.*KEYSTEAD_PIN/],
      ['a password for the database there', { PGPASSWORD: 'x' }, /no secret.*PGPASSWORD/],
      ['a password in the environment', { KEYSTEAD_DATABASE_URL: 'postgres://u:p@h/d' }, /KEYSTEAD_DATABASE_URL_FILE/],
    ])('refuses %s', (_what, change, why) => {
      expect(refusal({ ...PRODUCTION, ...change })).toMatch(why);
    });

    it('has no bare claim, and takes a URL without a password', () => {
      const config = loadConfig({ ...PRODUCTION, KEYSTEAD_DATABASE_URL: 'postgres://u@h/d' });
      expect(config).toMatchObject({ bareClaim: false, agentsFile: '/a', databaseUrl: 'postgres://u@h/d' });
    });
  });

  describe('with systemd credentials', () => {
    const CREDENTIALS_DIRECTORY = mkdtempSync(join(tmpdir(), 'keystead-credentials-'));
    afterAll(() => rmSync(CREDENTIALS_DIRECTORY, { recursive: true }));
    const credential = (name: string, text = '') => {
      writeFileSync(join(CREDENTIALS_DIRECTORY, name), text, { mode: 0o400 });
      return join(CREDENTIALS_DIRECTORY, name);
    };

    it('takes those that are there for what is unset', () => {
      const sealKeyFile = credential('seal-key');
      credential('database-url', 'postgres://u:p@h/d\n');
      const [certFile, keyFile] = [credential('tls-cert'), credential('tls-key')];
      expect(loadConfig({ CREDENTIALS_DIRECTORY })).toMatchObject({
        sealKeyFile,
        databaseUrl: 'postgres://u:p@h/d',
        tls: { certFile, keyFile },
      });
      const own = { KEYSTEAD_SEAL_KEY_FILE: '/s', KEYSTEAD_DATABASE_URL: 'postgres://u@h/other' };
      expect(loadConfig({ CREDENTIALS_DIRECTORY, ...own })).toMatchObject({
        sealKeyFile: '/s',
        databaseUrl: 'postgres://u@h/other',
      });
    });

    it('believes the mode that systemd gives them: root owns them, and an ACL shows as the bits of the group', () => {
      const at = '/run/credentials/keystead.service/seal-key';
      expect(isClosed(at, { mode: 0o100440, uid: 0 })).toBe(true);
      for (const [path, mode, uid] of [
        [at, 0o100444, 0],
        [at, 0o100460, 0],
        [at, 0o100440, 1000],
        ['/etc/keystead/seal-key', 0o100440, 0],
      ] as const) {
        expect(isClosed(path, { mode, uid })).toBe(false);
      }
    });
  });

  it.each(['10.0.0.1', '10.0.0.0/8, fd00::/8', '::1/128'])('trusts the proxies %s', (text) => {
    const list = loadConfig({ KEYSTEAD_TRUSTED_PROXIES: text }).trustedProxies;
    expect([list?.check('10.0.0.1'), list?.check('::1', 'ipv6'), list?.check('192.0.2.1')]).toContain(true);
    expect(list?.check('192.0.2.1')).toBe(false);
  });

  it.each(['all', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/', '10.0.0/8', '::/129', '10.0.0.1/8/8', '10.0.0.1,'])(
    'does not trust the proxies %s',
    (text) => {
      expect(refusal({ KEYSTEAD_TRUSTED_PROXIES: text })).toMatch(/KEYSTEAD_TRUSTED_PROXIES/);
    },
  );

  it('is not opened to a debugger in production', () => {
    const production = { KEYSTEAD_PROFILE: 'production', KEYSTEAD_AGENTS_FILE: '/a', KEYSTEAD_ALLOW_PLAINTEXT: '1' };
    expect(refusal({ ...production, NODE_OPTIONS: '--inspect=0' })).toMatch(/NODE_OPTIONS/);
    expect(loadConfig({ NODE_OPTIONS: '--inspect=0' }).profile).toBe('development');
    expect(loadConfig({ ...production, NODE_OPTIONS: '--max-old-space-size=512' }).profile).toBe('production');
  });

  it('takes units from one place only', () => {
    expect(refusal({ KEYSTEAD_AGENTS_FILE: '/a', KEYSTEAD_UNITS_FILE: '/u' })).toMatch(/exclude each other/);
  });

  describe('of the database in a file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'keystead-config-')), 'url');
    afterAll(() => rmSync(dirname(file), { recursive: true }));
    const read = () => loadConfig({ KEYSTEAD_DATABASE_URL_FILE: file }).databaseUrl;

    it('is what the file says, when only its owner can read it', () => {
      writeFileSync(file, 'postgres://u:p@h/d\n', { mode: 0o600 });
      expect(read()).toBe('postgres://u:p@h/d');
      chmodSync(file, 0o644);
      expect(refusal({ KEYSTEAD_DATABASE_URL_FILE: file })).toMatch(/mode 0400 or 0600/);
    });

    it('is not said twice', () => {
      const both = { KEYSTEAD_DATABASE_URL_FILE: file, KEYSTEAD_DATABASE_URL: 'postgres://u@h/d' };
      expect(refusal(both)).toMatch(/not both/);
    });
  });

  it('has a runtime directory of its own for every data directory, and refuses one too long for sockets', () => {
    const of = (dataDir: string) => loadConfig({ KEYSTEAD_DATA_DIR: dataDir }).runtimeDir;
    expect(of('/a')).toBe(of('/a'));
    expect(of('/a')).not.toBe(of('/b'));
    expect(refusal({ KEYSTEAD_RUNTIME_DIR: join(tmpdir(), 'x'.repeat(100)) })).toMatch(/KEYSTEAD_RUNTIME_DIR/);
  });

  it('has a line of description for every variable', () => {
    expect(CONFIG_VARIABLES.filter(({ description }) => description.length < 10 || /\n/.test(description))).toEqual([]);
    expect(CONFIG_VARIABLES.find(({ name }) => name === 'KEYSTEAD_PORT')?.default).toBe('8080');
    expect(CONFIG_VARIABLES.find(({ name }) => name === 'KEYSTEAD_DATABASE_URL')?.default).toBeUndefined();
  });

  it('knows which of our variables mean nothing', () => {
    expect(unknownVariables({ KEYSTEAD_PROFLE: 'production', KEYSTEAD_PORT: '1', PATH: '/' })).toEqual([
      'KEYSTEAD_PROFLE',
    ]);
  });
});
