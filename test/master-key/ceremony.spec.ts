import { type ChildProcess, spawn } from 'node:child_process';
import { constants, createDecipheriv, createHmac, generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { CommandArgs } from '../../src/admins/command-args.js';
import { readArgs } from '../../src/admins/command-args.js';
import { type CeremonyRequest, runCeremony, type ShareFile } from '../../src/master-key/ceremony-process.js';
import { checkInput, mkvpInput } from '../../src/shared/check-value.js';
import { Secret } from '../../src/shared/secret.js';

/** The ceremony as kp runs it: the compiled program in a process of its own. */
const ENTRY = new URL('../../dist/master-key/ceremony.js', import.meta.url);
const INSTANCE = 'c28a8939-3980-4697-a80c-50b1f8bbf160';
const N = 2 ** 14;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ceremony-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const shareFile = (name: string): ShareFile => ({
  file: join(dir, name),
  passphrase: new Secret(Buffer.from(`the passphrase of ${name}`)),
});
const shareFiles = (...names: string[]) => names.map(shareFile);
const run = <Request extends CeremonyRequest>(request: Request) => runCeremony(request, ENTRY);
const generate = (shares: readonly ShareFile[], t = 2) =>
  run({ job: 'generate', instance: INSTANCE, unitRandom: randomBytes(32), name: 'mk', t, shares, scryptN: N });

const importer = generateKeyPairSync('rsa', { modulusLength: 3072 });
const units = (oaep: 'SHA-1' | 'SHA-256' = 'SHA-256') => [
  { id: 'unit-1', importer: importer.publicKey.export({ type: 'spki', format: 'der' }), oaep },
];
const importFrom = (shares: readonly ShareFile[], instance = INSTANCE, oaep: 'SHA-1' | 'SHA-256' = 'SHA-256') =>
  run({ job: 'import', instance, shares, units: units(oaep) });

/** mk-wrap and mk-mac as the unit gets them. */
function received(args: CommandArgs['mk.import']) {
  const unit = args.units['unit-1'];
  const open = (blob = '') =>
    privateDecrypt(
      {
        key: importer.privateKey,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: unit?.oaep === 'SHA-1' ? 'sha1' : 'sha256',
      },
      Buffer.from(blob, 'base64'),
    );
  return { wrap: open(unit?.wrap), mac: open(unit?.mac) };
}
const hmac = (key: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest();

describe('a master key', () => {
  it('is made into share files, and from any t of them into what a unit can prove', async () => {
    const files = shareFiles('a', 'b', 'c');
    const made = await generate(files);
    expect(made).toMatchObject({ instance: INSTANCE, name: 'mk', t: 2, n: 3, files: files.map(({ file }) => file) });
    expect(readdirSync(dir).sort()).toEqual(['a', 'b', 'c']);
    expect(files.map(({ file }) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600, 0o600]);

    const keys: string[] = [];
    for (const [shares, oaep] of [
      [files.slice(0, 2), 'SHA-1'],
      [files.slice(1), 'SHA-256'],
      [files, 'SHA-256'],
    ] as const) {
      const args = await importFrom(shares, INSTANCE, oaep);
      expect(readArgs('mk.import', args)).toEqual(args);
      const { wrap, mac } = received(args);
      const mkvp = hmac(mac, mkvpInput(INSTANCE, Buffer.from(args.mkId, 'hex'))).subarray(0, 16);
      expect([args.mkvp, args.setId]).toEqual([mkvp.toString('hex'), made.setId]);
      expect(mkvp.toString('hex')).toBe(made.mkvp);
      const unwrap = createDecipheriv('id-aes256-wrap', wrap, Buffer.alloc(8, 0xa6));
      const check = Buffer.concat([unwrap.update(Buffer.from(args.check.blob, 'base64')), unwrap.final()]);
      expect(hmac(check, checkInput(mkvp)).toString('hex')).toBe(args.check.answer);
      keys.push(Buffer.concat([wrap, mac]).toString('hex'));
    }
    expect(new Set(keys).size).toBe(1);
  });

  it('stays the same when it is reshared; old and new files do not mix', async () => {
    const old = shareFiles('a', 'b');
    const made = await generate(old);
    const to = shareFiles('n1', 'n2', 'n3', 'n4');
    const again = await run({ job: 'reshare', shares: old, to, t: 3, scryptN: N });
    expect(again).toMatchObject({ mkId: made.mkId, mkvp: made.mkvp, createdAt: made.createdAt, t: 3, n: 4 });
    expect(again.setId).not.toBe(made.setId);
    const [before, after] = [received(await importFrom(old)), received(await importFrom(to.slice(1)))];
    expect(after.wrap.equals(before.wrap) && after.mac.equals(before.mac)).toBe(true);
    await expect(importFrom([...old, ...to])).rejects.toMatchObject({ code: 'KEYSHARE_INVALID' });
  });

  it('is another one each time', async () => {
    const [one, two] = [await generate(shareFiles('a', 'b')), await generate(shareFiles('c', 'd'))];
    expect([one.mkId === two.mkId, one.mkvp === two.mkvp]).toEqual([false, false]);
  });
});

describe('an import is refused by the name of the file', () => {
  const files = () => shareFiles('a', 'b', 'c');
  const named = (code: string, name: string) => ({ code, message: expect.stringContaining(join(dir, name)) });

  it('when a file is damaged, missing, of another set, given twice, or the passphrase is wrong', async () => {
    const [a, b, c] = files() as [ShareFile, ShareFile, ShareFile];
    await generate([a, b, c]);
    await generate(shareFiles('x', 'y'));
    const text = readFileSync(b.file, 'utf8');
    writeFileSync(join(dir, 'damaged'), text.replace(/"mkvp": "./, '"mkvp": "z'));
    const wrong = { file: b.file, passphrase: new Secret(Buffer.from('wrong')) };
    await expect(importFrom([a, shareFile('damaged')])).rejects.toMatchObject(named('KEYSHARE_INVALID', 'damaged'));
    await expect(importFrom([a, shareFile('gone')])).rejects.toMatchObject(named('FILE_INVALID', 'gone'));
    await expect(importFrom([a, b, shareFile('x')])).rejects.toMatchObject(named('KEYSHARE_INVALID', 'x'));
    await expect(importFrom([a, a])).rejects.toMatchObject(named('KEYSHARE_INVALID', 'a'));
    await expect(importFrom([a])).rejects.toMatchObject(named('KEYSHARE_INVALID', 'a'));
    await expect(importFrom([a, wrong])).rejects.toMatchObject(named('PASSPHRASE_WRONG', 'b'));
    await expect(importFrom([a, { ...b, file: dir }])).rejects.toMatchObject({ code: 'FILE_INVALID' });
    await expect(importFrom([a, b], 'another')).rejects.toMatchObject(named('KEYSHARE_INVALID', 'a'));
  });

  it('and told of all of them by verify', async () => {
    const [a, b, c] = files() as [ShareFile, ShareFile, ShareFile];
    const made = await generate([a, b, c]);
    expect(await run({ job: 'verify', shares: [a, c] })).toMatchObject({ mkvp: made.mkvp, error: null });
    expect(await run({ job: 'verify', shares: [a] })).toMatchObject({ mkvp: null, error: null, set: { n: 3 } });
    writeFileSync(b.file, 'nonsense');
    const told = await run({ job: 'verify', shares: [a, b, c] });
    expect(told.files.map(({ index, error }) => [index, error?.code])).toEqual([
      [1, undefined],
      [null, 'KEYSHARE_INVALID'],
      [3, undefined],
    ]);
    expect(told.mkvp).toBe(made.mkvp);
  });

  it('or by the unit when its importer key is not RSA-3072', async () => {
    const [a, b] = files() as [ShareFile, ShareFile];
    await generate([a, b]);
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const weak = publicKey.export({ type: 'spki', format: 'der' });
    const request = { job: 'import', instance: INSTANCE, shares: [a, b] } as const;
    await expect(run({ ...request, units: [{ id: 'u7', importer: weak, oaep: 'SHA-1' }] })).rejects.toMatchObject({
      code: 'IMPORTER_INVALID',
      message: expect.stringContaining('u7'),
    });
  });
});

describe('generating', () => {
  it('leaves nothing when a file exists, a passphrase is short, or the counts are wrong', async () => {
    writeFileSync(join(dir, 'b'), 'mine');
    const short = { ...shareFile('c'), passphrase: new Secret(Buffer.from('12345')) };
    await expect(generate(shareFiles('a', 'b'))).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    await expect(generate([shareFile('a'), short])).rejects.toMatchObject({ code: 'USAGE' });
    await expect(generate(shareFiles('a', 'c'), 3)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(generate(shareFiles('a', 'a'))).rejects.toMatchObject({ code: 'USAGE' });
    expect(readdirSync(dir)).toEqual(['b']);
    expect(readFileSync(join(dir, 'b'), 'utf8')).toBe('mine');
  });

  it.each([0, 1, 2, 3, 'named'] as const)(
    'killed when there were %s files, leaves no set or a whole one',
    async (when) => {
      const files = shareFiles('a', 'b', 'c');
      const child = start(files);
      const ended = new Promise((resolve) => child.once('close', resolve));
      await until(() => (when === 'named' ? existsSync(join(dir, 'a')) : readdirSync(dir).length >= when));
      child.kill('SIGKILL');
      await ended;
      const left = readdirSync(dir);
      if (!left.some((name) => !name.startsWith('.keystead-'))) return;
      const whole = new Set(left.map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')).index));
      expect([...whole].sort()).toEqual([1, 2, 3]);
    },
  );

  it('told to stop, ends with exit code 70 and removes what it made', async () => {
    const child = start(shareFiles('a', 'b', 'c'), 2 ** 17);
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(() => readdirSync(dir).length > 0);
    child.kill('SIGTERM');
    expect(await ended).toBe(70);
    expect(readdirSync(dir)).toEqual([]);
  });

  function start(shares: readonly ShareFile[], scryptN = N): ChildProcess {
    const child = spawn(process.execPath, [fileURLToPath(ENTRY)], { stdio: ['pipe', 'ignore', 'inherit'] });
    const files = shares.map(({ file, passphrase }) => ({ file, passphrase: passphrase.bytes.toString('base64') }));
    const unitRandom = randomBytes(32).toString('base64');
    child.stdin?.end(
      JSON.stringify({ job: 'generate', instance: INSTANCE, unitRandom, name: 'mk', t: 2, shares: files, scryptN }),
    );
    return child;
  }
});

describe('the ceremony process', () => {
  it('answers a request it does not understand without quoting it, and ends with exit code 70', async () => {
    const child = spawn(process.execPath, [fileURLToPath(ENTRY)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const answer: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => answer.push(chunk));
    child.stdin.end('{"job":"generate","passphrase":"tiger", tiger}');
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(70);
    const text = Buffer.concat(answer).toString();
    expect(JSON.parse(text)).toMatchObject({ ok: false, error: { code: 'USAGE' } });
    expect(text).not.toContain('tiger');
  });

  it('that ends without an answer is an error that says how it ended', async () => {
    const entry = join(dir, 'dies.mjs');
    writeFileSync(entry, 'process.kill(process.pid, "SIGKILL")');
    const request = { job: 'verify', shares: shareFiles('a') } as const;
    await expect(runCeremony(request, pathToFileURL(entry))).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringMatching(/SIGKILL|137/),
    });
  });

  (process.platform === 'linux' ? it : it.skip)(
    'shows no secret in its arguments or environment, and dumps no core',
    async () => {
      const entry = join(dir, 'looks.mjs');
      writeFileSync(
        entry,
        `import { readFileSync } from 'node:fs';
       const limits = readFileSync('/proc/self/limits', 'utf8').split('\\n').find((line) => line.includes('core'));
       const answer = { env: Object.keys(process.env), argv: process.argv.join(' '), limits };
       process.stdout.write(JSON.stringify({ ok: true, answer }));`,
      );
      const seen: unknown = await runCeremony({ job: 'verify', shares: shareFiles('a') }, pathToFileURL(entry));
      const { env, argv, limits } = seen as { env: string[]; argv: string; limits: string };
      expect(env.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))).toEqual([]);
      expect(argv).not.toContain('passphrase');
      expect(limits).toMatch(/core file size +0 +0 /);
    },
  );
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await delay(1);
  }
}
