import { join } from 'node:path';
import { type HowToRun, kp, ownDirectory, type Ran } from './kp.js';
import { StandInServer } from './stand-in-server.js';

export const PASS = 'correct horse battery';
export const AUTH = '[{"ADMIN":"admin.key#env:ADMIN_PASS"}]';
export const KEYSHARES = '["s1.ks#env:S1","s2.ks#env:S2","s3.ks#env:S3"]';
export const ADD_KMS_USER = ['crypto-unit', 'user', 'add', '--type', 'kmsCryptoUser', '--auth', AUTH];

/** A person with a signature key, admin.key, in a directory of their own, and a stand-in server with three units. */
export class SignedWorld {
  private constructor(
    readonly path: string,
    readonly server: StandInServer,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(): Promise<SignedWorld> {
    const home = await ownDirectory();
    const server = await new StandInServer(3).start();
    const world = new SignedWorld(home.path, server, async () => {
      await server.stop();
      await home.drop();
    });
    const generate = ['crypto-unit', 'sig-key', 'generate', '--file', 'admin.key', '--passphrase', 'env:ADMIN_PASS'];
    expect(await world.run(generate)).toMatchObject({ code: 0 });
    return world;
  }

  run(args: readonly string[], how: HowToRun = {}): Promise<Ran> {
    const secrets = { ADMIN_PASS: PASS, S1: 'share number one', S2: 'share number two', S3: 'share number three' };
    const env = { ...this.server.env, ...secrets, KP_HOME: join(this.path, 'kp'), ...how.env };
    return kp(args, { ...how, cwd: this.path, env });
  }

  /** Runs a line that kp printed as a shell would, with bin/kp for kp. */
  runLine(line: string): Promise<Ran> {
    const words = [...line.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(
      ([, quoted, bare]) => quoted?.replaceAll("'\\''", "'") ?? bare ?? '',
    );
    expect(words[0]).toBe('kp');
    return this.run(words.slice(1));
  }

  claim(): Promise<Ran> {
    return this.run(['crypto-unit', 'claim', '--credential', 'admin.key']);
  }
}

/** The command on the line that begins with "Next: ". */
export const nextOf = ({ stderr }: Ran): string => /^Next: (.*)$/m.exec(stderr)?.[1] ?? '';

/** The error on the last line of stderr, with -o json. */
export const errorOf = ({ stderr }: Ran) =>
  JSON.parse(stderr.trim().split('\n').at(-1) ?? '{}') as { error: { code: string; message: string; next?: string } };
