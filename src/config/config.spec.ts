import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
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

  it('refuses the production profile while agents run under the uid of the server', () => {
    expect(refusal({ KEYSTEAD_PROFILE: 'production' })).toMatch(/isolation: process-only/);
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
