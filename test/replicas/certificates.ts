import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../processes.js';

const [, BLOCK = ''] =
  /^```sh certificates\n(.*?)^```/ms.exec(readFileSync(join(ROOT, 'docs/deployment.md'), 'utf8')) ?? [];
const lines = BLOCK.split('\n').filter((line) => !line.startsWith('issue ') || line.includes('()'));
const [makeCa = '', ...makeIssue] = lines;

/** A CA and what it signs, made with the commands of docs/deployment.md. */
export class Certificates {
  constructor(readonly dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#sh(makeCa);
  }

  at(name: string): string {
    return join(this.dir, name);
  }

  /** NAME.pem and NAME.key, for 127.0.0.1. */
  issue(name: string): { certFile: string; keyFile: string; caFile: string } {
    this.#sh(`${makeIssue.join('\n')}\nissue ${name} IP:127.0.0.1`);
    return { certFile: this.at(`${name}.pem`), keyFile: this.at(`${name}.key`), caFile: this.at('ca.pem') };
  }

  #sh(text: string): void {
    const { status, stderr } = spawnSync('sh', ['-e', '-c', text], { cwd: this.dir, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${text}\n${stderr}`);
  }
}
